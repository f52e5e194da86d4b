"""Single fields: present, absent, like a pattern, within a range; for each check a case where it fails."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from harness.checks.fields import check_absent, check_pattern, check_present, check_range, parse_quantity
from harness.kit.errors import UsageError

VALUE = {"a": {"b": "db-7f9c"}, "n": None, "replicas": 3, "memory": "2Gi", "cpu": "500m"}


def test_presence() -> None:
    """A null that is there is present."""
    assert check_present(VALUE, ("a", "b")) == []
    assert check_present(VALUE, ("n",)) == []
    assert [str(one) for one in check_present(VALUE, ("a", "c"))] == [".a.c: the field is not there"]


def test_absence() -> None:
    """What kuttl cannot assert: a field must not be there, not even as null."""
    assert check_absent(VALUE, ("a", "c")) == []
    assert [one.seen for one in check_absent(VALUE, ("a", "b"))] == ["db-7f9c"]
    assert len(check_absent(VALUE, ("n",))) == 1


def test_patterns() -> None:
    """A regular expression matches somewhere in a text."""
    assert check_pattern(VALUE, ("a", "b"), r"^db-[0-9a-f]{4}$") == []
    assert "not like" in str(check_pattern(VALUE, ("a", "b"), "^x")[0])
    assert "not a text but int64" in str(check_pattern(VALUE, ("replicas",), "3")[0])
    assert "not there" in str(check_pattern(VALUE, ("zz",), "3")[0])


def test_a_pattern_that_does_not_compile_is_told_with_its_place() -> None:
    """The column of the fault stands in the error."""
    with pytest.raises(UsageError) as caught:
        check_pattern(VALUE, ("a",), "a(b")
    assert caught.value.where == "column 2 of a(b"


@pytest.mark.parametrize(
    ("field", "bounds", "text"),
    [
        ("replicas", {"minimum": 3, "maximum": 3}, ""),
        ("replicas", {"minimum": 4}, "less than 4"),
        ("replicas", {"maximum": 2}, "more than 2"),
        ("memory", {"minimum": "1Gi", "maximum": "2048Mi"}, ""),
        ("memory", {"maximum": "2000Mi"}, "more than 2000Mi"),
        ("cpu", {"maximum": 0.5}, ""),
        ("a", {"minimum": 1}, "neither a number nor a quantity"),
        ("zz", {"minimum": 1}, "the field is not there"),
    ],
)
def test_ranges(field: str, bounds: dict[str, Any], text: str) -> None:
    """Numbers and quantities of Kubernetes, bounds inclusive."""
    assert [one.reason for one in check_range(VALUE, (field,), **bounds)] == ([text] if text else [])


def test_a_bound_must_be_a_number() -> None:
    """A bound that is no quantity is a mistake of the author."""
    with pytest.raises(UsageError):
        check_range(VALUE, ("replicas",), minimum="many")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e3", 1000),
        ("100m", "0.1"),
        ("1Ki", 1024),
        ("1k", 1000),
        (".5", "0.5"),
        ("-1", -1),
        (2.5, "2.5"),
        ("1E", 1e18),
    ],
)
def test_quantities(text: Any, number: Any) -> None:
    """Decimal and binary suffixes, exponents, signs."""
    assert parse_quantity(text) == Decimal(str(number))


@pytest.mark.parametrize("text", ["", "x", "1x", True, None, "1 Gi", []])
def test_what_is_no_quantity(text: Any) -> None:
    """Anything else is none, truth values too."""
    assert parse_quantity(text) is None
