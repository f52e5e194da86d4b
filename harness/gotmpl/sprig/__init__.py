"""Sprig, the function library of Go templates, in its releases 2.22 and 3.

Use it through harness.gotmpl. Functions that depend on the world (time, chance, environment) take it from a World.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.gotmpl.functions import FunctionSet
from harness.gotmpl.sprig.defaults import DEFAULTS, DEFAULTS_V3
from harness.gotmpl.sprig.dicts import DICTS, DICTS_V3
from harness.gotmpl.sprig.encoding import ENCODING, ENCODING_V3
from harness.gotmpl.sprig.lists import LISTS_V2, LISTS_V3
from harness.gotmpl.sprig.number import NUMBERS_V2, NUMBERS_V3
from harness.gotmpl.sprig.strings import STRINGS, STRINGS_V2, STRINGS_V3

__all__ = ["KUDO_REMOVED", "sprig_v2_22", "sprig_v3"]

KUDO_REMOVED = frozenset({"env", "expandenv", "base", "dir", "clean", "ext", "isAbs"})


def sprig_v2_22(*, exclude: Iterable[str] = ()) -> FunctionSet:
    """Return the functions of sprig 2.22 and toYaml.

    Args:
        exclude: names to leave out, such as KUDO_REMOVED.
    """
    functions = STRINGS | STRINGS_V2 | NUMBERS_V2 | LISTS_V2 | DEFAULTS | DICTS | ENCODING
    return FunctionSet(functions).without(exclude)


def sprig_v3(*, exclude: Iterable[str] = ()) -> FunctionSet:
    """Return the functions of sprig 3.3 and toYaml.

    Args:
        exclude: names to leave out.
    """
    functions = STRINGS | STRINGS_V3 | NUMBERS_V3 | LISTS_V3 | DEFAULTS_V3 | DICTS_V3 | ENCODING_V3
    return FunctionSet(functions).without(exclude)
