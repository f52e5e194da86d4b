"""Numbers as Go prints them."""

from __future__ import annotations

import pytest

from harness.kit.numbers import go_float

# Read off Go's fmt.Println.
FLOATS = [
    (21.0, "21"), (123456.0, "123456"), (1e6, "1e+06"), (1234567.0, "1.234567e+06"), (0.0001, "0.0001"),
    (0.00001, "1e-05"), (123456.789, "123456.789"), (100000.0, "100000"), (999999.5, "999999.5"), (1e20, "1e+20"),
    (1e22, "1e+22"), (0.0, "0"), (-0.25, "-0.25"), (-0.0, "-0"), (float("inf"), "+Inf"), (float("nan"), "NaN"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), FLOATS)
def test_floats_print_as_in_go(value: float, text: str) -> None:
    """The shortest digits, with an exponent below 1e-4 and from 1e6."""
    assert go_float(value) == text
