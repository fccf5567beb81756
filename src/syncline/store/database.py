"""Sessions on the store, for coroutines and for worker processes alike."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from syncline.store.inline_sqlite import InlineConnection, creator, is_busy
from syncline.store.turns import StoreUnavailableError, Turns, note_written

BUSY_TIMEOUT = 30.0
"""How long a SQLite transaction of a thread waits for the one writer of the moment, in seconds."""

MOST_CONNECTIONS = 10
"""Connections to the database that the coroutines of one process share; more would not make it faster."""

_READ_ONLY = "syncline_read_only"


class DatabaseUrlError(ValueError):
    """The URL of the store cannot be used; the message says what to write instead."""


class ReadOnlySessionError(RuntimeError):
    """Something was changed in a session that was opened for reading."""


class Database:
    """The store behind one URL.

    Both kinds of session commit when their block ends and roll back when it raises; objects stay readable after it.
    A session opened with ``read_only=True`` never waits for a writer and never makes one wait; it must not change
    anything, and nothing is committed.

    Coroutines take turns, see :class:`syncline.store.turns.Turns`. SQLite has one writer at a time, so they write one
    after the other; keep what is slow out of these sessions.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user:password@host:port/database``.

    Raises:
        DatabaseUrlError: the URL is malformed or names another kind of database.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._reading = Turns(MOST_CONNECTIONS)
        self._writing = Turns(1) if self.is_sqlite else self._reading

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a SQLite file."""
        return self._url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def session(self, *, read_only: bool = False) -> AsyncIterator[AsyncSession]:
        """A session for coroutines.

        Raises:
            StoreUnavailableError: there is too much to do, or the database does not answer.
        """
        engine = self._async_reader if read_only else self._async_engine
        turns = self._reading if read_only else self._writing
        try:
            async with (
                turns.turn(),
                AsyncSession(engine, expire_on_commit=False, autoflush=not read_only) as session,
            ):
                yield session
                if read_only:
                    _refuse_changes(session.sync_session)
                else:
                    await session.commit()
                    note_written()
        except DBAPIError as error:
            if _may_pass(error):
                raise StoreUnavailableError(str(error.orig)) from error
            raise

    @contextmanager
    def sync_session(self, *, read_only: bool = False) -> Iterator[Session]:
        """The same for threads and worker processes."""
        engine = self._sync_reader if read_only else self._sync_engine
        with Session(engine, expire_on_commit=False, autoflush=not read_only) as session:
            yield session
            if read_only:
                _refuse_changes(session)
            else:
                session.commit()

    async def close(self) -> None:
        """Close every connection."""
        for engine in ("_async_engine", "_async_reader"):
            if engine in self.__dict__:
                await self.__dict__[engine].dispose()
        self.close_sync()

    def close_sync(self) -> None:
        """Close the connections of :meth:`sync_session`, for processes without an event loop."""
        if "_sync_engine" in self.__dict__:
            self._sync_engine.dispose()

    @cached_property
    def _async_engine(self) -> AsyncEngine:
        if self.is_sqlite:
            return _inline_engine(self._url, read_only=False)
        return create_async_engine(
            self._url.set(drivername="postgresql+psycopg"),
            pool_size=MOST_CONNECTIONS,
            max_overflow=0,
            **_engine_options(self._url),
        )

    @cached_property
    def _sync_engine(self) -> Engine:
        return create_sync_engine(self._url)

    @cached_property
    def _async_reader(self) -> AsyncEngine:
        if self.is_sqlite:
            return _inline_engine(self._url, read_only=True)
        return self._async_engine.execution_options(postgresql_readonly=True)

    @cached_property
    def _sync_reader(self) -> Engine:
        return self._sync_engine.execution_options(**_reader_options(self.is_sqlite))


def parse_url(url: str) -> URL:
    """Parse the URL of a store.

    Raises:
        DatabaseUrlError: says which URLs are understood. The URL may hold a password, so it is not shown.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUrlError(
            "SYNCLINE_DATABASE_URL is not a URL. Use sqlite:///path or postgresql://user:password@host:port/database."
        ) from error
    backend = parsed.get_backend_name()
    if backend == "postgres":
        backend = "postgresql"
    if backend not in {"sqlite", "postgresql"}:
        raise DatabaseUrlError(
            f"SYNCLINE_DATABASE_URL names a {backend!r} database. The store can be sqlite:///path or postgresql://..."
        )
    if backend == "sqlite" and (parsed.query or parsed.database in {None, "", ":memory:"}):
        raise DatabaseUrlError(
            "SYNCLINE_DATABASE_URL must name a file, and nothing after it, for a SQLite store: sqlite:///path. "
            "A database in memory would be gone with the first process."
        )
    return parsed.set(drivername=backend)


def store_file(url: str) -> Path | None:
    """The file of a SQLite store; None for another kind of store.

    Raises:
        DatabaseUrlError: as for :func:`parse_url`.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    return Path(parsed.database or "")


def create_sync_engine(url: URL) -> Engine:
    """A blocking engine with the behaviour that :class:`Database` promises."""
    is_sqlite = url.get_backend_name() == "sqlite"
    engine = create_engine(
        url.set(drivername="sqlite" if is_sqlite else "postgresql+psycopg"),
        **_engine_options(url),
    )
    if is_sqlite:
        _prepare_sqlite(engine)
    return engine


def _engine_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_TIMEOUT}, "hide_parameters": True}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}, "hide_parameters": True}


def _reader_options(is_sqlite: bool) -> dict[str, Any]:
    return {_READ_ONLY: True} if is_sqlite else {"postgresql_readonly": True}


def _prepare_sqlite(engine: Engine) -> None:
    """Take transactions out of the driver's hands.

    The driver would begin a transaction late and as a reader; a reader that turns writer while another process
    writes fails at once, however long the busy timeout. Asking for the write lock at the start waits instead.
    """

    @event.listens_for(engine, "connect")
    def configure(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.execute("PRAGMA foreign_keys = ON")
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _inline_engine(url: URL, *, read_only: bool) -> AsyncEngine:
    """An engine for a SQLite file without threads: see :mod:`syncline.store.inline_sqlite`."""
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        async_creator=creator(str(url.database), read_only=read_only),
        pool_size=MOST_CONNECTIONS if read_only else 1,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        adapted: Any = connection.connection.dbapi_connection
        adapted.run_async(InlineConnection.begin)

    return engine


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same may succeed soon: the database is busy, overloaded, restarting or out of reach."""
    if isinstance(error.orig, sqlite3.Error):
        return is_busy(error.orig)
    return isinstance(error, OperationalError) or error.connection_invalidated


def _refuse_changes(session: Session) -> None:
    if session.new or session.dirty or session.deleted:
        raise ReadOnlySessionError("a session opened with read_only=True holds changes; open it without")
