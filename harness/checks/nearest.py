"""The nearest candidate: of the objects or items that all do not match, the one that the author most likely meant.

Suites and fixtures import it to explain a failed assertion over a list or a selector.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.checks.subset import Difference, compare

__all__ = ["Candidate", "nearest", "nearest_name", "ranked"]

_IDENTITY = (("metadata", "name"), ("name",), ("type",), ("key",), ("id",))  # fields that say which one is meant
_COMPARED = 500  # candidates looked at closely; the rest would not be read by anybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One value that was compared.

    Attributes:
        index: its place in the given sequence.
        value: the value itself.
        differences: what keeps it from matching, sorted by path; empty when it matches.
        missing: how many leaves of the expected value it does not have, of `leaves`.
        leaves: how many leaves the expected value has.
    """

    index: int
    value: Any
    differences: tuple[Difference, ...]
    missing: int
    leaves: int

    @property
    def closeness(self) -> str:
        """How close it came, in words: 4 of 5 fields agree."""
        return f"{self.leaves - self.missing} of {self.leaves} fields agree"


def nearest(expected: Any, candidates: Sequence[Any]) -> Candidate | None:
    """Return the candidate that lacks the fewest leaves of the expected value; None when there is none.

    Between equals the one with the likest name wins, then the first.
    """
    order = ranked(expected, candidates)
    return order[0] if order else None


def ranked(expected: Any, candidates: Sequence[Any]) -> list[Candidate]:
    """Return the candidates, the nearest first; of very many only the first 500 are looked at."""
    leaves = _leaves(expected)
    found = [_candidate(expected, index, value, leaves) for index, value in enumerate(candidates[:_COMPARED])]
    return sorted(found, key=lambda one: (one.missing, -_likeness(expected, one.value), one.index))


def nearest_name(name: str, names: Iterable[str]) -> str:
    """Return the likest of some names, or an empty text when none is like it."""
    found = difflib.get_close_matches(name, list(names), n=1)
    return found[0] if found else ""


def _candidate(expected: Any, index: int, value: Any, leaves: int) -> Candidate:
    differences = tuple(compare(expected, value))
    lost = min(leaves, sum(_leaves(one.wanted) for one in differences))
    return Candidate(index=index, value=value, differences=differences, missing=lost, leaves=leaves)


def _leaves(value: Any) -> int:
    if isinstance(value, dict) and value:
        return sum(map(_leaves, value.values()))
    if isinstance(value, list) and value:
        return sum(map(_leaves, value))
    return 1


def _likeness(expected: Any, value: Any) -> float:
    """Return how like the identities of two values are, from 0 to 1."""
    for path in _IDENTITY:
        wanted, seen = _text_at(expected, path), _text_at(value, path)
        if wanted and seen:
            return difflib.SequenceMatcher(None, wanted, seen).ratio()
    return 0.0


def _text_at(value: Any, path: tuple[str, ...]) -> str:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
