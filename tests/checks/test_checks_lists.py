"""Lists by key, as a set, counted, and all of them: what a kuttl assert cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.lists import compare_all, compare_as_set, compare_by_key, compare_count
from harness.checks.paths import path_text
from harness.kit.errors import UsageError

LIVE = [
    {"type": "Progressing", "status": "True", "reason": "New"},
    {"type": "Available", "status": "False", "reason": "Old"},
]


def texts(differences: list[Any]) -> list[str]:
    return [str(one) for one in differences]


def test_items_are_matched_by_a_key_whatever_their_order() -> None:
    """The item with the key is compared as a subset; others do not matter."""
    assert compare_by_key([{"type": "Available", "status": "False"}], LIVE, "type") == []


def test_a_differing_item_is_told_by_its_key() -> None:
    """The path names the item by its key, not by a position that may change."""
    found = compare_by_key([{"type": "Available", "status": "True"}], LIVE, "type", path=("status", "conditions"))
    assert texts(found) == [
        ".status.conditions[type=Available].status: value mismatch, expected: True != actual: False"
    ]


def test_a_missing_key_and_an_unexpected_item_are_told() -> None:
    """An item that is not there fails; exact refuses items that were not named."""
    assert texts(compare_by_key([{"type": "Ready"}], LIVE, "type")) == ["[type=Ready]: no item has this key"]
    extra = compare_by_key([{"type": "Available"}], LIVE, "type", exact=True)
    assert [path_text(one.path) for one in extra] == ["[0]"]


def test_a_key_must_be_in_every_expected_item() -> None:
    """An expected item without the key is a mistake of the author."""
    with pytest.raises(UsageError, match='"type"'):
        compare_by_key([{"status": "True"}], LIVE, "type")


def test_keys_are_compared_with_their_type() -> None:
    """A port 80 is not "80"."""
    assert compare_by_key([{"port": 80}], [{"port": 80, "name": "a"}], "port") == []
    assert len(compare_by_key([{"port": "80"}], [{"port": 80}], "port")) == 1


def test_a_set_ignores_order_but_not_number() -> None:
    """Each live item stands for one expected item at most."""
    assert compare_as_set(["b", "a"], ["a", "b", "c"]) == []
    assert len(compare_as_set(["a", "a"], ["a", "b"])) == 1
    assert [path_text(one.path) for one in compare_as_set(["b"], ["a", "b"], exact=True)] == ["[0]"]


def test_a_set_finds_the_assignment_where_a_greedy_one_fails() -> None:
    """A general item takes what a special one leaves."""
    assert compare_as_set([{}, {"a": 1}], [{"a": 1}, {"b": 2}]) == []


def test_a_missing_member_is_explained_by_the_nearest() -> None:
    """The nearest free item and what it lacks are told."""
    found = compare_as_set([{"type": "Available", "status": "True"}], LIVE)
    assert "nearest is [1], 1 of 2 fields agree: .status: value mismatch" in str(found[0])


def test_something_else_than_a_list_is_a_difference() -> None:
    """A list is demanded by both."""
    assert "type mismatch" in str(compare_by_key([{"a": 1}], {}, "a")[0])
    assert "type mismatch" in str(compare_as_set([1], None)[0])


@pytest.mark.parametrize(
    ("minimum", "maximum", "wanted"),
    [(2, None, "at least 2"), (2, 2, "exactly 2"), (0, 0, "exactly 0"), (2, 3, "2 to 3")],
)
def test_a_count_out_of_bounds_is_told(minimum: int, maximum: int | None, wanted: str) -> None:
    """How many match, of how many, and what was wanted."""
    found = compare_count({"status": "True"}, LIVE, minimum=minimum, maximum=maximum)
    assert texts(found) == [f"1 of 2 match, wanted {wanted}"]


def test_a_count_within_bounds_holds() -> None:
    """Bounds are inclusive; without a maximum there is none."""
    assert compare_count({"status": "True"}, LIVE, minimum=1, maximum=1) == []
    assert compare_count({}, LIVE, minimum=1) == []


def test_all_must_match_and_each_that_does_not_is_told() -> None:
    """The place of each differing item stands in the path."""
    assert compare_all({"reason": "New"}, LIVE[:1]) == []
    assert [path_text(one.path) for one in compare_all({"status": "True"}, LIVE)] == ["[1].status"]


def test_all_of_nothing_is_a_difference() -> None:
    """A check over an empty list tests nothing, unless that is asked for."""
    assert texts(compare_all({}, [])) == ["there is nothing to match"]
    assert compare_all({}, [], some=False) == []
