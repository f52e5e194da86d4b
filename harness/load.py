"""Writes under load, with a ledger: what was acknowledged, refused or unknown, and what is there at the end.

Each write has an id of its own and is noted before it is sent, so an audit can name every id that was lost, written
twice, or is there though it was refused. Suites import it; how a write is sent is injected (`OpenSession`).
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from harness.kit.errors import CheckError, HarnessError
from harness.probes.sql import Connection, is_refusal

__all__ = [
    "Audit",
    "Ledger",
    "Member",
    "OpenSession",
    "Outcome",
    "SqlSession",
    "Summary",
    "Write",
    "WriteSession",
    "audit",
    "longest_gap",
    "table_statement",
    "writers",
]

_SHOWN = 5  # ids that a message names before it only counts
_JOIN_TIME = 45.0  # seconds that writers may take to stop: longer than one statement's limits together

Clock = Callable[[], float]


class Outcome(Enum):
    """What the writer knows about a write."""

    ACKED = "acked"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write: when it was sent and ended (seconds of the ledger's clock), and how."""

    id: str
    sent: float
    ended: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""


class WriteSession(Protocol):
    """A connection that writes; lost or refused writes raise."""

    def write(self, identity: str) -> None:
        """Write one id; return when it is acknowledged."""
        ...

    def close(self) -> None:
        """Give the connection back; never raise."""
        ...


OpenSession = Callable[[], WriteSession]


