"""PostgreSQL, 12 or newer.

dlt copies a batch through ADBC into a staging table (the fastest of its three ways, 10-18 µs a row, against 24 as CSV
and 30 as INSERT statements) and merges it from there. ADBC cannot write JSONB, so JSON is staged as `json`, and the
merge makes `jsonb` of it.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pyarrow as pa
import pyarrow.compute as pc
from dlt.common.destination import Destination

from syncline.declarations import Configuration
from syncline.networking import HostPolicy, HostRefused, chain, first_reachable, own_words
from syncline.warehouses import types
from syncline.warehouses.base import Loader, Warehouse, WarehouseTestResult
from syncline.warehouses.checks import CREATE_SCHEMA, DROP, WRITE, Step, run_steps, skipped
from syncline.warehouses.cloud import fields
from syncline.warehouses.dlt_loading import DltConnection
from syncline.warehouses.dlt_runtime import PIPELINE
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable, first_reason, reason, refused_host
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.loading import Connection, ExistingColumn, Plan, SqlLoader
from syncline.warehouses.naming import Naming
from syncline.warehouses.postgres_config import DECLARATION, PostgresConfig, ssl_mode, unavailable
from syncline.warehouses.postgres_dlt import Database
from syncline.warehouses.refusals import rows_refused, sql_state
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
    staging_schema,
    text,
)
from syncline.warehouses.types import ColumnType, Kind
from syncline.warehouses.working import working_folder

CONNECT_TIMEOUT = 10
"""Seconds to wait for the server to answer."""
CHECK_TIMEOUT = 10
"""Seconds that one statement of a setup test may take."""
LOCK_TIMEOUT = 60
"""Seconds that a load waits for a lock that somebody else holds on its table."""
SILENCE_TIMEOUT = 60
"""Seconds without any sign of a server that was asked something, after which the connection counts as broken."""
LONGEST_NAME = 63

_SQL_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.SHORT: "smallint",
    Kind.INT: "integer",
    Kind.LONG: "bigint",
    Kind.FLOAT: "real",
    Kind.DOUBLE: "double precision",
    Kind.LOCALDATE: "date",
    Kind.LOCALDATETIME: "timestamp without time zone",
    Kind.INSTANT: "timestamp with time zone",
    Kind.JSON: "jsonb",
    Kind.XML: "text",
    Kind.BINARY: "bytea",
    Kind.STRING: "text",
}
_COLUMN_TYPES = {sql_type: ColumnType(kind) for kind, sql_type in _SQL_TYPES.items() if kind is not Kind.XML} | {
    "json": types.JSON,
    "character varying": types.STRING,
}
_DECIMAL = re.compile(r"numeric\((\d+),(\d+)\)")

_NUL = "\x00"
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


class PostgresWarehouse(Warehouse):
    """A PostgreSQL database."""

    declaration = DECLARATION
    # A row has at most 8,160 bytes, and a value that is stored beside it leaves up to 24 in it.
    columns = ColumnLimits(usual=300, most=1600)
    drops_columns = True

    def __init__(self, hosts: HostPolicy | None = None) -> None:
        """`hosts` says which hosts may be connected to."""
        self._hosts = hosts or HostPolicy()

    def check(self, config: Configuration) -> list[WarehouseTestResult]:
        connecting = "Connect to the database"
        try:
            settings = _complete(config)
            with _connected(settings, self._hosts, statement_timeout=CHECK_TIMEOUT) as connection:
                schema = quoted(f"_syncline_check_{secrets.token_hex(6)}")
                connection.execute("BEGIN")
                results = run_steps(
                    [
                        Step(connecting, lambda: None, f"Connected to {settings.database} on {settings.host}."),
                        Step(CREATE_SCHEMA, lambda: connection.execute(f"CREATE SCHEMA {schema}")),
                        Step(WRITE, lambda: connection.execute(f"CREATE TABLE {schema}.probe AS SELECT 1 AS value")),
                        Step(DROP, lambda: connection.execute(f"DROP SCHEMA {schema} CASCADE")),
                    ],
                    explain,
                )
                connection.execute("ROLLBACK")
        except (WarehouseError, psycopg.Error) as error:
            failure = error if isinstance(error, WarehouseError) else explain(error)
            failed = WarehouseTestResult(connecting, "FAILED", failure.message, failure.remedy)
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
        settings = _complete(config)
        with working_folder(working_directory) as folder:

            @contextmanager
            def connect() -> Iterator[Connection]:
                with _connected(settings, self._hosts) as connection:
                    yield PostgresConnection(connection, settings, schema)

            yield SqlLoader(connect, explain, folder, naming)


class PostgresConnection(DltConnection):
    """An open connection, every statement a transaction of its own unless said otherwise."""

    longest_name = LONGEST_NAME

    def __init__(
        self, connection: "psycopg.Connection[tuple[Any, ...]]", settings: PostgresConfig, schema: str
    ) -> None:
        self._connection = connection
        self._settings = settings
        self.schema = schema
        self._staging = staging_schema(schema, LONGEST_NAME)

    def prepare_schema(self) -> None:
        self._execute(f"DROP SCHEMA IF EXISTS {quoted(self._staging)} CASCADE")
        if not self._execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", self.schema):
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.schema)}")

    def tables(self) -> dict[str, str]:
        rows = self._execute(
            "SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind IN ('r', 'p')",
            self.schema,
        )
        return {commented_source(comment) or name: name for name, comment in rows}

    def columns(self, table_name: str) -> dict[str, ExistingColumn]:
        rows = self._execute(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum) "
            "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 "
            "AND NOT a.attisdropped ORDER BY a.attnum",
            self.schema,
            table_name,
        )
        return {
            name: ExistingColumn(name, _column_type(sql_type), sql_type, commented_source(comment))
            for name, sql_type, comment in rows
        }

    def places(self, table_name: str) -> int:
        """Columns that were dropped take a place too."""
        ((places,),) = self._execute(
            "SELECT coalesce(max(a.attnum), 0) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            self.schema,
            table_name,
        )
        return int(places)

    def change(self, plan: Plan, source_name: str, key: Sequence[str]) -> None:
        table = qualified(self.schema, plan.table_name)
        changes = []
        statements = []
        if plan.is_new:
            columns = [f"{quoted(name)} {_sql_type(column_type)}" for name, column_type in plan.column_types.items()]
            columns.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
            statements.append(f"CREATE TABLE {table} ({', '.join(columns)})")
            statements.append(f"COMMENT ON TABLE {table} IS {text(source_comment(source_name))}")
        else:
            changes += [f"ADD COLUMN {quoted(name)} {_sql_type(of)}" for name, of in plan.added.items()]
            changes += [
                f"ALTER COLUMN {quoted(name)} TYPE {_sql_type(to)} USING {_converted(quoted(name), current, to)}"
                for name, (current, to) in plan.widened.items()
            ]
            # One statement, so that the table is rewritten once at most.
            statements.append(f"ALTER TABLE {table} {', '.join(changes)}")
        statements += [
            f"COMMENT ON COLUMN {table}.{quoted(name)} IS {text(source_comment(source))}"
            for source, name in plan.names.items()
            if name != source and name in plan.added
        ]
        with self._connection.transaction():
            for statement in statements:
                self._execute(statement)

    def remove_rows(self, table_name: str, rows: pa.Table) -> None:
        source, parameters = _unnested(rows)
        table = qualified(self.schema, table_name)
        condition = key_condition(rows.column_names, "b", table)
        self._execute(f"DELETE FROM {table} USING {source} WHERE {condition}", *parameters)  # noqa: S608 - quoted

    def key(self, table_name: str) -> list[str] | None:
        rows = self._execute(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid "
            "AND a.attnum = ANY(i.indkey) WHERE i.indrelid = %s::regclass AND i.indisprimary",
            qualified(self.schema, table_name),
        )
        return [name for (name,) in rows] or None

    def drop_columns(self, table_name: str, columns: Sequence[str]) -> None:
        dropped = ", ".join(f"DROP COLUMN {quoted(column)}" for column in columns)
        self._execute(f"ALTER TABLE {qualified(self.schema, table_name)} {dropped}")

    def change_key(self, table_name: str, key: Sequence[str], order: Order) -> None:
        table = qualified(self.schema, table_name)
        columns = ", ".join(map(quoted, key))
        stored = self.columns(table_name)
        present = self._execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", table
        )
        with self._connection.transaction():
            self._execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            for (name,) in present:
                self._execute(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}")
            for name in key:
                if stored[name].column_type == types.INSTANT:  # rows of an older version may have none
                    missing = f"{quoted(name)} IS NULL"
                    self._execute(f"UPDATE {table} SET {quoted(name)} = 'epoch' WHERE {missing}")  # noqa: S608 - quoted
            self._execute(
                f"DELETE FROM {table} WHERE ctid IN (SELECT place FROM (SELECT ctid AS place, row_number() OVER "  # noqa: S608 - quoted
                f"(PARTITION BY {columns} ORDER BY {descending(order)}) AS rank FROM {table}) ranked "
                "WHERE rank > 1)"
            )
            self._execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({columns})")

    def latest(self, table_name: str, order: Order) -> Values | None:
        statements = latest_statements(qualified(self.schema, table_name), in_order(order))
        found = [self._execute(statement)[0][0] for statement in statements]
        return None if None in found else tuple(found)

    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
        source, parameters = _unnested(rows)
        found = self._execute(
            f"SELECT b._place - 1 FROM {source} JOIN {qualified(self.schema, table_name)} d "  # noqa: S608 - quoted
            f"ON {key_condition(key, 'b', 'd')} WHERE {later(order, 'd', 'b')}",
            *parameters,
        )
        return [place for (place,) in found]

    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        """PostgreSQL has no NUL character in text: it becomes the six characters ``\\u0000``."""
        if column_type.kind in (Kind.STRING, Kind.XML):
            return _replaced(column, _NUL, lambda value: value.replace(_NUL, "\\u0000"))
        if column_type.kind is Kind.FLOAT:
            # dlt stages every float as a double, and ADBC copies no other width into that.
            return column.cast(pa.float64())
        if column_type.kind is Kind.JSON:
            return _replaced(column, "\\u0000", lambda value: _ESCAPED_NUL.sub(r"\1\\\\u0000", value))
        return column

    def dlt_destination(self) -> Destination[Any, Any]:
        settings = self._settings
        return Database(
            {
                "host": fields.bare_host(settings.host or ""),
                "port": settings.port,
                "database": settings.database,
                "username": settings.user,
                "password": settings.password,
                "connect_timeout": CONNECT_TIMEOUT,
                "query": {name: str(value) for name, value in _session(settings).items()}
                | {"hostaddr": self._connection.info.hostaddr},
            },
            staging_dataset_name_layout=self._staging,
        )

    def clean_up(self) -> None:
        self._execute(f"DROP SCHEMA IF EXISTS {quoted(self._staging)} CASCADE")
        for name in set(self.tables().values()) & {"_dlt_loads", "_dlt_version"}:
            table = qualified(self.schema, name)
            with self._connection.transaction():
                self._execute(f"DELETE FROM {table} WHERE schema_name = %s", PIPELINE)  # noqa: S608 - quoted
                if not self._execute(f"SELECT 1 FROM {table} LIMIT 1"):  # noqa: S608 - quoted
                    self._execute(f"DROP TABLE {table}")

    def _execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def _unnested(rows: pa.Table) -> tuple[str, list[list[Any]]]:
    """Rows as a source of a query, named `b`, with their places from 1 on as `_place`; and its parameters."""
    arrays = ", ".join(f"%s::{_sql_type(types.from_arrow(field))}[]" for field in rows.schema)
    columns = ", ".join(map(quoted, (*rows.column_names, "_place")))
    return f"unnest({arrays}) WITH ORDINALITY AS b({columns})", [column.to_pylist() for column in rows.columns]


def explain(error: BaseException) -> WarehouseError:
    """What an error of the driver, or of dlt on top of it, means for a person."""
    if (refused := rows_refused("PostgreSQL", error)) is not None:
        return refused
    for cause in chain(error):
        state = sql_state(cause)
        message = reason(cause)
        if state == "42501":
            return WarehouseError(
                f"PostgreSQL denied a permission: {message}",
                "Grant the destination's user CREATE on the database, and ownership of the connection's schema.",
            )
        if state == "55P03":
            return WarehouseUnavailable(
                f"A table stayed locked for {LOCK_TIMEOUT} seconds: {message}",
                "End the transaction that holds it; the next sync tries again.",
            )
        if isinstance(cause, (psycopg.OperationalError, psycopg2.OperationalError)) or state[:2] in {"08", "57", "53"}:
            return WarehouseUnavailable(
                f"The connection to PostgreSQL broke: {message}", "See that the server is up; the next sync goes on."
            )
        if isinstance(cause, (psycopg.Error, psycopg2.Error)) or type(cause).__module__.startswith("adbc_driver"):
            return WarehouseError(f"PostgreSQL refused the load: {message}")
    return WarehouseError(f"The load into PostgreSQL failed: {first_reason(error)}")


def _complete(config: Configuration) -> PostgresConfig:
    missing = config.missing()
    if not isinstance(config, PostgresConfig) or missing:
        raise WarehouseError(
            "The destination's configuration is incomplete.", f"Set {', '.join(str(field) for field in missing)}."
        )
    if setting := unavailable(config):
        raise WarehouseError(
            f"{setting} is not available yet.", "Use connection_type Directly and auth_method PASSWORD for now."
        )
    return config


def _session(settings: PostgresConfig, statement_timeout: int = 0) -> dict[str, str | int]:
    """Everything a session is told, so that no environment variable of the PostgreSQL client has a say in it."""
    return {
        "sslmode": ssl_mode(settings),
        "application_name": "syncline",
        "client_encoding": "UTF8",
        "tcp_user_timeout": SILENCE_TIMEOUT * 1000,
        "keepalives_idle": SILENCE_TIMEOUT // 2,
        "options": f"-c timezone=UTC -c lock_timeout={LOCK_TIMEOUT}s -c statement_timeout={statement_timeout}s",
    }


@contextmanager
def _connected(
    settings: PostgresConfig, hosts: HostPolicy, statement_timeout: int = 0
) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    host = fields.bare_host(settings.host or "")
    try:
        address = first_reachable(hosts.addresses(host, settings.port), settings.port, CONNECT_TIMEOUT)
        connection = psycopg.connect(
            host=host,
            hostaddr=str(address),
            port=settings.port,
            dbname=settings.database,
            user=settings.user,
            password=settings.password,
            connect_timeout=CONNECT_TIMEOUT,
            autocommit=True,
            **_session(settings, statement_timeout),  # type: ignore[arg-type]
        )
    except HostRefused as error:
        raise refused_host(error) from error
    except (psycopg.Error, OSError) as error:
        raise WarehouseUnavailable(
            f"PostgreSQL at {host}:{settings.port} cannot be reached: {_why(error)}",
            "Check host, port, database, user and password, and that the server accepts connections from here.",
        ) from error
    with connection:
        yield connection


def _why(error: psycopg.Error | OSError) -> str:
    """Why no connection came about, without what a server said that is no PostgreSQL."""
    if isinstance(error, OSError):
        return own_words(error, "no connection")
    if re.search("invalid response to SSL negotiation|expected authentication request", str(error)):
        return "what answers there is no PostgreSQL"
    return reason(error)


def _sql_type(column_type: ColumnType) -> str:
    if column_type.kind is Kind.DECIMAL:
        return f"numeric({column_type.precision},{column_type.scale})"
    return _SQL_TYPES[column_type.kind]


def _column_type(sql_type: str) -> ColumnType | None:
    match = _DECIMAL.fullmatch(sql_type)
    if match is None:
        return _COLUMN_TYPES.get(sql_type)
    precision, scale = int(match[1]), int(match[2])
    return types.decimal(precision - scale, scale) if scale <= precision <= types.DECIMAL_DIGITS else None


def _converted(column: str, current: ColumnType, target: ColumnType) -> str:
    """The expression that widens a column, the same way as :func:`syncline.warehouses.types.convert` does."""
    if target.kind is Kind.JSON:
        return f"to_jsonb({column})"
    if target.kind is not Kind.STRING:
        return f"{column}::{_sql_type(target)}"
    if current.kind is Kind.INSTANT:
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    if current.kind is Kind.LOCALDATETIME:
        return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
    if current.kind is Kind.BINARY:
        return f"translate(encode({column}, 'base64'), E'\\n', '')"
    return f"{column}::text"


def _replaced(column: pa.ChunkedArray, needle: str, replace: Any) -> pa.ChunkedArray:
    """The column with `replace` applied to the values that hold `needle`; as good as never there are any."""
    if not pc.any(pc.match_substring(column, needle)).as_py():
        return column
    values = [value if value is None or needle not in value else replace(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(values, column.type)])
