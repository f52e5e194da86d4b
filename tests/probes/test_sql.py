"""SQL connections: what errors tell, which thread gets which connection; the driver is replaced at its one function."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any, Self

import pymysql
import pytest

from harness.probes.sql import Address, ConnectError, Login, Sql, SqlError, TimeLimits, connect, is_refusal

LOGIN = Login(user="root", password="s3cret", database="d")
ADDRESS = Address("127.0.0.1", 3306)


class FakeDriver:
    """Stands in for pymysql.connect; `answers` are rows, counts or errors, in order."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.statements: list[tuple[str, Any]] = []
        self.answers: list[Any] = []
        self.refuse: Exception | None = None

    def __call__(self, **arguments: Any) -> FakeRaw:
        self.calls.append(arguments)
        if self.refuse is not None:
            raise self.refuse
        return FakeRaw(self)


class FakeRaw:
    def __init__(self, driver: FakeDriver) -> None:
        self.driver = driver
        self.open = True
        self.rows: list[tuple[Any, ...]] = []

    def cursor(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, statement: str, arguments: Any) -> int:
        self.driver.statements.append((statement, arguments))
        answer = self.driver.answers.pop(0) if self.driver.answers else []
        if isinstance(answer, Exception):
            self.open = answer.args[0] < 2000
            raise answer
        self.rows = answer if isinstance(answer, list) else []
        return len(answer) if isinstance(answer, list) else answer

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def close(self) -> None:
        self.open = False


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    fake = FakeDriver()
    monkeypatch.setattr(pymysql, "connect", fake)
    return fake


def sql(driver: FakeDriver, **arguments: Any) -> Sql:
    return Sql(lambda: ADDRESS, LOGIN, name="node-0", **arguments)


def test_every_connection_has_time_limits(driver: FakeDriver) -> None:
    """Connecting, reading and writing end by themselves; statements commit by themselves."""
    connect(ADDRESS, LOGIN, limits=TimeLimits(connect=1, read=2, write=3)).close()
    call = driver.calls[0]
    assert (call["connect_timeout"], call["read_timeout"], call["write_timeout"]) == (1, 2, 3)
    assert call["autocommit"] is True
    assert (call["host"], call["port"], call["database"]) == ("127.0.0.1", 3306, "d")


def test_rows_values_and_pairs(driver: FakeDriver) -> None:
    """A query gives rows, one value, or names with texts; a statement gives the number of rows it touched."""
    asked = sql(driver)
    driver.answers = [[(1, "a")], [(3,)], [("wsrep_ready", "ON"), ("wsrep_cluster_size", 3)], 2]
    assert asked.rows("SELECT 1") == [(1, "a")]
    assert asked.value("SELECT 3") == 3
    assert asked.pairs("SHOW STATUS") == {"wsrep_ready": "ON", "wsrep_cluster_size": "3"}
    assert asked.execute("DELETE FROM t WHERE id = %s", ("x",)) == 2
    assert driver.statements[-1] == ("DELETE FROM t WHERE id = %s", ("x",))
    assert len(driver.calls) == 1


def test_a_value_is_exactly_one_row(driver: FakeDriver) -> None:
    """No row where one was expected is an error, not None."""
    with pytest.raises(SqlError, match="SELECT @@x") as caught:
        sql(driver).value("SELECT @@x")
    assert caught.value.seen == "one row was expected, not 0"


def test_a_refused_statement_says_what_and_where(driver: FakeDriver) -> None:
    """The error has the statement, the server's number and text, and the server; the connection lives on."""
    driver.answers = [pymysql.err.OperationalError(1047, "WSREP has not yet prepared node"), [(1,)]]
    asked = sql(driver)
    with pytest.raises(SqlError) as caught:
        asked.rows("SELECT  *\n FROM t")
    assert (caught.value.wanted, caught.value.code, caught.value.connected) == ("SELECT * FROM t", 1047, True)
    assert caught.value.seen == "1047: WSREP has not yet prepared node"
    assert caught.value.where == "node-0 (127.0.0.1:3306)"
    asked.rows("SELECT 1")
    assert len(driver.calls) == 1


