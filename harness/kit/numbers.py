"""Numbers as Go prints them.

Everybody may import it: KUDO's parameters, Go templates and go-yaml's output all show floats this way.
"""

from __future__ import annotations

import math

__all__ = ["go_float"]

_EXPONENT_FROM = 6
_EXPONENT_BELOW = -4


def go_float(value: float) -> str:
    """Return the shortest text of a float as Go's fmt prints it with %v: 0.25, 80, 1e+06, 1.234567e+06, 1e-05.

    Source: Go's strconv.FormatFloat(f, 'g', -1, 64); an exponent is used below 1e-4 and from 1e6.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    digits, exponent = _shortest(value)
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if exponent < _EXPONENT_BELOW or exponent >= _EXPONENT_FROM:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    return sign + _plain(digits, exponent)


def _shortest(value: float) -> tuple[str, int]:
    """Return the shortest digits that give the number back, and the decimal exponent of the first of them."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0", 0
    place = len(whole) - 1 - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    return digits.rstrip("0") or "0", place + int(exponent or 0)


def _plain(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return f"{digits[: exponent + 1]}.{digits[exponent + 1 :]}"
