"""Opening a DuckDB file, waiting for it, and holding it for a while.

Only one process can have a DuckDB file open for writing. Opening it reads its catalogue, and closing it moves into it
what the write-ahead log holds and packs the end of the table anew: done for each load, that takes longer than the load.
So the file stays open while one load follows the other, and whoever waits for it gets a turn every few seconds.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from syncline.home import Home
from syncline.networking import chain
from syncline.warehouses.duckdb_config import check_database_file
from syncline.warehouses.duckdb_connect import connect_to_file
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable, first_reason, reason
from syncline.warehouses.refusals import rows_refused
from syncline.warehouses.sql import text

MEMORY_LIMIT = "192MB"
"""Beyond this DuckDB spills to the temporary folder it is given. A load takes some 100 MB of it; more would be filled
with what was read and written before."""
MOST_MEMORY = "512MB"
"""The same for what is unusually large: a message of 100 MB, the largest there is, takes over 256 MB on its way from
the log into the file."""
LOG_SIZE = "64MB"
"""Once the write-ahead log has this size, it is moved into the file. Until then DuckDB has its rows in memory too."""
HOLD = 4.0
"""Seconds for which the file is held in one go. The load under way is finished."""
TURN = 0.2
"""Seconds for which the file is left to others after it was held."""
_POLL = 0.1
"""Most seconds between two tries to open a file that another process holds: less than `TURN`, so that none is missed.
A try takes four milliseconds of processor time."""

_MAGIC = b"DUCK"
_MAGIC_AT = 8
"""How a DuckDB file begins: a checksum of eight bytes and its mark."""
_LOCKED = "Could not set lock on file"


class HeldFile:
    """A DuckDB file that is opened when it is needed, and held from then on, for `HOLD` seconds in one go. Not safe to
    share between threads.

    Whatever was committed is in the write-ahead log. When the process dies, the next one that opens the file finds it
    there.

    Args:
        path: The file, which is made when it is missing.
        wait: Seconds to wait for a file that another process holds.
        temporary: A folder that DuckDB may make and spill to.
        home: The installation whose own files are refused.
    """

    def __init__(self, path: Path, wait: float, temporary: Path, home: Home | None = None) -> None:
        self._path = path
        self._wait = wait
        self._temporary = temporary
        self._home = home
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._since = 0.0
        self._free_until = 0.0

    @contextmanager
    def use(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The open file. After an error it is closed, which takes back what was not committed.

        Raises:
            WarehouseUnavailable: Another process held it all the time.
            WarehouseError: It cannot be opened.
        """
        if self._connection is None:
            time.sleep(max(0.0, self._free_until - time.monotonic()))
            self._connection = open_file(self._path, self._wait, self._temporary, self._home)
            self._since = time.monotonic()
        try:
            yield self._connection
        except BaseException:
            self.close()
            raise
        if time.monotonic() - self._since >= HOLD:
            self.close()

    def close(self) -> None:
        """Let others have the file, if it is held."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()
            self._free_until = time.monotonic() + TURN


def open_file(
    path: Path, wait: float, temporary: Path | None = None, home: Home | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a file for writing; waits up to `wait` seconds while another process holds it.

    Args:
        temporary: A folder that DuckDB may make and spill to.
        home: The installation whose own files are refused.

    Raises:
        WarehouseUnavailable: Another process held it all the time.
        WarehouseError: It cannot be opened.
    """
    _check(path, home)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"The folder {path.parent} of the DuckDB file cannot be made: {error.strerror}.",
            "Set config.path to a path that Syncline may write to.",
        ) from error
    has_log = path.with_name(f"{path.name}.wal").exists()
    connection = _connect(path, wait, temporary, home)
    try:
        if has_log:
            with more_memory(connection):
                pass  # what the log holds may be large
        connection.execute(f"SET memory_limit = {text(MEMORY_LIMIT)}")
        connection.execute(f"SET checkpoint_threshold = {text(LOG_SIZE)}")
        connection.execute("SET TimeZone = 'UTC'")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def more_memory(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Have more memory for the block, and until what it committed has moved from the log into the file. After an error
    the connection keeps it."""
    connection.execute(f"SET memory_limit = {text(MOST_MEMORY)}")
    yield
    connection.execute("CHECKPOINT")
    connection.execute(f"SET memory_limit = {text(MEMORY_LIMIT)}")


def _connect(path: Path, wait: float, temporary: Path | None, home: Home | None) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    pause = 0.02
    while True:
        _check(path, home)  # each time: what stands at a path may change
        try:
            return connect_to_file(path, temporary)
        except duckdb.IOException as error:
            if _LOCKED not in str(error):
                raise WarehouseError(
                    f"{path} cannot be opened: {reason(error)}",
                    "Set config.path to a DuckDB file, or to a path where a new one may be made.",
                ) from error
            if time.monotonic() + pause > deadline:
                raise _held(str(error)) from error
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path} cannot be opened: {reason(error)}", "Set config.path to a DuckDB file."
            ) from error
        time.sleep(pause)
        pause = min(pause * 2, _POLL)


def _check(path: Path, home: Home | None) -> None:
    """Refuse what is no DuckDB file without letting DuckDB touch it: for a SQLite file, it would load an extension.
    Nothing in this process may have the file open, because the look at it ends all locks that the process has on it."""
    try:
        check_database_file(str(path), home)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise WarehouseError(f"{path} {error}.", "Set config.path to another path.") from None
    except OSError:
        return  # it is made, or DuckDB says why it cannot be opened
    try:
        beginning = os.read(descriptor, _MAGIC_AT + len(_MAGIC))
    except OSError:
        return
    finally:
        os.close(descriptor)
    if len(beginning) == _MAGIC_AT + len(_MAGIC) and not beginning.endswith(_MAGIC):  # one just being made is shorter
        raise WarehouseError(
            f"{path} is no DuckDB file. It is left as it is.",
            "Set config.path to a DuckDB file, or to a path where a new one may be made.",
        )


def explain(error: BaseException) -> WarehouseError:
    """What an error of DuckDB means for a person."""
    if (refused := rows_refused("DuckDB", error)) is not None:
        return refused
    for cause in chain(error):
        if isinstance(cause, duckdb.IOException) and _LOCKED in str(cause):
            return _held(str(cause))
        if isinstance(cause, (duckdb.IOException, OSError)):
            return WarehouseUnavailable(
                f"The DuckDB file cannot be read or written: {reason(cause)}",
                "Look at the disk's free space and the file's permissions.",
            )
        if isinstance(cause, duckdb.OutOfMemoryException):
            return WarehouseUnavailable(
                f"DuckDB ran out of memory: {reason(cause)}",
                "Give the machine more memory or lower SYNCLINE_BATCH_ROWS.",
            )
        if isinstance(cause, duckdb.Error):
            return WarehouseError(f"DuckDB refused the load: {reason(cause)}")
    return WarehouseError(f"The load into DuckDB failed: {first_reason(error)}")


def _held(message: str) -> WarehouseUnavailable:
    holder = re.search(r"held in (.+?)\.(?:\s|$)", message)
    by = f" ({holder[1]})" if holder else ""
    return WarehouseUnavailable(
        f"Another process{by} holds the DuckDB file.",
        "Close the program that has it open, or open it read-only for a moment at a time; the next sync tries again.",
    )
