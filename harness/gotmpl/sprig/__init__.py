"""Sprig, the function library of Go templates, in its releases 2.22 and 3.3.

Use it through harness.gotmpl. Functions that depend on the world (time, chance, environment) take it from a World.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import FunctionSet, GoFunction, function
from harness.gotmpl.sprig.crypto import CRYPTO, CRYPTO_V3, NOT_SUPPORTED
from harness.gotmpl.sprig.defaults import DEFAULTS, DEFAULTS_V3
from harness.gotmpl.sprig.dicts import DICTS_V2, DICTS_V3
from harness.gotmpl.sprig.encoding import ENCODING, ENCODING_V3
from harness.gotmpl.sprig.lists import LISTS_V2, LISTS_V3
from harness.gotmpl.sprig.number import NUMBERS_V2, NUMBERS_V3
from harness.gotmpl.sprig.paths import PATHS, PATHS_V3, URLS
from harness.gotmpl.sprig.regex import REGEX, REGEX_V3
from harness.gotmpl.sprig.semver import SEMVER_V2, SEMVER_V3
from harness.gotmpl.sprig.strings import STRINGS, STRINGS_V2, STRINGS_V3
from harness.gotmpl.sprig.world import World, world_functions

__all__ = ["KUDO_REMOVED", "NOT_SUPPORTED", "World", "sprig_v2_22", "sprig_v3"]

KUDO_REMOVED = frozenset({"env", "expandenv", "base", "dir", "clean", "ext", "isAbs"})


def _fail(message: str) -> str:
    raise FunctionError(message)


_FLOW: dict[str, GoFunction] = {"fail": function("string", _fail)}
_V2 = FunctionSet(
    STRINGS | STRINGS_V2 | NUMBERS_V2 | LISTS_V2 | DEFAULTS | DICTS_V2 | ENCODING | PATHS | URLS | REGEX | SEMVER_V2
    | CRYPTO | _FLOW
)  # fmt: skip
_V3 = FunctionSet(
    STRINGS | STRINGS_V3 | NUMBERS_V3 | LISTS_V3 | DEFAULTS_V3 | DICTS_V3 | ENCODING_V3 | PATHS_V3 | URLS | REGEX_V3
    | SEMVER_V3 | CRYPTO_V3 | _FLOW
)  # fmt: skip


def sprig_v2_22(*, world: World | None = None, exclude: Iterable[str] = ()) -> FunctionSet:
    """Return the functions of sprig 2.22 and toYaml.

    Args:
        world: where time, chance and environment come from; without it the functions that need it fail when called.
        exclude: names to leave out, such as KUDO_REMOVED.
    """
    return (_V2 | world_functions(world, modern=False)).without(exclude)


def sprig_v3(*, world: World | None = None, exclude: Iterable[str] = ()) -> FunctionSet:
    """Return the functions of sprig 3.3 and toYaml.

    Args:
        world: where time, chance and environment come from; without it the functions that need it fail when called.
        exclude: names to leave out.
    """
    return (_V3 | world_functions(world, modern=True)).without(exclude)
