"""Checks of single fields that a subset cannot say: present, absent, like a pattern, within a range.

Suites and fixtures import it. Each returns differences, none when the check holds.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from harness.checks.paths import MISSING, Path, find
from harness.checks.subset import Difference, go_type
from harness.kit.errors import UsageError

__all__ = ["check_absent", "check_pattern", "check_present", "check_range", "parse_quantity"]

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([eE][+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE]))?")
_SUFFIXES: dict[str, Decimal] = {
    **{
        name: Decimal(1000) ** power for power, name in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", 1)},
}


def check_present(value: Any, path: Path) -> list[Difference]:
    """Return a difference when nothing stands at the path; a null that stands there is present."""
    if find(value, path) is not MISSING:
        return []
    return [Difference(path=path, wanted="present", seen=MISSING, reason="the field is not there")]


def check_absent(value: Any, path: Path) -> list[Difference]:
    """Return a difference when something stands at the path, be it null."""
    seen = find(value, path)
    if seen is MISSING:
        return []
    return [Difference(path=path, wanted="absent", seen=seen, reason="the field is there")]


def check_pattern(value: Any, path: Path, pattern: str) -> list[Difference]:
    """Return a difference when the text at the path is not like a pattern.

    Args:
        value: the object.
        path: the field.
        pattern: a regular expression that must match somewhere in the text; ^ and $ bind it to its ends.

    Raises:
        UsageError: the pattern is no regular expression; with the position of the fault.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        place = "" if error.pos is None else f"column {error.pos + 1} of {pattern}"
        raise UsageError("a regular expression", seen=error.msg, where=place) from None
    seen = find(value, path)
    wanted = f"like /{pattern}/"
    if isinstance(seen, str):
        if compiled.search(seen):
            return []
        return [Difference(path=path, wanted=wanted, seen=seen, reason="the text is not like the pattern")]
    reason = "the field is not there" if seen is MISSING else f"not a text but {go_type(seen)}"
    return [Difference(path=path, wanted=wanted, seen=seen, reason=reason)]


def check_range(
    value: Any, path: Path, *, minimum: float | str | None = None, maximum: float | str | None = None
) -> list[Difference]:
    """Return a difference when the number at the path is out of bounds.

    Args:
        value: the object.
        path: the field: a number, or a text that is a quantity of Kubernetes such as 500m or 2Gi.
        minimum: the least, a number or a quantity; None for no bound.
        maximum: the most, likewise.

    Raises:
        UsageError: a bound is neither a number nor a quantity.
    """
    least, most = _bound(minimum), _bound(maximum)
    seen = find(value, path)
    wanted = _range_text(minimum, maximum)
    number = None if seen is MISSING else parse_quantity(seen)
    if number is None:
        reason = "the field is not there" if seen is MISSING else "neither a number nor a quantity"
    elif least is not None and number < least:
        reason = f"less than {minimum}"
    elif most is not None and number > most:
        reason = f"more than {maximum}"
    else:
        return []
    return [Difference(path=path, wanted=wanted, seen=seen, reason=reason)]


def parse_quantity(value: Any) -> Decimal | None:
    """Return a number or a quantity of Kubernetes (500m, 2Gi, 1e3) as a number; None when it is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return None
    return Decimal(found[1] + (found[2] or "")) * _SUFFIXES[found[3] or ""]


def _bound(value: float | str | None) -> Decimal | None:
    if value is None:
        return None
    number = parse_quantity(value)
    if number is None:
        raise UsageError("a number or a quantity as bound", seen=f"{value!r}")
    return number


def _range_text(minimum: float | str | None, maximum: float | str | None) -> str:
    if minimum is None:
        return f"at most {maximum}" if maximum is not None else "a number"
    return f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
