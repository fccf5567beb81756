"""DuckDB: one file on this machine.

Only one process can hold a DuckDB file, so a load opens it, and closes it when it is done; in between anybody else
can query. A load waits its turn, for a limited time.
"""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dlt.common.destination import Destination

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses import types
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.checks import CREATE_SCHEMA, DROP, WRITE, Step, run_steps, skipped
from syncline.warehouses.dlt_runtime import PIPELINE
from syncline.warehouses.duckdb_dlt import OpenFile, catalog_of
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable
from syncline.warehouses.loading import Connection, ExistingColumn, Plan, SqlLoader
from syncline.warehouses.naming import Naming
from syncline.warehouses.sql import (
    commented_source,
    key_condition,
    qualified,
    quoted,
    source_comment,
    staging_schema,
    text,
)
from syncline.warehouses.types import ColumnType, Kind
from syncline.warehouses.working import working_folder

LOAD_WAIT = 60.0
"""How long a load waits for a file that another process holds, in seconds."""
CHECK_WAIT = 5.0
"""The same for a setup test."""
MEMORY_LIMIT = "1GB"
"""Beyond this DuckDB spills to the working directory."""
LONGEST_NAME = 200
"""DuckDB has no limit, but dlt names files after tables."""

_SQL_TYPES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.SHORT: "SMALLINT",
    Kind.INT: "INTEGER",
    Kind.LONG: "BIGINT",
    Kind.FLOAT: "FLOAT",
    Kind.DOUBLE: "DOUBLE",
    Kind.LOCALDATE: "DATE",
    Kind.LOCALDATETIME: "TIMESTAMP",
    Kind.INSTANT: "TIMESTAMP WITH TIME ZONE",
    Kind.JSON: "JSON",
    Kind.XML: "VARCHAR",
    Kind.BINARY: "BLOB",
    Kind.STRING: "VARCHAR",
}
_COLUMN_TYPES = {sql_type: ColumnType(kind) for kind, sql_type in _SQL_TYPES.items() if kind is not Kind.XML} | {
    "TINYINT": types.SHORT
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


class DuckdbConfig(Configuration):
    """Where the DuckDB file is."""

    path: str | None = setting(
        title="Database file",
        description="The path of the DuckDB file on the machine that runs Syncline. It is made when it is missing.",
        required=True,
        example="/data/warehouse.duckdb",
    )


class DuckdbWarehouse(Warehouse):
    """A DuckDB file."""

    declaration = ServiceDeclaration(
        service="duckdb", name="DuckDB", description="A DuckDB file on this machine.", config=DuckdbConfig
    )
    drops_columns = True

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        path = _path(config)
        existed = path.exists()
        opening = "Open the database file"
        try:
            with _connected(path, CHECK_WAIT) as connection:
                connection.begin()
                results = run_steps(
                    [
                        Step(opening, lambda: None, f"{path} opens."),
                        Step(CREATE_SCHEMA, lambda: connection.execute("CREATE SCHEMA _syncline_check")),
                        Step(WRITE, lambda: connection.execute("CREATE TABLE _syncline_check.probe AS SELECT 1 AS a")),
                        Step(DROP, lambda: connection.execute("DROP SCHEMA _syncline_check CASCADE")),
                    ],
                    explain,
                )
                connection.rollback()
                if not existed and not connection.execute("SELECT 1 FROM duckdb_tables()").fetchall():
                    # While it is open nobody else can be in it, so nothing of anybody's goes with it.
                    path.unlink(missing_ok=True)
        except WarehouseError as error:
            failed = WarehouseTestResult(opening, "FAILED", error.message, error.remedy)
            return [failed, *skipped([CREATE_SCHEMA, WRITE, DROP])]
        return results

    @contextmanager
    def open(
        self,
        config: Configuration,
        schema: str,
        working_directory: Path,
        naming: Naming = Naming.FIVETRAN_NAMING,
    ) -> Iterator[Loader]:
        path = _path(config)
        with working_folder(working_directory) as folder:

            @contextmanager
            def connect() -> Iterator[Connection]:
                with _connected(path, LOAD_WAIT) as connection:
                    connection.execute(f"SET temp_directory = {text(str(folder / 'spill'))}")
                    yield DuckdbConnection(connection, schema)

            yield SqlLoader(connect, explain, schema, folder, naming)


class DuckdbConnection(Connection):
    """An open DuckDB file."""

    longest_name = LONGEST_NAME

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection = connection
        self._catalog = catalog_of(connection)
        self._schema = schema
        self._staging = staging_schema(schema, LONGEST_NAME)

    def prepare_schema(self) -> None:
        # Without the catalog: DuckDB takes `warehouse.x` for ambiguous where a schema is called like the catalog. dlt
        # would write it so, and therefore finds its staging schema made.
        self._connection.execute(f"DROP SCHEMA IF EXISTS {quoted(self._staging)} CASCADE")
        self._connection.execute(f"CREATE SCHEMA {quoted(self._staging)}")
        if not self._connection.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = current_database() AND schema_name = ?",
            [self._schema],
        ).fetchall():
            self._connection.execute(f"CREATE SCHEMA {quoted(self._schema)}")

    def tables(self) -> dict[str, str]:
        rows = self._connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = current_database() "
            "AND schema_name = ?",
            [self._schema],
        ).fetchall()
        return {commented_source(comment) or name: name for name, comment in rows}

    def columns(self, table_name: str) -> dict[str, ExistingColumn]:
        rows = self._connection.execute(
            "SELECT column_name, data_type, comment FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [self._schema, table_name],
        ).fetchall()
        return {
            name: ExistingColumn(name, _column_type(sql_type), sql_type, commented_source(comment))
            for name, sql_type, comment in rows
        }

    def change(self, plan: Plan, source_name: str, key: Sequence[str]) -> None:
        table = qualified(self._catalog, self._schema, plan.table_name)
        statements = []
        if plan.is_new:
            # No primary key: a merge into a table with one takes ten times as long, and merges keep keys unique.
            columns = ", ".join(f"{quoted(name)} {_sql_type(of)}" for name, of in plan.column_types.items())
            statements.append(f"CREATE TABLE {table} ({columns})")
            statements.append(f"COMMENT ON TABLE {table} IS {text(source_comment(source_name))}")
        else:
            statements += [
                f"ALTER TABLE {table} ADD COLUMN {quoted(n)} {_sql_type(of)}" for n, of in plan.added.items()
            ]
            statements += [
                f"ALTER TABLE {table} ALTER {quoted(name)} TYPE {_sql_type(target)} "
                f"USING {_converted(quoted(name), current, target)}"
                for name, (current, target) in plan.widened.items()
            ]
        statements += [
            f"COMMENT ON COLUMN {table}.{quoted(name)} IS {text(source_comment(source))}"
            for source, name in plan.names.items()
            if name != source and (name in plan.added or name in plan.widened)
        ]
        self._execute_together(statements)

    def remove_rows(self, table_name: str, column: str, values: pa.ChunkedArray) -> None:
        table = qualified(self._catalog, self._schema, table_name)
        self._connection.register("_values", pa.table({"value": values}))
        try:
            self._connection.execute(
                f"DELETE FROM {table} WHERE {quoted(column)} IN (SELECT value FROM _values)"  # noqa: S608 - quoted
            )
        finally:
            self._connection.unregister("_values")

    def drop_columns(self, table_name: str, columns: Sequence[str]) -> None:
        table = qualified(self._catalog, self._schema, table_name)
        self._execute_together([f"ALTER TABLE {table} DROP COLUMN {quoted(column)}" for column in columns])

    def change_key(self, table_name: str, key: Sequence[str], sequence: str) -> None:
        """There is no key in the table's definition, so only older rows have to go."""
        table = qualified(self._catalog, self._schema, table_name)
        self._execute_together(
            [
                f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number() OVER "  # noqa: S608 - quoted
                f"(PARTITION BY {', '.join(map(quoted, key))} ORDER BY {quoted(sequence)} DESC) AS place FROM {table}) "
                "WHERE place > 1)"
            ]
        )

    def highest(self, table_name: str, column: str) -> int | None:
        table = qualified(self._catalog, self._schema, table_name)
        ((value,),) = self._connection.execute(f"SELECT max({quoted(column)}) FROM {table}").fetchall()  # noqa: S608
        return None if value is None else int(value)

    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], sequence: str) -> list[int]:
        self._connection.register("_batch", rows.append_column("_place", pa.array(range(rows.num_rows), pa.int64())))
        try:
            found = self._connection.execute(
                f"SELECT b._place FROM _batch b JOIN {qualified(self._catalog, self._schema, table_name)} d "  # noqa: S608 - quoted
                f"ON {key_condition(key, 'b', 'd')} WHERE d.{quoted(sequence)} > b.{quoted(sequence)}"
            ).fetchall()
        finally:
            self._connection.unregister("_batch")
        return [place for (place,) in found]

    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        return column

    def dlt_destination(self) -> Destination[Any, Any]:
        return OpenFile(self._connection, staging_dataset_name_layout=self._staging)

    def _execute_together(self, statements: Sequence[str]) -> None:
        self._connection.begin()
        try:
            for statement in statements:
                self._connection.execute(statement)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def clean_up(self) -> None:
        self._connection.execute(f"DROP SCHEMA IF EXISTS {quoted(self._staging)} CASCADE")
        for name in set(self.tables().values()) & {"_dlt_loads", "_dlt_version", "_dlt_pipeline_state"}:
            table = qualified(self._catalog, self._schema, name)
            if name != "_dlt_pipeline_state":
                self._connection.execute(f"DELETE FROM {table} WHERE schema_name = ?", [PIPELINE])  # noqa: S608
            if not self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall():  # noqa: S608 - quoted
                self._connection.execute(f"DROP TABLE {table}")


