"""SQL from outside a server: connections with time limits, one for each thread, and errors without passwords.

The only importer of `pymysql`, which is loaded when a connection is made. Suites and `harness.load` import it. What a
failed statement says about its effect (refused for certain, or unknown) is decided here, in `is_refusal`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from harness.kit.errors import HarnessError

if TYPE_CHECKING:
    import pymysql

__all__ = ["Address", "ConnectError", "Connection", "Login", "Sql", "SqlError", "TimeLimits", "connect", "is_refusal"]

T = TypeVar("T")
Row = tuple[Any, ...]
Arguments = Sequence[Any]

_SHOWN = 160  # characters of a statement that an error repeats

# Statements that the server refused before they had any effect, while the connection lived on (MariaDB error codes).
# 1213 is not among them: at commit, while the group loses a member, a transaction so reported may have been applied.
_REFUSALS = frozenset(
    {
        1020,  # the row changed since it was read
        1044,  # no right to the database
        1047,  # the node is not prepared for use: not in the primary component
        1049,  # no such database
        1054,  # no such column
        1062,  # duplicate key
        1064,  # syntax
        1142,  # no right to the table
        1146,  # no such table
        1205,  # lock wait ended
        1290,  # read only
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account; its password is in no text of this class."""

    user: str
    password: str = field(repr=False)
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Seconds that connecting, one answer and one request may take."""

    connect: float = 5.0
    read: float = 15.0
    write: float = 15.0


class SqlError(HarnessError):
    """A connection or a statement failed.

    Args:
        wanted: what was tried.
        code: the server's or the client's error number; 0 when there is none.
        text: the message, without passwords.
        where: the server's name and address.
        connected: whether the connection lived on.
    """

    def __init__(self, wanted: str, *, code: int, text: str, where: str, connected: bool) -> None:
        super().__init__(wanted, seen=f"{code}: {text}" if code else text, where=where)
        self.code = code
        self.text = text
        self.connected = connected


class ConnectError(SqlError):
    """No connection could be made: no statement was sent."""


def is_refusal(error: Exception) -> bool:
    """Tell whether a failed statement certainly had no effect.

    Only a clean answer of the server on a connection that lives on counts, and a connection that was never made;
    everything else may have happened. Source: the classes of a write journal, Galera's errors at commit included.
    """
    if not isinstance(error, SqlError):
        return False
    return isinstance(error, ConnectError) or (error.connected and error.code in _REFUSALS)


class Connection:
    """One connection; used by one thread at a time. Statements commit by themselves.

    Args:
        raw: the driver's connection.
        where: the server's name and address, for messages.
    """

    def __init__(self, raw: pymysql.connections.Connection[Any], where: str) -> None:
        self._raw = raw
        self.where = where

    @property
    def alive(self) -> bool:
        """Whether the connection is still open on this side."""
        return bool(self._raw.open)

    def rows(self, statement: str, arguments: Arguments = ()) -> list[Row]:
        """Return the rows of a query.

        Raises:
            SqlError: refused, or the connection was lost.
        """
        with self._raw.cursor() as cursor:
            self._run(cursor, statement, arguments)
            return list(cursor.fetchall())

    def execute(self, statement: str, arguments: Arguments = ()) -> int:
        """Run a statement and return how many rows it touched.

        Raises:
            SqlError: refused, or the connection was lost.
        """
        with self._raw.cursor() as cursor:
            return self._run(cursor, statement, arguments)

    def close(self) -> None:
        """Close the connection; a lost one is no error."""
        if self._raw.open:
            try:
                self._raw.close()
            except _driver_errors():
                return

    def _run(self, cursor: Any, statement: str, arguments: Arguments) -> int:
        try:
            return int(cursor.execute(statement, tuple(arguments) or None))
        except _driver_errors() as error:
            code, text = _parts(error)
            shown = " ".join(statement.split())[:_SHOWN]
            lives = self.alive and code < 2000  # noqa: PLR2004 - the client's own numbers begin at 2000
            raise SqlError(shown, code=code, text=text, where=self.where, connected=lives and code > 0) from None


def connect(address: Address, login: Login, *, limits: TimeLimits | None = None, name: str = "") -> Connection:
    """Open a connection.

    Args:
        address: where the server listens.
        login: the account.
        limits: seconds for connecting, reading and writing.
        name: the server's name, for messages.

    Raises:
        SqlError: nobody answers, or the login is refused; without the password.
    """
    import pymysql

    limits = limits or TimeLimits()
    where = f"{name} ({address})" if name else str(address)
    try:
        raw = pymysql.connect(
            host=address.host,
            port=address.port,
            user=login.user,
            password=login.password,
            database=login.database or None,
            connect_timeout=limits.connect,
            read_timeout=limits.read,
            write_timeout=limits.write,
            autocommit=True,
            charset="utf8mb4",
        )
    except _driver_errors() as error:
        code, text = _parts(error)
        wanted = f"a connection as {login.user}"
        text = text.replace(login.password, "***") if login.password else text
        raise ConnectError(wanted, code=code, text=text, where=where, connected=False) from None
    return Connection(raw, where)


class Sql:
    """A server to ask, with one connection for each thread that asks, opened at its first question.

    Connections end while nobody looks: a query on one that was good before and is lost is asked once more, on a new
    one. A statement is not, since it may have had its effect.

    Args:
        locate: returns the server's address; asked at each new connection, so it may follow a port-forward.
        login: the account.
        limits: seconds for connecting, reading and writing.
        name: the server's name, for messages.
        prepare: statements for every new connection, such as SET SESSION.
    """

    def __init__(
        self,
        locate: Callable[[], Address],
        login: Login,
        *,
        limits: TimeLimits | None = None,
        name: str = "",
        prepare: Sequence[str] = (),
    ) -> None:
        self._locate = locate
        self._login = login
        self._limits = limits
        self._prepare = tuple(prepare)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[Connection] = []
        self.name = name

    def rows(self, statement: str, arguments: Arguments = ()) -> list[Row]:
        """Return the rows of a query."""
        used = getattr(self._local, "connection", None)
        try:
            return self._asked(lambda connection: connection.rows(statement, arguments))
        except SqlError as error:
            if error.connected or used is None or isinstance(error, ConnectError):
                raise
            return self._asked(lambda connection: connection.rows(statement, arguments))

    def execute(self, statement: str, arguments: Arguments = ()) -> int:
        """Run a statement and return how many rows it touched."""
        return self._asked(lambda connection: connection.execute(statement, arguments))

    def value(self, statement: str, arguments: Arguments = ()) -> Any:
        """Return the first value of the only row.

        Raises:
            SqlError: no row, or more than one.
        """
        rows = self.rows(statement, arguments)
        if len(rows) != 1:
            text = f"one row was expected, not {len(rows)}"
            raise SqlError(statement, code=0, text=text, where=self.name, connected=True)
        return rows[0][0]

    def pairs(self, statement: str, arguments: Arguments = ()) -> dict[str, str]:
        """Return rows of two columns as a mapping of texts, such as those of SHOW STATUS."""
        return {str(key): str(value) for key, value, *_ in self.rows(statement, arguments)}

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            opened, self._opened = self._opened, []
        for connection in opened:
            connection.close()
        self._local = threading.local()

    def _asked(self, question: Callable[[Connection], T]) -> T:
        connection = self._connection()
        try:
            return question(connection)
        except SqlError as error:
            if not error.connected:
                self._forget(connection)
            raise

    def _connection(self) -> Connection:
        found: Connection | None = getattr(self._local, "connection", None)
        if found is None or not found.alive:
            found = connect(self._locate(), self._login, limits=self._limits, name=self.name)
            with self._lock:
                self._opened.append(found)
            self._local.connection = found
            for statement in self._prepare:
                found.execute(statement)
        return found

    def _forget(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            if connection in self._opened:
                self._opened.remove(connection)
        self._local.connection = None


def _driver_errors() -> tuple[type[Exception], ...]:
    import pymysql

    return pymysql.err.MySQLError, OSError


def _parts(error: Exception) -> tuple[int, str]:
    """Return the number and the text of a driver's error; pymysql gives (number, text), sometimes only one of them."""
    arguments = list(error.args)
    code = arguments.pop(0) if arguments and isinstance(arguments[0], int) else 0
    text = " ".join(str(argument) for argument in arguments) or type(error).__name__
    return int(code), text
