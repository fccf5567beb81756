"""A SQLite connection for coroutines that read: each call is made where it stands, without a thread.

The usual driver hands every call to a thread and back, which takes several times as long as looking something up by an
index. Readers of a SQLite file in WAL mode wait for nobody, so there is nothing that a thread would have to wait for.
Writers do wait, for each other, and keep the usual driver.
"""

import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Self

BUSY_TIMEOUT = 5.0
"""Seconds that a reader waits in the rare moments when the file is exclusively locked, such as after a crash."""


class InlineConnection:
    """A connection with the part of aiosqlite's interface that SQLAlchemy uses."""

    def __init__(self, path: str) -> None:
        # Autocommit: transactions are begun by whoever uses it. Closing may happen in another thread, at exit.
        self._connection: sqlite3.Connection | None = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )

    @property
    def isolation_level(self) -> str | None:
        """None: autocommit."""
        return self._open().isolation_level

    def cursor(self) -> "InlineCursor":
        """A new cursor."""
        return InlineCursor(self._open().cursor())

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        """Make a Python function known to SQL."""
        self._open().create_function(*arguments, **options)

    async def commit(self) -> None:
        """End the transaction."""
        self._open().commit()

    async def rollback(self) -> None:
        """End the transaction."""
        self._open().rollback()

    async def close(self) -> None:
        """Close the connection."""
        self.stop()

    def stop(self) -> None:
        """Close the connection, outside a coroutine too."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("Connection closed")
        return self._connection


class InlineCursor:
    """A cursor of such a connection."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute a statement."""
        self._cursor.execute(statement, parameters)
        return self

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> Self:
        """Execute a statement for each set of parameters."""
        self._cursor.executemany(statement, parameters)
        return self

    async def fetchall(self) -> list[Any]:
        """The rows that are left."""
        return self._cursor.fetchall()

    async def fetchone(self) -> Any:
        """The next row."""
        return self._cursor.fetchone()

    async def fetchmany(self, size: int) -> list[Any]:
        """The next rows."""
        return self._cursor.fetchmany(size)

    async def close(self) -> None:
        """Give the cursor back."""
        self._cursor.close()

    @property
    def description(self) -> Any:
        """The columns of the result."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The last row that was inserted."""
        return self._cursor.lastrowid


def creator(path: str) -> Callable[..., Coroutine[Any, Any, InlineConnection]]:
    """What SQLAlchemy calls for a new connection to the file."""

    async def create(*_arguments: Any, **_options: Any) -> InlineConnection:
        return InlineConnection(path)

    return create
