"""kuttl's comparison: is a manifest contained in a live object? All that differs is told, not one thing at random.

Suites and fixtures import it. Types are as Kubernetes' JSON has them: a whole number is int64 while it fits,
beyond that it is float64; nothing is converted, no quantity is reckoned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.checks.paths import MISSING, Path, kuttl_path, path_text, sort_key
from harness.kit.numbers import go_float

__all__ = ["Difference", "compare", "go_type", "go_value", "kuttl_text", "matches"]

_LARGEST_INTEGER = 2**63
_SCALARS = frozenset({str, int, bool, float, type(None)})
_GO_TYPES: dict[type, str] = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    float: "float64",
    type(None): "<nil>",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where an object is not what was wanted.

    Attributes:
        path: where, from the object's root.
        wanted: what was expected there; for other checks than the subset, what was asked for, in words.
        seen: what stands there, MISSING when nothing does.
        reason: why that does not agree; in kuttl's words for a subset.
    """

    path: Path
    wanted: Any
    seen: Any
    reason: str

    def __str__(self) -> str:
        where = path_text(self.path)
        return f"{where}: {self.reason}" if where else self.reason


def compare(expected: Any, actual: Any, path: Path = ()) -> list[Difference]:
    """Return every place where the actual value does not contain the expected one, sorted by path.

    Args:
        expected: maps may be partial, lists must have the same length and order, scalars the same type and value.
        actual: the live value.
        path: the path of both values, put before those of the differences.

    Source: the comparison rules of kuttl, whose first mismatch is one of these (its walk over maps is random).
    """
    found: list[Difference] = []
    _collect(expected, actual, path, found)
    return sorted(found, key=lambda one: sort_key(one.path))


def matches(expected: Any, actual: Any) -> bool:
    """Tell whether the actual value contains the expected one; the same rules as compare, but quicker."""
    kind = type(expected)
    if kind is not type(actual):
        return go_type(expected) == go_type(actual) and _equal(expected, actual)
    if kind is dict:
        for key, value in expected.items():  # noqa: SIM110 - a generator makes it half as quick
            if key not in actual or not matches(value, actual[key]):
                return False
        return True
    if kind is list:
        return len(expected) == len(actual) and all(map(matches, expected, actual))
    return _equal(expected, actual)


def go_type(value: Any) -> str:
    """Return Go's name for the type of a JSON value."""
    if type(value) is int:
        return "int64" if -_LARGEST_INTEGER <= value < _LARGEST_INTEGER else "float64"
    return _GO_TYPES.get(type(value), type(value).__name__)


def go_value(value: Any) -> str:
    """Return a JSON value as Go prints it with %v: true, 1e+06, <nil>, map[a:1 b:[1 2]]."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, float) or go_type(value) == "float64":
        return go_float(float(value))
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{go_value(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_value, value)) + "]"
    return str(value)


def kuttl_text(difference: Difference, *, positions: bool = True) -> str:
    """Return a difference in kuttl's wording.

    Args:
        difference: one of a subset.
        positions: with positions in lists, which kuttl leaves out (quirk Q52).
    """
    where = path_text(difference.path) if positions else kuttl_path(difference.path)
    return f"{where}: {difference.reason}" if where else difference.reason


def _collect(expected: Any, actual: Any, path: Path, found: list[Difference]) -> None:
    reason = _reason(expected, actual)
    if reason:
        found.append(Difference(path=path, wanted=expected, seen=actual, reason=reason))
    elif isinstance(expected, dict):
        for key, value in expected.items():
            if key not in actual:
                missing = Difference(path=(*path, key), wanted=value, seen=MISSING, reason="key is missing from map")
                found.append(missing)
            elif not _plainly_equal(value, actual[key]):
                _collect(value, actual[key], (*path, key), found)
    elif isinstance(expected, list):
        for index, value in enumerate(expected):
            if not _plainly_equal(value, actual[index]):
                _collect(value, actual[index], (*path, index), found)


def _plainly_equal(expected: Any, actual: Any) -> bool:
    """Tell at once of two scalars what most often is the case."""
    return type(expected) is type(actual) and type(expected) in _SCALARS and bool(expected == actual)


def _reason(expected: Any, actual: Any) -> str:
    """Return why two values differ by themselves, without their parts."""
    wanted, seen = go_type(expected), go_type(actual)
    if wanted != seen:
        return f"type mismatch: {wanted} != {seen}"
    if isinstance(expected, dict):
        return ""
    if isinstance(expected, list):
        return "" if len(expected) == len(actual) else f"slice length mismatch: {len(expected)} != {len(actual)}"
    if _equal(expected, actual):
        return ""
    return f"value mismatch, expected: {go_value(expected)} != actual: {go_value(actual)}"


def _equal(expected: Any, actual: Any) -> bool:
    """Tell whether two scalars of one type are equal; integers beyond int64 are floats to Go."""
    if expected == actual:
        return True
    return type(expected) in {int, float} and go_type(expected) == "float64" and float(expected) == float(actual)
