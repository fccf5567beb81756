"""A SQLite connection for coroutines: each call is made where it stands, without a thread.

The usual driver hands every call to a thread and back, which takes several times as long as looking something up by an
index. It takes longer still when the event loop has much to do, and a writer who waits for the loop with the write lock
in hand makes all others wait. Readers of a SQLite file in WAL mode wait for nobody. Writers wait once, at the begin of
a transaction, and do so asleep.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Self

from syncline.store.turns import StoreUnavailableError

BUSY_TIMEOUT = 5.0
"""Seconds that a reader waits in the rare moments when the file is exclusively locked, such as after a crash."""

LONGEST_WAIT = 10.0
"""Seconds that a transaction waits for the writers of other processes at most."""

_PAUSES = (0.001, 0.002, 0.005, 0.01, 0.02)
"""Seconds between two tries to become the writer; the last is repeated."""


def is_busy(error: sqlite3.Error) -> bool:
    """Whether an error only says that somebody else is at work on the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the lower byte is the kind
    return code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class InlineConnection:
    """A connection with the part of aiosqlite's interface that SQLAlchemy uses."""

    def __init__(self, path: str, *, read_only: bool) -> None:
        self._read_only = read_only
        # Autocommit: transactions are begun by whoever uses it. Closing may happen in another thread, at exit.
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        self._connection: sqlite3.Connection | None = connection
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            return
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA busy_timeout = 0")  # `begin` waits instead

    async def begin(self) -> None:
        """Begin a transaction, of a writer once no other process writes.

        Raises:
            StoreUnavailableError: other processes have written all the time.
        """
        if self._read_only:
            self._open().execute("BEGIN")
            return
        deadline = time.monotonic() + LONGEST_WAIT
        pauses = iter(_PAUSES)
        while not self._became_writer():
            if time.monotonic() > deadline:
                raise StoreUnavailableError("other processes write to the store all the time")
            await asyncio.sleep(next(pauses, _PAUSES[-1]))

    def _became_writer(self) -> bool:
        try:
            # Asked for at the start: a reader that turns writer while another process writes fails at once.
            self._open().execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_busy(error):
                return False
            raise
        return True

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


def creator(path: str, *, read_only: bool) -> Callable[..., Coroutine[Any, Any, InlineConnection]]:
    """What SQLAlchemy calls for a new connection to the file."""

    async def create(*_arguments: Any, **_options: Any) -> InlineConnection:
        return InlineConnection(path, read_only=read_only)

    return create