class Member(Protocol):
    """A server that is audited on its own."""

    @property
    def name(self) -> str:
        """The name in messages."""
        ...

    def rows(self, statement: str, arguments: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Return the rows of a query that sees all that was acknowledged anywhere before."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A ledger in figures.

    Attributes:
        missed: attempts to connect that failed; nothing was sent.
        longest_gap_ms: the longest time without an acknowledged write.
        gap_at: seconds after the start at which that time began.
        seconds: how long the load ran.
    """

    acked: int
    refused: int
    unknown: int
    missed: int
    longest_gap_ms: float
    gap_at: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.acked} acknowledged, {self.refused} refused, {self.unknown} unknown in {self.seconds:.1f} s; "
            f"longest gap {self.longest_gap_ms:.0f} ms (from +{self.gap_at:.1f} s); {self.missed} failed connections"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the members hold, against the ledger. Ids by member, but for what concerns all of them.

    Attributes:
        lost: acknowledged and not there.
        duplicated: there more than once.
        refused: there though the server had refused it.
        unminted: there though nobody wrote it.
        diverging: of unknown outcome and there on some members only.
        unknown_present: how many of unknown outcome are there; either is right.
    """

    lost: Mapping[str, Sequence[str]] = field(default_factory=dict)
    duplicated: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unminted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    diverging: Sequence[str] = ()
    unknown_present: int = 0

    def problems(self) -> list[str]:
        """Return a line for each thing that must not be; none when all is well."""
        verdicts = {
            "acknowledged but lost": self.lost,
            "there more than once": self.duplicated,
            "refused but there": self.refused,
            "there but never written": self.unminted,
        }
        lines = [
            f"{member}: {len(ids)} {verdict}: {_some(ids)}"
            for verdict, members in verdicts.items()
            for member, ids in members.items()
        ]
        if self.diverging:
            lines.append(f"{len(self.diverging)} on some members only: {_some(self.diverging)}")
        return lines


def audit(writes: Iterable[Write], found: Mapping[str, Mapping[str, int]]) -> Audit:
    """Compare a ledger with what each member holds.

    Args:
        writes: the ledger.
        found: by member, how often each id is there.
    """
    by_outcome: dict[Outcome, set[str]] = {outcome: set() for outcome in Outcome}
    for write in writes:
        by_outcome[write.outcome].add(write.id)
    minted = set().union(*by_outcome.values())
    unknown = by_outcome[Outcome.UNKNOWN]
    anywhere = {identity for rows in found.values() for identity in rows} & unknown
    everywhere = {identity for identity in anywhere if all(identity in rows for rows in found.values())}
    return Audit(
        lost=_by_member(found, lambda rows: by_outcome[Outcome.ACKED] - rows.keys()),
        duplicated=_by_member(found, lambda rows: {identity for identity, times in rows.items() if times > 1}),
        refused=_by_member(found, lambda rows: by_outcome[Outcome.REFUSED] & rows.keys()),
        unminted=_by_member(found, lambda rows: rows.keys() - minted),
        diverging=sorted(anywhere - everywhere),
        unknown_present=len(everywhere),
    )


def longest_gap(moments: Iterable[float], *, start: float, end: float) -> tuple[float, float]:
    """Return the longest time without a moment, and when it began, both in the unit of the arguments.

    Args:
        moments: when something succeeded.
        start: when the watch began; the time until the first moment counts.
        end: when it ended; the time since the last moment counts.
    """
    edges = [start, *sorted(moment for moment in moments if start <= moment <= end), end]
    gaps = [(after - before, before) for before, after in itertools.pairwise(edges)]
    return max(gaps, key=lambda gap: gap[0])


class Ledger:
    """What the writers of one load did; any thread may write to it.

    Args:
        journal: a file that gets a line before each write is sent and one when it ended, for a look after a crash.
        clock: a monotonic clock in seconds.
        database: where the ledger's table is.
    """

    def __init__(self, journal: Path | None = None, clock: Clock = time.monotonic, *, database: str = "") -> None:
        self.token = secrets.token_hex(4)
        self.table = f"{database}.ledger_{self.token}" if database else f"ledger_{self.token}"
        self._clock = clock
        self._lock = threading.Lock()
        self._writes: dict[str, Write] = {}
        self._journal = journal.open("a", encoding="utf-8") if journal else None
        self._missed: list[str] = []
        self._started = self._ended = clock()
        self._running = False
        self.flowing = threading.Event()

    def start(self) -> None:
        """Begin to count the time."""
        self._started, self._running = self._clock(), True

    def stop(self) -> None:
        """End the time, and the journal."""
        self._ended, self._running = self._clock(), False
        if self._journal:
            self._journal.close()

    def begin(self, writer: int) -> str:
        """Mint an id and note it, before anything is sent."""
        with self._lock:
            identity = f"{self.token}-{writer}-{len(self._writes)}"
            self._writes[identity] = Write(id=identity, sent=self._clock())
            self._note({"begin": identity})
        return identity

    def end(self, identity: str, outcome: Outcome, reason: str = "") -> None:
        """Note how a write ended."""
        with self._lock:
            sent = self._writes[identity].sent
            self._writes[identity] = Write(id=identity, sent=sent, ended=self._clock(), outcome=outcome, reason=reason)
            self._note({"end": identity, "outcome": outcome.value, **({"reason": reason} if reason else {})})
        if outcome is Outcome.ACKED:
            self.flowing.set()

    def missed(self, reason: str) -> None:
        """Note that no connection could be made."""
        with self._lock:
            self._missed.append(reason)
            self._note({"missed": reason})

    @property
    def writes(self) -> list[Write]:
        """All writes so far, in the order of their ids' minting."""
        with self._lock:
            return list(self._writes.values())

    @property
    def last_failure(self) -> str:
        """The newest reason of a failure, for messages."""
        reasons = [write.reason for write in self.writes if write.reason]
        return (self._missed or reasons or [""])[-1]

    @property
    def longest_gap_ms(self) -> float:
        """The longest time without an acknowledged write, in milliseconds."""
        return self.summary().longest_gap_ms

    def summary(self) -> Summary:
        """Return the figures; while the load runs, those until now."""
        writes, end = self.writes, self._clock() if self._running else self._ended
        acked = [write.ended for write in writes if write.outcome is Outcome.ACKED and write.ended is not None]
        gap, began = longest_gap(acked, start=self._started, end=max(end, self._started))
        count = {outcome: sum(write.outcome is outcome for write in writes) for outcome in Outcome}
        return Summary(
            acked=count[Outcome.ACKED],
            refused=count[Outcome.REFUSED],
            unknown=count[Outcome.UNKNOWN],
            missed=len(self._missed),
            longest_gap_ms=gap * 1000,
            gap_at=began - self._started,
            seconds=end - self._started,
        )

    def verify(self, members: Sequence[Member]) -> Audit:
        """Read every member and hold it against the ledger.

        Args:
            members: all servers that should have all writes.

        Raises:
            CheckError: a write is lost, there twice, there though refused or never written, or not on all members;
                or the load never wrote anything, which would prove nothing.
        """
        wanted = "every acknowledged write on every member exactly once, no refused one anywhere"
        summary = self.summary()
        if not members or not summary.acked:
            seen = f"{len(members)} members, {summary}"
            raise CheckError(wanted, seen=f"nothing to compare: {seen}\n{self.last_failure}".rstrip())
        found = {member.name: self._counts(member) for member in members}
        result = audit(self.writes, found)
        if problems := result.problems():
            raise CheckError(wanted, seen="\n".join([*problems, str(summary)]), where=f"table {self.table}")
        return result

    def _counts(self, member: Member) -> dict[str, int]:
        rows = member.rows(f"SELECT id, COUNT(*) FROM {self.table} GROUP BY id")  # noqa: S608 - the name is our own
        return {str(identity): int(times) for identity, times in rows}

    def _note(self, entry: dict[str, Any]) -> None:
        if self._journal:
            self._journal.write(json.dumps({"at": round(self._clock() - self._started, 4), **entry}) + "\n")
            self._journal.flush()


def table_statement(table: str) -> str:
    """Return the statement that makes a ledger's table; the id is no key, so that writing it twice can be seen."""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (n BIGINT AUTO_INCREMENT PRIMARY KEY, id VARCHAR(64) NOT NULL, KEY (id))"
        " ENGINE=InnoDB"
    )


