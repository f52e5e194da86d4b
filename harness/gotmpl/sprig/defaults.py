"""Sprig's functions on any value: defaults, emptiness, equality, types, copies.

Private to gotmpl.sprig.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.values import MISSING, Struct, is_true, kind_name, type_name

__all__ = ["DEFAULTS", "DEFAULTS_V3", "deep_equal", "is_empty"]


def is_empty(value: Any) -> bool:
    """Tell whether a value is nil, zero or of length 0."""
    return not is_true(value)


def deep_equal(first: Any, second: Any) -> bool:
    """Compare as reflect.DeepEqual does: types must be the same at every level."""
    if type_name(first) != type_name(second):
        return False
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(deep_equal(item, second[key]) for key, item in first.items())
    if isinstance(first, (list, tuple)):
        same_nil = getattr(first, "nil", False) == getattr(second, "nil", False)
        return same_nil and len(first) == len(second) and all(map(deep_equal, first, second))
    if isinstance(first, float):
        return not math.isnan(first) and first == second
    if first is None or first is MISSING:
        return second is None or second is MISSING
    return bool(first == second)


def _default(fallback: Any, *given: Any) -> Any:
    return given[0] if given and is_true(given[0]) else fallback


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if is_true(value)), None)


def _ternary(when_true: Any, when_false: Any, condition: bool) -> Any:
    return when_true if condition else when_false


def _type_of(value: Any) -> str:
    return "<nil>" if value is None else type_name(value)


def _type_is_like(target: str, value: Any) -> bool:
    return _type_of(value) in (target, f"*{target}")


def _copied(value: Any) -> Any:
    if value is None:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    return value if isinstance(value, Struct) else copy.deepcopy(value)


DEFAULTS: dict[str, GoFunction] = {
    "default": function("any, ...any", _default),
    "empty": function("any", is_empty),
    "coalesce": function("...any", _coalesce),
    "ternary": function("any, any, bool", _ternary),
    "deepCopy": function("any", _copied),
    "typeOf": function("any", _type_of),
    "typeIs": function("string, any", lambda target, value: _type_of(value) == target),
    "typeIsLike": function("string, any", _type_is_like),
    "kindOf": function("any", kind_name),
    "kindIs": function("string, any", lambda target, value: kind_name(value) == target),
    "deepEqual": function("any, any", deep_equal),
}
DEFAULTS_V3: dict[str, GoFunction] = DEFAULTS | {
    "all": function("...any", lambda *values: all(map(is_true, values))),
    "any": function("...any", lambda *values: any(map(is_true, values))),
    "mustDeepCopy": function("any", _copied),
}
