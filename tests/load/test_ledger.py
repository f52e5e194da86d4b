"""The ledger and its audit: every verdict, on made-up histories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.kit.errors import CheckError
from harness.load import Ledger, Outcome, Write, audit, longest_gap, table_statement


class Clock:
    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


class FakeMember:
    def __init__(self, name: str, ids: Mapping[str, int]) -> None:
        self.name = name
        self.ids = ids
        self.asked: list[str] = []

    def rows(self, statement: str, arguments: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        self.asked.append(statement)
        return list(self.ids.items())


def write(identity: str, outcome: Outcome) -> Write:
    return Write(id=identity, sent=0.0, outcome=outcome)


WRITES = [write("a", Outcome.ACKED), write("r", Outcome.REFUSED), write("u", Outcome.UNKNOWN)]
BOTH = ("m0", "m1")


def members(**ids: int) -> dict[str, dict[str, int]]:
    return {name: dict(ids) for name in BOTH}


@pytest.mark.parametrize("present", [{"a": 1}, {"a": 1, "u": 1}])
def test_a_clean_history_has_no_problem(present: dict[str, int]) -> None:
    """Acknowledged writes are there, refused ones are not; an unknown one may be there or not."""
    result = audit(WRITES, members(**present))
    assert result.problems() == []
    assert result.unknown_present == len(present) - 1


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"m0": {"a": 1}, "m1": {}}, "m1: 1 acknowledged but lost: a"),
        ({"m0": {"a": 2}, "m1": {"a": 1}}, "m0: 1 there more than once: a"),
        ({"m0": {"a": 1, "r": 1}, "m1": {"a": 1}}, "m0: 1 refused but there: r"),
        ({"m0": {"a": 1, "x": 1}, "m1": {"a": 1}}, "m0: 1 there but never written: x"),
        ({"m0": {"a": 1, "u": 1}, "m1": {"a": 1}}, "1 on some members only: u"),
        ({"m0": {"a": 1, "u": 2}, "m1": {"a": 1, "u": 1}}, "m0: 1 there more than once: u"),
    ],
)
def test_each_fault_has_its_verdict(found: dict[str, dict[str, int]], verdict: str) -> None:
    """A lost, doubled, refused, foreign or diverging write is named with its member."""
    assert audit(WRITES, found).problems() == [verdict]


def test_many_ids_are_counted_and_some_named() -> None:
    """A message names the first ids and counts the rest."""
    writes = [write(f"w{number}", Outcome.ACKED) for number in range(9)]
    (line,) = audit(writes, {"m0": {}}).problems()
    assert line == "m0: 9 acknowledged but lost: w0, w1, w2, w3, w4 and 4 more"


@pytest.mark.parametrize(
    ("moments", "gap"),
    [
        ([], (10.0, 0.0)),
        ([1, 2, 3, 9], (6.0, 3.0)),
        ([4, 5], (5.0, 5.0)),
        ([8, 9], (8.0, 0.0)),
        ([-5, 5, 20], (5.0, 0.0)),
    ],
)
def test_the_longest_gap_counts_both_ends(moments: list[float], gap: tuple[float, float]) -> None:
    """The time before the first and after the last success counts; moments outside do not."""
    assert longest_gap(moments, start=0.0, end=10.0) == gap


def ledger_with(clock: Clock, *outcomes: Outcome | None, journal: Path | None = None) -> Ledger:
    ledger = Ledger(journal, clock)
    ledger.start()
    for outcome in outcomes:
        clock.now += 1
        identity = ledger.begin(0)
        if outcome is not None:
            ledger.end(identity, outcome, "" if outcome is Outcome.ACKED else "2013: lost")
    clock.now += 2
    ledger.stop()
    return ledger


def test_figures_count_each_outcome_and_the_longest_gap() -> None:
    """A write that never ended is unknown; the gap is given in milliseconds with its start."""
    ledger = ledger_with(Clock(), Outcome.ACKED, None, Outcome.REFUSED, Outcome.ACKED, Outcome.UNKNOWN)
    ledger.missed("2003: refused")
    summary = ledger.summary()
    assert (summary.acked, summary.refused, summary.unknown, summary.missed) == (2, 1, 2, 1)
    assert (summary.longest_gap_ms, summary.gap_at, summary.seconds) == (3000.0, 1.0, 7.0)
    assert ledger.longest_gap_ms == 3000.0
    assert str(summary).startswith("2 acknowledged, 1 refused, 2 unknown in 7.0 s; longest gap 3000 ms (from +1.0 s)")


def test_the_journal_has_a_write_before_it_is_sent(tmp_path: Path) -> None:
    """Each line is on disk when the step it tells of begins, so a killed run leaves what it knew."""
    path = tmp_path / "journal"
    ledger = Ledger(path, Clock())
    ledger.start()
    identity = ledger.begin(3)
    assert json.loads(path.read_text()) == {"at": 0.0, "begin": identity}
    ledger.end(identity, Outcome.UNKNOWN, "2013: lost")
    ledger.missed("2003: refused")
    ledger.stop()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[1:] == [
        {"at": 0.0, "end": identity, "outcome": "unknown", "reason": "2013: lost"},
        {"at": 0.0, "missed": "2003: refused"},
    ]


def test_verify_reads_the_ledgers_own_table_on_every_member() -> None:
    """Each member is asked for its own counts, of the table that this ledger alone writes."""
    ledger = ledger_with(Clock(), Outcome.ACKED)
    found = [FakeMember(name, {ledger.writes[0].id: 1}) for name in BOTH]
    assert ledger.verify(found).problems() == []
    assert all(ledger.table in member.asked[0] for member in found)
    assert ledger.table in table_statement(ledger.table)
    assert Ledger(database="d").table.startswith("d.ledger_")


def test_verify_names_what_is_wrong_and_where() -> None:
    """The error has a line for each fault, the figures, and the table to look into."""
    ledger = ledger_with(Clock(), Outcome.ACKED)
    with pytest.raises(CheckError) as caught:
        ledger.verify([FakeMember("m0", {ledger.writes[0].id: 1}), FakeMember("m1", {})])
    assert caught.value.seen.startswith("m1: 1 acknowledged but lost: ")
    assert "longest gap" in caught.value.seen
    assert caught.value.where == f"table {ledger.table}"


@pytest.mark.parametrize(("outcomes", "names"), [([Outcome.UNKNOWN], ["m0"]), ([], ["m0"]), ([Outcome.ACKED], [])])
def test_an_empty_comparison_is_no_success(outcomes: list[Outcome], names: list[str]) -> None:
    """A load that wrote nothing, or an audit of no member, proves nothing and fails."""
    ledger = ledger_with(Clock(), *outcomes)
    with pytest.raises(CheckError, match="every acknowledged write") as caught:
        ledger.verify([FakeMember(name, {}) for name in names])
    assert "nothing to compare" in caught.value.seen