class SqlSession:
    """A writer's SQL connection.

    Args:
        connection: writes; closed with the session.
        table: the ledger's table.
        path: what carries the connection, a port-forward for instance; closed with the session.
    """

    def __init__(self, connection: Connection, table: str, path: AbstractContextManager[object] | None = None) -> None:
        self._connection = connection
        self._statement = f"INSERT INTO {table} (id) VALUES (%s)"  # noqa: S608 - the name is our own
        self._path = path

    def write(self, identity: str) -> None:
        """Insert one row, in a transaction of its own."""
        self._connection.execute(self._statement, (identity,))

    def close(self) -> None:
        """Close the connection and what carries it."""
        self._connection.close()
        if self._path is not None:
            self._path.__exit__(None, None, None)


@contextmanager
def writers(
    open_session: OpenSession,
    ledger: Ledger,
    *,
    rate: float,
    threads: int = 2,
    renew: int = 0,
    ready: float = 30.0,
    refused: Callable[[Exception], bool] = is_refusal,
) -> Iterator[Ledger]:
    """Write in the background while the block runs; the load flows when the block begins, and has ended after it.

    Args:
        open_session: opens a connection; called again whenever one fails.
        ledger: gets every write.
        rate: writes in a second, all threads together.
        threads: connections at the same time.
        renew: writes after which a connection is replaced, so that new members get some too; 0 keeps it.
        ready: seconds until the first write must be acknowledged.
        refused: tells whether a failed write certainly had no effect.

    Raises:
        CheckError: nothing was acknowledged in time; HarnessError: a writer did not stop.
    """
    pool = _Pool(open_session, ledger, period=threads / rate, threads=threads, renew=renew, refused=refused)
    with pool:
        if not ledger.flowing.wait(ready):
            raise CheckError(f"a first acknowledged write within {ready:g} s", seen=ledger.last_failure or "no answer")
        yield ledger


class _Pool:
    """The writer threads."""

    def __init__(
        self,
        open_session: OpenSession,
        ledger: Ledger,
        *,
        period: float,
        threads: int,
        renew: int,
        refused: Callable[[Exception], bool],
    ) -> None:
        self._open = open_session
        self._ledger = ledger
        self._period = period
        self._renew = renew
        self._refused = refused
        self._stop = threading.Event()
        self._bugs: list[BaseException] = []
        names = [f"writer-{number}" for number in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=name, daemon=True)
            for number, name in enumerate(names)
        ]

    def __enter__(self) -> Self:
        self._ledger.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        deadline = time.monotonic() + _JOIN_TIME
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._ledger.stop()
        late = [thread.name for thread in self._threads if thread.is_alive()]
        if error is not None:
            return  # the first error is the one that counts
        if self._bugs:
            raise self._bugs[0]
        if late:
            raise HarnessError(f"writers that stop within {_JOIN_TIME:g} s", seen=f"still writing: {', '.join(late)}")

    def _run(self, number: int) -> None:
        try:
            self._write_until_stopped(number)
        except Exception as error:  # noqa: BLE001 - a bug in a thread must reach the test
            self._bugs.append(error)

    def _write_until_stopped(self, number: int) -> None:
        session: WriteSession | None = None
        due, writes = time.monotonic(), 0
        try:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due = max(due, time.monotonic() - self._period) + self._period
                if session is None:
                    session, writes = self._opened(), 0
                if session is None:
                    continue
                writes += 1
                if not self._written(session, number) or writes == self._renew:
                    session.close()
                    session = None
        finally:
            if session is not None:
                session.close()

    def _opened(self) -> WriteSession | None:
        try:
            return self._open()
        except (HarnessError, OSError) as error:
            self._ledger.missed(_line(error))
            return None

    def _written(self, session: WriteSession, number: int) -> bool:
        """Write once; tell whether the session is still good."""
        identity = self._ledger.begin(number)
        try:
            session.write(identity)
        except (HarnessError, OSError) as error:
            outcome = Outcome.REFUSED if self._refused(error) else Outcome.UNKNOWN
            self._ledger.end(identity, outcome, _line(error))
            return False
        self._ledger.end(identity, Outcome.ACKED)
        return True


def _by_member(
    found: Mapping[str, Mapping[str, int]], pick: Callable[[Mapping[str, int]], Iterable[str]]
) -> dict[str, list[str]]:
    picked = {member: sorted(pick(rows)) for member, rows in found.items()}
    return {member: ids for member, ids in picked.items() if ids}


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    return f"{shown} and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else shown


def _line(error: Exception) -> str:
    seen = getattr(error, "seen", "") or str(error) or type(error).__name__
    return " ".join(str(seen).split())
