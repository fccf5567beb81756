"""Opening DuckDB, for files and for columns in memory alike: it works with what it was installed with.

DuckDB would otherwise fetch an extension from the network, or load one that lies in its user's home folder, as soon as
a path or a statement looks as if it needed it. So that is set before the first statement, and before the path is read.
"""

from pathlib import Path
from typing import Any

import duckdb

_NOTHING_FETCHED: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    # A batch is small: a second thread takes twice the processor time and saves no time.
    "threads": 1,
}


def connect_to_file(path: Path, temporary: Path | None) -> duckdb.DuckDBPyConnection:
    """Open a file for writing.

    Args:
        temporary: A folder that DuckDB may make and spill to; None: it does not spill.

    Raises:
        duckdb.Error: It cannot be opened.
    """
    return duckdb.connect(str(path), config={**_NOTHING_FETCHED, "temp_directory": str(temporary or "")})


def connect_in_memory() -> duckdb.DuckDBPyConnection:
    """DuckDB without a file, which reaches no other either: it computes on what is registered with it."""
    connection = duckdb.connect(":memory:", config=_NOTHING_FETCHED)
    connection.execute("SET temp_directory = ''")  # else it spills what it works on into the present folder
    connection.execute("SET enable_external_access = false")
    return connection