def explain(error: BaseException) -> WarehouseError:
    """What an error of DuckDB, or of dlt on top of it, means for a person."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, duckdb.IOException) and "lock" in str(cause):
            return _held(str(cause))
        if isinstance(cause, (duckdb.IOException, OSError)):
            return WarehouseUnavailable(
                f"The DuckDB file cannot be read or written: {_first_line(cause)}",
                "Look at the disk's free space and the file's permissions.",
            )
        if isinstance(cause, duckdb.OutOfMemoryException):
            return WarehouseUnavailable(
                f"DuckDB ran out of memory: {_first_line(cause)}",
                "Give the machine more memory or lower SYNCLINE_BATCH_ROWS.",
            )
        if isinstance(cause, duckdb.Error):
            return WarehouseError(f"DuckDB refused the load: {_first_line(cause)}")
        cause = cause.__cause__ or cause.__context__
    return WarehouseError(f"The load into DuckDB failed: {_first_line(error)}")


def _path(config: Configuration) -> Path:
    if not isinstance(config, DuckdbConfig) or not config.path:
        raise WarehouseError("The destination has no database file.", "Set config.path to the path of a DuckDB file.")
    return Path(config.path).expanduser()


@contextmanager
def _connected(path: Path, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """The open file; waits up to `wait` seconds while another process holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"The folder {path.parent} of the DuckDB file cannot be made: {error.strerror}.",
            "Set config.path to a path that Syncline may write to.",
        ) from error
    connection = _open(path, wait)
    try:
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute(f"SET memory_limit = {text(MEMORY_LIMIT)}")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def _open(path: Path, wait: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait
    pause = 0.02
    while True:
        try:
            return duckdb.connect(str(path))
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise WarehouseError(
                    f"{path} cannot be opened: {_first_line(error)}",
                    "Set config.path to a DuckDB file, or to a path where a new one may be made.",
                ) from error
            if time.monotonic() + pause > deadline:
                raise _held(str(error)) from error
        except duckdb.Error as error:
            raise WarehouseError(
                f"{path} cannot be opened: {_first_line(error)}", "Set config.path to a DuckDB file."
            ) from error
        time.sleep(pause)
        pause = min(pause * 2, 0.5)


def _held(message: str) -> WarehouseUnavailable:
    holder = re.search(r"held in (.+?)\.(?:\s|$)", message)
    by = f" ({holder[1]})" if holder else ""
    return WarehouseUnavailable(
        f"Another process{by} holds the DuckDB file.",
        "Close the program that has it open, or open it read-only for a moment at a time; the next sync tries again.",
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _sql_type(column_type: ColumnType) -> str:
    if column_type.kind is Kind.DECIMAL:
        return f"DECIMAL({column_type.precision},{column_type.scale})"
    return _SQL_TYPES[column_type.kind]


def _column_type(sql_type: str) -> ColumnType | None:
    if match := _DECIMAL.fullmatch(sql_type):
        precision, scale = int(match[1]), int(match[2])
        return types.decimal(precision - scale, scale)
    return _COLUMN_TYPES.get(sql_type)


def _converted(column: str, current: ColumnType, target: ColumnType) -> str:
    """The expression that widens a column, the same way as :func:`syncline.warehouses.types.convert` does."""
    as_text = f"CAST({column} AS VARCHAR)"
    if current.kind is Kind.BINARY:
        as_text = f"base64({column})"
    elif current.kind is Kind.INSTANT:
        as_text = f"strftime({column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    elif current.kind is Kind.LOCALDATETIME:
        as_text = f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%f')"
    if target.kind is Kind.STRING:
        return as_text
    if target.kind is not Kind.JSON:
        return f"CAST({column} AS {_sql_type(target)})"
    if current.kind in (Kind.FLOAT, Kind.DOUBLE):
        return f"CASE WHEN isfinite({column}) THEN CAST({as_text} AS JSON) ELSE to_json({as_text}) END"
    return f"CAST({as_text} AS JSON)"
