"""DuckDB: one file on this machine.

A batch is merged by DuckDB itself, which reads it where it is in memory.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import duckdb
import pyarrow as pa

from syncline.declarations import Configuration
from syncline.home import Home
from syncline.warehouses import types
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.checks import CREATE_SCHEMA, DROP, WRITE, Step, run_steps, skipped
from syncline.warehouses.duckdb_config import DECLARATION, DuckdbConfig
from syncline.warehouses.duckdb_file import HeldFile, explain, more_memory, open_file
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.limits import PLENTY
from syncline.warehouses.loading import Connection, ExistingColumn, Plan, SqlLoader
from syncline.warehouses.naming import Naming
from syncline.warehouses.rows import Order, Values
from syncline.warehouses.sql import (
    commented_source,
    descending,
    in_order,
    key_condition,
    later,
    latest_statements,
    qualified,
    quoted,
    source_comment,
    text,
)
from syncline.warehouses.types import ColumnType, Kind
from syncline.warehouses.working import working_folder

LOAD_WAIT = 120.0
"""How long a load waits for a file that another process holds, in seconds."""
CHECK_WAIT = 5.0
"""The same for a setup test."""
LONGEST_NAME = 200
"""DuckDB has no limit; people have."""

LARGE_LOAD = 32 * 1024 * 1024
"""Bytes of rows that need more than the usual memory."""

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


class DuckdbWarehouse(Warehouse):
    """A DuckDB file.

    Args:
        home: The installation whose own files are refused.
    """

    declaration = DECLARATION
    columns = PLENTY
    drops_columns = True

    def __init__(self, home: Home | None = None) -> None:
        self._home = home

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        path = _path(config)
        existed = path.exists()
        opening = "Open the database file"
        try:
            with closing(open_file(path, CHECK_WAIT, home=self._home)) as connection:
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
        with (
            working_folder(working_directory) as folder,
            closing(HeldFile(path, LOAD_WAIT, folder / "spill", self._home)) as file,
        ):

            @contextmanager
            def connect() -> Iterator[Connection]:
                with file.use() as connection:
                    yield DuckdbConnection(connection, schema)

            yield SqlLoader(connect, explain, folder, naming, rest=file.close)


class DuckdbConnection(Connection):
    """An open DuckDB file."""

    longest_name = LONGEST_NAME

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection = connection
        # Every table is named in full: DuckDB finds `x.y` ambiguous where a schema is called like the file.
        ((self._catalog,),) = connection.execute("SELECT current_database()").fetchall()
        self._schema = schema

    def prepare_schema(self) -> None:
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
        with more_memory(self._connection) if plan.widened else nullcontext():
            self._execute_together(statements)

    def remove_rows(self, table_name: str, rows: pa.Table) -> None:
        table = qualified(self._catalog, self._schema, table_name)
        condition = key_condition(rows.column_names, "_batch", table)
        with self._given("_batch", rows):
            self._connection.execute(f"DELETE FROM {table} USING _batch WHERE {condition}")  # noqa: S608 - quoted

    def drop_columns(self, table_name: str, columns: Sequence[str]) -> None:
        table = qualified(self._catalog, self._schema, table_name)
        self._execute_together([f"ALTER TABLE {table} DROP COLUMN {quoted(column)}" for column in columns])

    def change_key(self, table_name: str, key: Sequence[str], order: Order) -> None:
        """There is no key in the table's definition, so only older rows have to go."""
        table = qualified(self._catalog, self._schema, table_name)
        older = (
            f"SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY {', '.join(map(quoted, key))} "  # noqa: S608 - quoted
            f"ORDER BY {descending(order)}) AS place FROM {table}) WHERE place > 1"
        )
        with more_memory(self._connection):
            self._execute_together([f"DELETE FROM {table} WHERE rowid IN ({older})"])  # noqa: S608

    def latest(self, table_name: str, order: Order) -> Values | None:
        table = qualified(self._catalog, self._schema, table_name)
        # As Arrow: DuckDB needs another library to give times with a zone as objects.
        found = [
            self._connection.sql(statement).to_arrow_table().column(0)[0].as_py()
            for statement in latest_statements(table, in_order(order))
        ]
        return None if None in found else tuple(found)

    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
        places = pa.array(range(rows.num_rows), pa.int64())
        with self._given("_batch", rows.append_column("_place", places)):
            found = self._connection.execute(
                f"SELECT b._place FROM _batch b JOIN {qualified(self._catalog, self._schema, table_name)} d "  # noqa: S608 - quoted
                f"ON {key_condition(key, 'b', 'd')} WHERE {later(order, 'd', 'b')}"
            ).fetchall()
        return [place for (place,) in found]

    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        return column

    def merge(self, plan: Plan, rows: pa.Table, key: list[str], folder: Path) -> None:
        table = qualified(self._catalog, self._schema, plan.table_name)
        statements = [f"INSERT INTO {table} BY NAME SELECT * FROM _batch"]  # noqa: S608 - quoted
        if not plan.is_new:
            of_batch = f"DELETE FROM {table} USING _batch WHERE {key_condition(key, '_batch', table)}"  # noqa: S608
            statements.insert(0, of_batch)
        room = more_memory(self._connection) if rows.nbytes > LARGE_LOAD else nullcontext()
        with room, self._given("_batch", rows):
            self._execute_together(statements)

    @contextmanager
    def _given(self, name: str, rows: pa.Table) -> Iterator[None]:
        """Let statements read `rows`, where they are, as a table of that name."""
        self._connection.register(name, rows)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def _execute_together(self, statements: Sequence[str]) -> None:
        self._connection.begin()
        try:
            for statement in statements:
                self._connection.execute(statement)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()


def _path(config: Configuration) -> Path:
    if not isinstance(config, DuckdbConfig) or not config.path:
        raise WarehouseError("The destination has no database file.", "Set config.path to the path of a DuckDB file.")
    return Path(config.path)


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
