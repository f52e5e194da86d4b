"""Lists in other ways than kuttl's "same length, same order": by key, as a set, how many, all of them.

Suites and fixtures import it for what a kuttl assert cannot say; items are compared by the rules of checks.subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.checks.nearest import nearest
from harness.checks.paths import MISSING, Key, Path
from harness.checks.subset import Difference, compare, matches
from harness.kit.errors import UsageError

__all__ = ["compare_all", "compare_as_set", "compare_by_key", "compare_count"]


def compare_by_key(
    expected: Sequence[Any], actual: Any, key: str, *, exact: bool = False, path: Path = ()
) -> list[Difference]:
    """Return the differences of a list whose items are matched by a field, whatever their order.

    Args:
        expected: mappings that each have the field.
        actual: the live list.
        key: the field, e.g. "name" for containers, "type" for conditions.
        exact: further items in the live list are differences too.
        path: where the list stands.

    Raises:
        UsageError: an expected item lacks the field.
    """
    if not isinstance(actual, list):
        return compare(list(expected), actual, path)
    found: list[Difference] = []
    wanted = [_key_of(item, key, index) for index, item in enumerate(expected)]
    for value, item in zip(wanted, expected, strict=True):
        places = [one for one in actual if isinstance(one, dict) and _same(one.get(key, MISSING), value)]
        found += _best(item, places, (*path, Key(key, value)))
    if exact:
        found += [
            Difference(path=(*path, index), wanted=MISSING, seen=one, reason=f"no item with this {key} was expected")
            for index, one in enumerate(actual)
            if not (isinstance(one, dict) and any(_same(one.get(key, MISSING), value) for value in wanted))
        ]
    return found


def compare_as_set(expected: Sequence[Any], actual: Any, *, exact: bool = False, path: Path = ()) -> list[Difference]:
    """Return the differences of a list whose order does not count; each live item stands for one expected item at most.

    Args:
        expected: items, each matched as a subset by an item of its own.
        actual: the live list.
        exact: the live list may hold nothing else.
        path: where the list stands.
    """
    if not isinstance(actual, list):
        return compare(list(expected), actual, path)
    taken = _assigned(expected, actual)
    free = [index for index in range(len(actual)) if index not in taken.values()]
    found: list[Difference] = []
    for index, item in enumerate(expected):
        if index not in taken:
            near = nearest(item, [actual[one] for one in free])
            seen = near.value if near else MISSING
            reason = f"no item of the list matches expected item {index + 1}"
            if near and near.differences:
                reason += f"; nearest is [{free[near.index]}], {near.closeness}: {near.differences[0]}"
            found.append(Difference(path=path, wanted=item, seen=seen, reason=reason))
    if exact:
        found += [
            Difference(path=(*path, index), wanted=MISSING, seen=actual[index], reason="this item was not expected")
            for index in free
        ]
    return found


def compare_count(
    expected: Any, values: Sequence[Any], *, minimum: int = 0, maximum: int | None = None, path: Path = ()
) -> list[Difference]:
    """Return one difference when the number of values that match is out of bounds, else none.

    Args:
        expected: what a value must contain to count.
        values: items of a list, or objects under a selector.
        minimum: the fewest.
        maximum: the most; None for no bound.
        path: where the list stands.
    """
    count = sum(matches(expected, value) for value in values)
    if count >= minimum and (maximum is None or count <= maximum):
        return []
    wanted = _bounds(minimum, maximum)
    return [Difference(path=path, wanted=wanted, seen=count, reason=f"{count} of {len(values)} match, wanted {wanted}")]


def compare_all(expected: Any, values: Sequence[Any], *, some: bool = True, path: Path = ()) -> list[Difference]:
    """Return the differences of every value that does not match, each under its place in the list.

    Args:
        expected: what each value must contain.
        values: items of a list, or objects under a selector.
        some: an empty list is a difference too, since "all of nothing" tests nothing.
        path: where the list stands.
    """
    if some and not values:
        return [Difference(path=path, wanted=expected, seen=MISSING, reason="there is nothing to match")]
    return [one for index, value in enumerate(values) for one in compare(expected, value, (*path, index))]


def _best(item: Any, places: list[Any], path: Path) -> list[Difference]:
    near = nearest(item, places)
    if near is None:
        return [Difference(path=path, wanted=item, seen=MISSING, reason="no item has this key")]
    return compare(item, near.value, path)


def _key_of(item: Any, key: str, index: int) -> Any:
    if not isinstance(item, dict) or key not in item:
        exists = sorted(item) if isinstance(item, dict) else ()
        raise UsageError(
            f'the field "{key}" in every expected item', seen=f"missing in item {index + 1}", exists=exists
        )
    return item[key]


def _same(one: Any, other: Any) -> bool:
    return one is not MISSING and matches(other, one)


def _assigned(expected: Sequence[Any], actual: list[Any]) -> dict[int, int]:
    """Return which live item each expected item takes, as many as possible (augmenting paths)."""
    fits = [[place for place, value in enumerate(actual) if matches(item, value)] for item in expected]
    taken_by: dict[int, int] = {}

    def place_item(index: int, tried: set[int]) -> bool:
        for place in fits[index]:
            if place not in tried:
                tried.add(place)
                if place not in taken_by or place_item(taken_by[place], tried):
                    taken_by[place] = index
                    return True
        return False

    for index in range(len(expected)):
        place_item(index, set())
    return {index: place for place, index in taken_by.items()}


def _bounds(minimum: int, maximum: int | None) -> str:
    if maximum is None:
        return f"at least {minimum}"
    if minimum == maximum:
        return f"exactly {minimum}"
    return f"{minimum} to {maximum}" if minimum else f"at most {maximum}"
