"""Sprig's functions on numbers: conversion, arithmetic, rounding, counting.

Private to gotmpl.sprig. Arithmetic is int64 and wraps around as Go's does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from harness.gotmpl.errors import FunctionError
from harness.gotmpl.formatting import sprint
from harness.gotmpl.functions import GoFunction, function
from harness.gotmpl.strconv import parse_float, parse_int
from harness.gotmpl.values import Int64, Slice

__all__ = ["NUMBERS_V2", "NUMBERS_V3", "to_int_v2", "to_int_v3"]

_MOST = (1 << 63) - 1
_LEAST = -(1 << 63)
_LONGEST_RANGE = 10_000_000  # numbers in one untilStep: memory, not sense, is the limit in Go
_DECIMALS = Context(prec=400)


def _wrapped(value: int) -> int:
    """Reduce to int64 as Go's arithmetic overflows."""
    return (value + (1 << 63)) % (1 << 64) + _LEAST


def _from_float(value: float) -> int:
    """Convert as Go on amd64 does; what does not fit is the least int64."""
    if not math.isfinite(value):
        return _LEAST
    whole = int(value)
    return whole if _LEAST <= whole <= _MOST else _LEAST


def _parsed(text: str, base: int) -> int:
    try:
        return parse_int(text, base=base)
    except ValueError:
        return 0


def to_int_v2(value: Any) -> int:
    """Convert to an integer as sprig 2 does: what is no number is 0."""
    if isinstance(value, str):
        return _parsed(value, 10)
    return _number_to_int(value)


def to_int_v3(value: Any) -> int:
    """Convert to an integer as sprig 3 does: texts may have a 0x or 0 prefix and a fraction of zeros."""
    if isinstance(value, str):
        head, dot, tail = value.partition(".")
        return _parsed(head if dot and tail and not tail.strip("0") else value, 0)
    return _number_to_int(value)


def _number_to_int(value: Any) -> int:
    if isinstance(value, float):
        return _from_float(value)
    return min(int(value), _MOST) if isinstance(value, int) else 0


def _to_float(value: Any) -> float:
    if isinstance(value, str):
        try:
            return parse_float(value)
        except ValueError:
            return 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0


def _atoi(text: str) -> int:
    return _parsed(text, 10)


def _octal(value: Any) -> Int64:
    try:
        return Int64(parse_int(sprint(value), base=8))
    except ValueError:
        return Int64(0)


def until_step(start: int, stop: int, step: int) -> Slice:
    """Return the integers from start up or down to stop, without stop."""
    if (stop < start and step >= 0) or (stop >= start and step <= 0):
        return Slice("int")
    numbers = range(start, stop, step)
    if len(numbers) > _LONGEST_RANGE:
        raise FunctionError(f"a range of {len(numbers)} numbers is too long")
    return Slice("int", numbers)


def _until(count: int) -> Slice:
    return until_step(0, count, -1 if count < 0 else 1)


def _seq(*numbers: int) -> str:
    if not 1 <= len(numbers) <= 3:  # noqa: PLR2004 - end; start, end; start, step, end
        return ""
    start, end = (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[-1])
    direction = -1 if end < start else 1
    step = numbers[1] if len(numbers) == 3 else direction  # noqa: PLR2004
    if len(numbers) == 3 and direction < 0 < step:  # noqa: PLR2004
        return ""
    return " ".join(map(str, until_step(start, end + direction, step)))


def _rounded(value: Any, places: int, *threshold: float) -> float:
    at = threshold[0] if threshold else 0.5
    power = math.pow(10, places)
    digit = power * _to_float(value)
    fraction = math.modf(digit)[0]
    return (math.ceil(digit) if fraction >= at else math.floor(digit)) / power


def _floored(convert: Callable[[float], int], value: Any) -> float:
    number = _to_float(value)
    return float(convert(number)) if math.isfinite(number) else number


def _divided(first: int, second: int) -> int:
    if second == 0:
        raise FunctionError("runtime error: integer divide by zero")
    quotient = abs(first) // abs(second)
    return quotient if (first < 0) == (second < 0) else -quotient


def _decimal(value: Any) -> Decimal:
    return Decimal(repr(_to_float(value)))


def _decimal_fold(operation: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    def fold(first: Any, *others: Any) -> float:
        total = _decimal(first)
        for other in others:
            total = operation(total, _decimal(other))
        return float(total) + 0.0  # decimals have no negative zero

    return fold


def _decimal_divide(first: Decimal, second: Decimal) -> Decimal:
    if not second:
        raise FunctionError("decimal division by 0")
    return _DECIMALS.divide(first, second).quantize(Decimal("1e-16"), rounding=ROUND_HALF_UP, context=_DECIMALS)


def _arithmetic(to_int: Callable[[Any], int]) -> dict[str, GoFunction]:
    """Return the integer functions over one way of converting to integers."""

    def add(*values: Any) -> Int64:
        return Int64(_wrapped(sum(map(to_int, values))))

    def multiply(first: Any, *others: Any) -> Int64:
        total = to_int(first)
        for other in others:
            total = _wrapped(total * to_int(other))
        return Int64(total)

    def divide(first: Any, second: Any) -> Int64:
        return Int64(_wrapped(_divided(to_int(first), to_int(second))))

    def modulo(first: Any, second: Any) -> Int64:
        dividend, divisor = to_int(first), to_int(second)
        return Int64(dividend - divisor * _divided(dividend, divisor))

    def largest(first: Any, *others: Any) -> Int64:
        return Int64(max(map(to_int, (first, *others))))

    return {
        "atoi": function("string", _atoi),
        "int64": function("any", lambda value: Int64(to_int(value))),
        "int": function("any", to_int),
        "float64": function("any", _to_float),
        "toDecimal": function("any", _octal),
        "until": function("int", _until),
        "untilStep": function("int, int, int", until_step),
        "add1": function("any", lambda value: Int64(_wrapped(to_int(value) + 1))),
        "add": function("...any", add),
        "sub": function("any, any", lambda first, second: Int64(_wrapped(to_int(first) - to_int(second)))),
        "div": function("any, any", divide),
        "mod": function("any, any", modulo),
        "mul": function("any, ...any", multiply),
        "biggest": function("any, ...any", largest),
        "max": function("any, ...any", largest),
        "min": function("any, ...any", lambda first, *others: Int64(min(map(to_int, (first, *others))))),
        "ceil": function("any", lambda value: _floored(math.ceil, value)),
        "floor": function("any", lambda value: _floored(math.floor, value)),
        "round": function("any, int, ...float64", _rounded),
    }


NUMBERS_V2 = _arithmetic(to_int_v2)
NUMBERS_V3 = _arithmetic(to_int_v3) | {
    "seq": function("...int", _seq),
    "add1f": function("any", lambda value: _decimal_fold(_DECIMALS.add)(value, 1)),
    "addf": function("...any", lambda *values: _decimal_fold(_DECIMALS.add)(0, *values)),
    "subf": function("any, ...any", _decimal_fold(_DECIMALS.subtract)),
    "divf": function("any, ...any", _decimal_fold(_decimal_divide)),
    "mulf": function("any, ...any", _decimal_fold(_DECIMALS.multiply)),
    "maxf": function("any, ...any", lambda *values: max(map(_to_float, values))),
    "minf": function("any, ...any", lambda *values: min(map(_to_float, values))),
}
