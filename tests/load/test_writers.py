"""Writer threads against sessions that fail on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from harness.kit.errors import CheckError, HarnessError
from harness.load import Ledger, Outcome, SqlSession, WriteSession, writers
from harness.probes.sql import SqlError


class FakeServer:
    """Keeps what was written; `fail` may raise for the n-th write."""

    def __init__(self, fail: Callable[[int], None] = lambda number: None) -> None:
        self.written: list[str] = []
        self.opened = 0
        self.closed = 0
        self.seen = 0
        self.fail = fail
        self.lock = threading.Lock()
        self.enough = threading.Event()

    def open(self) -> WriteSession:
        with self.lock:
            self.opened += 1
        return FakeSession(self)


class FakeSession:
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def write(self, identity: str) -> None:
        with self.server.lock:
            self.server.seen += 1
            self.server.fail(self.server.seen)
            self.server.written.append(identity)
            if len(self.server.written) >= 20:
                self.server.enough.set()

    def close(self) -> None:
        with self.server.lock:
            self.server.closed += 1


def error(code: int, *, connected: bool) -> SqlError:
    return SqlError("INSERT", code=code, text="x", where="db", connected=connected)


def join_writers() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("writer-"):
            thread.join(10)


def test_what_was_acknowledged_was_written() -> None:
    """Ledger and server agree on every write, and each session is closed."""
    server, ledger = FakeServer(), Ledger()
    with writers(server.open, ledger, rate=2000, threads=3):
        assert server.enough.wait(10)
    assert sorted(write.id for write in ledger.writes) == sorted(server.written)
    assert {write.outcome for write in ledger.writes} == {Outcome.ACKED}
    assert (server.opened, server.closed) == (3, 3)


def test_nothing_is_written_after_the_block() -> None:
    """When the block ends the threads have ended, so an audit compares with a fixed state."""
    server, ledger = FakeServer(), Ledger()
    with writers(server.open, ledger, rate=2000):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writer-")]


def test_a_lost_connection_is_unknown_and_opened_again() -> None:
    """A write that lost its connection has an unknown outcome; the writer goes on with a new connection."""

    def fail(number: int) -> None:
        if number == 5:
            raise error(2013, connected=False)

    server, ledger = FakeServer(fail), Ledger()
    with writers(server.open, ledger, rate=2000, threads=1):
        assert server.enough.wait(10)
    summary = ledger.summary()
    assert (summary.unknown, summary.refused, server.opened, server.closed) == (1, 0, 2, 2)
    assert ledger.last_failure == "2013: x"


def test_connections_are_renewed() -> None:
    """With `renew`, a connection is given back after so many writes, so that newcomers get some too."""
    server, ledger = FakeServer(), Ledger()
    with writers(server.open, ledger, rate=2000, threads=1, renew=5):
        assert server.enough.wait(10)
    assert server.opened == server.closed >= 4
    assert ledger.summary().unknown == 0


def test_a_clean_refusal_is_refused() -> None:
    """A write that the server turned away, on a connection that lives on, certainly did not happen."""

    def fail(number: int) -> None:
        if number == 5:
            raise error(1047, connected=True)

    server, ledger = FakeServer(fail), Ledger()
    with writers(server.open, ledger, rate=2000, threads=1):
        assert server.enough.wait(10)
    assert ledger.summary().refused == 1


def test_connections_that_cannot_be_made_are_missed_not_written() -> None:
    """While nobody answers nothing is sent: no write is minted, and the writer tries again."""
    server, ledger = FakeServer(), Ledger()
    tries = iter([OSError("refused"), HarnessError("a port-forward", seen="pod is gone")])

    def open_session() -> WriteSession:
        for failure in tries:
            raise failure
        return server.open()

    with writers(open_session, ledger, rate=2000, threads=1):
        assert server.enough.wait(10)
    assert (ledger.summary().missed, ledger.summary().unknown) == (2, 0)


def test_a_load_that_never_flows_fails_with_the_reason() -> None:
    """When nothing is acknowledged in time the block never begins, and the error says why."""

    def open_session() -> WriteSession:
        raise OSError("connection refused")

    with (
        pytest.raises(CheckError, match="a first acknowledged write") as caught,
        writers(open_session, Ledger(), rate=2000, ready=0.05),
    ):
        pytest.fail("the block must not begin")
    assert caught.value.seen == "connection refused"


def test_a_bug_in_a_session_reaches_the_test() -> None:
    """An exception that is no failure of the server ends the thread and is raised where the block ends."""

    def fail(number: int) -> None:
        if number == 25:
            raise ZeroDivisionError

    server = FakeServer(fail)
    with pytest.raises(ZeroDivisionError), writers(server.open, Ledger(), rate=2000, threads=1):
        join_writers()


def test_the_blocks_own_error_is_not_hidden() -> None:
    """An error of the block passes through, and the threads are stopped all the same."""
    server = FakeServer()
    with pytest.raises(KeyboardInterrupt), writers(server.open, Ledger(), rate=2000):
        raise KeyboardInterrupt
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writer-")]


def test_a_sql_session_closes_what_carries_it() -> None:
    """Closing a session closes the connection first, then the port-forward that carried it."""
    order: list[str] = []

    class FakeConnection:
        def execute(self, statement: str, arguments: tuple[str, ...]) -> int:
            order.append(f"{statement} {arguments}")
            return 1

        def close(self) -> None:
            order.append("connection")

    class Path:
        def __enter__(self) -> Self:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            order.append("path")

    session = SqlSession(FakeConnection(), "t", Path())  # type: ignore[arg-type]  # a connection is a concrete class
    session.write("w1")
    session.close()
    assert order == ["INSERT INTO t (id) VALUES (%s) ('w1',)", "connection", "path"]
