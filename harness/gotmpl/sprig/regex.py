"""Sprig's functions on regular expressions.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import re

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.sprig.regexp import compile_go
from harness.gotmpl.values import Slice

__all__ = ["REGEX", "REGEX_V3"]

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def _match(expression: str, text: str) -> bool:
    try:
        return compile_go(expression).matches(text)
    except FunctionError:
        return False


def _functions(prefix: str, *, must: bool) -> dict[str, GoFunction]:
    """Return the functions under one prefix.

    Args:
        prefix: "regex" or "mustRegex".
        must: whether a wrong expression is a panic in Go, whose text differs from an error's.
    """

    def find_all(expression: str, text: str, limit: int) -> Slice:
        found = compile_go(expression, must=must).find_all(text, limit)
        return Slice("string", found, nil=not found)

    def split(expression: str, text: str, limit: int) -> Slice:
        return Slice("string", compile_go(expression, must=must).split(text, limit), nil=limit == 0)

    def replace(expression: str, text: str, replacement: str) -> str:
        return compile_go(expression, must=must).replace(text, replacement, literal=False)

    def replace_literal(expression: str, text: str, replacement: str) -> str:
        return compile_go(expression, must=must).replace(text, replacement, literal=True)

    return {
        f"{prefix}Find": function(
            "string, string", lambda expression, text: compile_go(expression, must=must).find(text)
        ),
        f"{prefix}FindAll": function("string, string, int", find_all),
        f"{prefix}ReplaceAll": function("string, string, string", replace),
        f"{prefix}ReplaceAllLiteral": function("string, string, string", replace_literal),
        f"{prefix}Split": function("string, string, int", split),
    }


REGEX: dict[str, GoFunction] = _functions("regex", must=True) | {"regexMatch": function("string, string", _match)}
REGEX_V3: dict[str, GoFunction] = (
    REGEX
    | _functions("mustRegex", must=False)
    | {
        "mustRegexMatch": function("string, string", lambda expression, text: compile_go(expression).matches(text)),
        "regexQuoteMeta": function("string", lambda text: _SPECIAL.sub(r"\\\g<0>", text)),
    }
)