LOST = pymysql.err.OperationalError(2013, "Lost connection")


def test_a_lost_connection_is_opened_again_by_the_next_question(driver: FakeDriver) -> None:
    """The question that lost it fails; the next one connects, and prepares the connection, anew."""
    driver.answers = [0, LOST, 0, [(1,)]]
    asked = sql(driver, prepare=["SET SESSION wsrep_sync_wait = 7"])
    with pytest.raises(SqlError) as caught:
        asked.rows("SELECT 1")
    assert not caught.value.connected
    assert asked.rows("SELECT 1") == [(1,)]
    assert [statement for statement, _ in driver.statements].count("SET SESSION wsrep_sync_wait = 7") == 2


def test_a_query_survives_a_connection_that_was_lost_meanwhile(driver: FakeDriver) -> None:
    """A query on a connection that was good before is asked once more on a new one, and only once."""
    driver.answers = [[(1,)], LOST, [(2,)], LOST, LOST]
    asked = sql(driver)
    asked.rows("SELECT 1")
    assert asked.rows("SELECT 2") == [(2,)]
    with pytest.raises(SqlError):
        asked.rows("SELECT 3")
    assert len(driver.calls) == 3


def test_a_statement_is_never_repeated(driver: FakeDriver) -> None:
    """A statement on a lost connection fails: nobody knows whether it had its effect."""
    driver.answers = [[(1,)], LOST]
    asked = sql(driver)
    asked.rows("SELECT 1")
    with pytest.raises(SqlError):
        asked.execute("INSERT INTO t VALUES (1)")
    assert len(driver.statements) == 2


def test_a_login_that_fails_never_shows_the_password(driver: FakeDriver) -> None:
    """Neither the error of a refused login nor the login itself prints the password."""
    driver.refuse = pymysql.err.OperationalError(1045, "denied for s3cret")
    with pytest.raises(ConnectError, match="a connection as root") as caught:
        connect(ADDRESS, LOGIN)
    assert "s3cret" not in f"{caught.value}{LOGIN!r}{caught.value.text}"


def test_nobody_listening_is_a_connection_error() -> None:
    """With the real driver: a closed port is a ConnectError that names the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConnectError) as caught:
            connect(address, LOGIN, limits=TimeLimits(connect=1))
    assert caught.value.where == str(address)


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_silent_server_ends_at_the_time_limit(silent_port: int) -> None:
    """With the real driver: a server that accepts and says nothing is given up, not waited for for ever."""
    with pytest.raises(ConnectError):
        connect(Address("127.0.0.1", silent_port), LOGIN, limits=TimeLimits(connect=0.2, read=0.2, write=0.2))


def test_each_thread_has_its_own_connection(driver: FakeDriver) -> None:
    """Two threads never share a connection; closing closes both."""
    asked = sql(driver)
    asked.rows("SELECT 1")
    thread = threading.Thread(target=asked.rows, args=("SELECT 1",))
    thread.start()
    thread.join()
    assert len(driver.calls) == 2
    asked.close()
    asked.rows("SELECT 1")
    assert len(driver.calls) == 3


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (SqlError("x", code=1047, text="", where="", connected=True), True),
        (SqlError("x", code=1205, text="", where="", connected=True), True),
        (SqlError("x", code=1047, text="", where="", connected=False), False),
        (SqlError("x", code=1213, text="", where="", connected=True), False),
        (SqlError("x", code=1053, text="", where="", connected=True), False),
        (SqlError("x", code=2013, text="", where="", connected=False), False),
        (ConnectError("x", code=2003, text="", where="", connected=False), True),
        (OSError("reset"), False),
    ],
)
def test_only_a_clean_answer_is_a_refusal(error: Exception, refused: bool) -> None:
    """A write was refused for certain only by an answer on a living connection, or without any connection."""
    assert is_refusal(error) is refused
