"""kuttl's comparison, section 14 of its semantics: each rule, with all mismatches told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.paths import MISSING
from harness.checks.subset import compare, go_type, go_value, kuttl_text, matches

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)


def texts(expected: Any, actual: Any) -> list[str]:
    return [kuttl_text(one) for one in compare(expected, actual)]


@pytest.mark.parametrize(
    ("expected", "actual", "text"),
    [
        ("1", 1, "type mismatch: string != int64"),
        (True, "true", "type mismatch: bool != string"),
        (1, 1.5, "type mismatch: int64 != float64"),
        (1, True, "type mismatch: int64 != bool"),
        ({}, [], "type mismatch: map[string]interface {} != []interface {}"),
        (None, 0, "type mismatch: <nil> != int64"),
        ([], None, "type mismatch: []interface {} != <nil>"),
    ],
)
def test_types_must_be_the_same(expected: Any, actual: Any, text: str) -> None:
    """Section 14.1: nothing is converted; the types are told by Go's names."""
    assert texts({"a": expected}, {"a": actual}) == [f".a: {text}"]
    assert not matches(expected, actual)


def test_quantities_are_texts() -> None:
    """Section 14.1: no arithmetic of quantities: 1000m is not 1."""
    assert texts({"cpu": "1000m"}, {"cpu": "1"}) == [".cpu: value mismatch, expected: 1000m != actual: 1"]


def test_equal_values_match() -> None:
    """Section 14.2: what is deeply equal matches."""
    value = {"a": [1, {"b": None, "c": 1.5}], "d": "x"}
    assert texts(value, {"a": [1, {"b": None, "c": 1.5}], "d": "x"}) == []


def test_lists_must_have_the_same_length() -> None:
    """Section 14.3: a list of another length is one mismatch, whatever stands in it."""
    assert texts({"a": [1]}, {"a": [1, 2]}) == [".a: slice length mismatch: 1 != 2"]
    assert texts({"a": []}, {"a": [1]}) == [".a: slice length mismatch: 0 != 1"]


def test_lists_are_compared_in_order_and_their_maps_may_be_partial() -> None:
    """Section 14.3: element by element, in order, by the same rules."""
    live = {"c": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}
    assert texts({"c": [{"name": "a"}, {"image": "y"}]}, live) == []
    assert len(texts({"c": [{"name": "b"}, {"name": "a"}]}, live)) == 2


def test_further_keys_of_the_live_map_are_ignored_and_missing_ones_told() -> None:
    """Section 14.4: every expected key must exist; others do not matter."""
    assert texts({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}) == []
    assert texts({"a": {"b": 1}}, {"a": {"c": 2}}) == [".a.b: key is missing from map"]


def test_the_empty_map_matches_any_map_and_the_empty_list_only_itself() -> None:
    """Section 14.4: {} demands a map, [] an empty list."""
    assert matches({}, {"a": 1})
    assert matches([], [])
    assert not matches([], [1])


def test_scalars_are_told_as_go_prints_them() -> None:
    """Section 14.5: value mismatch, expected: <e> != actual: <a>."""
    expected = {"a": True, "b": 5, "c": "x", "d": 1.5e9}
    assert texts(expected, {"a": False, "b": 3, "c": "y", "d": 0.25}) == [
        ".a: value mismatch, expected: true != actual: false",
        ".b: value mismatch, expected: 5 != actual: 3",
        ".c: value mismatch, expected: x != actual: y",
        ".d: value mismatch, expected: 1.5e+09 != actual: 0.25",
    ]


def test_null_matches_only_a_null_that_is_there() -> None:
    """Section 14.6: against a missing key, null is a missing key."""
    assert matches({"a": None}, {"a": None})
    assert texts({"a": None}, {}) == [".a: key is missing from map"]
    assert compare({"a": None}, {})[0].seen is MISSING


def test_all_mismatches_are_told_sorted_by_path() -> None:
    """Q51: not one at random but all, list positions in numeric order."""
    expected = {"z": 1, "a": {"y": 1, "b": 2}, "l": list(range(12))}
    actual = {"z": 2, "a": {"y": 2, "b": 3}, "l": [0, 1, 9, *range(3, 10), 9, 11]}
    assert [kuttl_text(one).split(":")[0] for one in compare(expected, actual)] == [
        ".a.b", ".a.y", ".l[2]", ".l[10]", ".z",
    ]  # fmt: skip


def test_list_positions_are_in_the_path_and_can_be_left_out() -> None:
    """Q52: .spec.containers[0].image by default, without the position in strict mode."""
    one = compare({"spec": {"containers": [{"image": "a"}]}}, {"spec": {"containers": [{"image": "b"}]}})[0]
    assert kuttl_text(one).startswith(".spec.containers[0].image: value")
    assert kuttl_text(one, positions=False).startswith(".spec.containers.image: value")


def test_a_mismatch_at_the_top_has_no_path() -> None:
    """Section 14.7: the text is the reason alone."""
    assert texts("a", 1) == ["type mismatch: string != int64"]


def test_integers_beyond_int64_are_floats() -> None:
    """Section 2.4: a whole number above 2^63-1 is floating point, on both sides."""
    assert go_type(2**63) == "float64"
    assert go_type(2**63 - 1) == "int64"
    assert matches(float(2**63), 2**63)
    assert matches(2**64, 2**64 + 1)  # one float to Go
    assert not matches(2**63 - 1, float(2**63))


def test_values_print_as_in_go() -> None:
    """Maps, lists and nil print as %v prints them."""
    assert go_value({"b": [1, None], "a": "x"}) == "map[a:x b:[1 <nil>]]"


@given(JSON)
def test_everything_contains_itself(value: Any) -> None:
    """Comparing a value with itself finds nothing."""
    assert compare(value, value) == []
    assert matches(value, value)


@given(JSON, JSON)
def test_both_ways_of_comparing_agree(expected: Any, actual: Any) -> None:
    """The quick answer is the same as the list of differences being empty."""
    assert matches(expected, actual) == (not compare(expected, actual))
