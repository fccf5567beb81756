"""A connection to a cloud warehouse, through dlt's own client for it.

dlt makes tables and columns, and merges. What it does not do is done here: the names of the source are written down in
a table beside the others, and a column that became too narrow is replaced by a wider one.

A column is replaced in four statements, because not every service changes types in place or has transactions for it:
a wider column is added, filled, put in the place of the old one, and renamed. What a crash leaves in between is told by
its name and mended before the next load.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any

import pyarrow as pa
from dlt.common.destination import Destination
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.destinations.job_client_impl import SqlJobClientBase

from syncline.warehouses import types
from syncline.warehouses.cloud.errors import CannotConnect
from syncline.warehouses.cloud.service import CloudService, Dialect
from syncline.warehouses.dlt_loading import DltConnection
from syncline.warehouses.dlt_runtime import PIPELINE
from syncline.warehouses.loading import ExistingColumn, Plan
from syncline.warehouses.rows import Order, Values, names_of, older, values_of
from syncline.warehouses.sql import latest_statements
from syncline.warehouses.types import ColumnType, Kind

NAMES = "_syncline_names"
"""The table that says what tables and columns are called in the source."""
_WIDENING = "_syncline_wider_"

_DATA_TYPES: dict[Kind, TColumnSchema] = {
    Kind.BOOLEAN: {"data_type": "bool"},
    Kind.LONG: {"data_type": "bigint"},
    Kind.DOUBLE: {"data_type": "double"},
    Kind.LOCALDATE: {"data_type": "date"},
    Kind.LOCALDATETIME: {"data_type": "timestamp", "timezone": False},
    Kind.INSTANT: {"data_type": "timestamp", "timezone": True},
    Kind.JSON: {"data_type": "json"},
    Kind.BINARY: {"data_type": "binary"},
    Kind.STRING: {"data_type": "text"},
}


@contextmanager
def connected(service: CloudService, destination: Destination[Any, Any], schema: str) -> Iterator["CloudConnection"]:
    """An open connection that works on one schema. dlt must have been prepared."""
    with open_client(destination, schema) as client:
        yield CloudConnection(service, destination, client, schema)


@contextmanager
def open_client(destination: Destination[Any, Any], schema: str) -> Iterator[SqlJobClientBase]:
    """dlt's client for a destination, connected."""
    config = destination.spec()
    config._bind_dataset_name(dataset_name=schema)
    client = destination.client(Schema(PIPELINE), config)
    if not isinstance(client, SqlJobClientBase):
        raise TypeError(f"{destination.destination_name} is no SQL destination")
    with ExitStack() as stack:
        try:
            stack.enter_context(client)  # type: ignore[arg-type]
        except Exception as error:
            raise CannotConnect from error
        yield client


def run_ddl(client: SqlJobClientBase, table_name: str, columns: dict[str, TColumnSchema], *, alter: bool) -> None:
    """Make a table, or add columns to one, in dlt's words for the service."""
    named: dict[str, TColumnSchema] = {name: {**column, "name": name} for name, column in columns.items()}
    client.schema.update_table({"name": table_name, "write_disposition": "append", "columns": named})
    for statement in client._get_table_update_sql(table_name, list(named.values()), alter):
        client.sql_client.execute_sql(statement)


class CloudConnection(DltConnection):
    """An open connection to one schema of a cloud warehouse."""

    def __init__(
        self, service: CloudService, destination: Destination[Any, Any], client: SqlJobClientBase, schema: str
    ) -> None:
        self.schema = schema
        self.longest_name = service.longest_name
        formats = client.capabilities.supported_loader_file_formats or ()
        self.file_format = (
            "parquet" if client.capabilities.preferred_loader_file_format != "insert_values" else ("insert_values")
        )
        if self.file_format not in formats:
            raise ValueError(f"{service.name} takes none of the forms in which rows can be handed over")
        self._dialect: Dialect = service.dialect
        self._batch_of_keys = service.batch_of_keys
        self._destination = destination
        self._client = client
        self._sql = client.sql_client

    def fold(self, name: str) -> str:
        return self._dialect.fold(name)

    def nearest(self, column_type: ColumnType) -> ColumnType:
        return self._dialect.nearest_type(column_type)

    def prepare_schema(self) -> None:
        self._drop_staging()
        if not self._sql.has_dataset():
            self._sql.create_dataset()

    def tables(self) -> dict[str, str]:
        return {source: table for table, column, source in self._names() if not column}

    def columns(self, table_name: str) -> dict[str, ExistingColumn]:
        found = self._stored(table_name)
        if any(name.startswith(_WIDENING) for name in found):
            self._mend(table_name, set(found))
            found = self._stored(table_name)
        sources = {column: source for table, column, source in self._names() if table == table_name}
        return {
            name: ExistingColumn(name, _column_type(column), str(column.get("data_type")), sources.get(name))
            for name, column in found.items()
        }

    def change(self, plan: Plan, source_name: str, key: Sequence[str]) -> None:
        known = {(table, column) for table, column, _ in self._names()}
        rows = [(plan.table_name, "", source_name)]
        rows += [(plan.table_name, name, source) for source, name in plan.names.items() if name != source]
        self._write_names([row for row in rows if row[:2] not in known])
        for name, (_, target) in plan.widened.items():
            self._widen(plan.table_name, name, target)

    def latest(self, table_name: str, order: Order) -> Values | None:
        # Services differ in how they have the lowest bits of a number, so the comparison may end before.
        whole = takewhile(lambda column: column.mask is None, order)
        statements = latest_statements(self._table(table_name), [self._quoted(column.name) for column in whole])
        found = tuple(_plain(self._query(statement)[0][0]) for statement in statements)
        return None if None in found else found

    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
        names = list(dict.fromkeys([*key, *names_of(order)]))
        selected = ", ".join(self._quoted(name) for name in names)
        first = self._quoted(key[0])
        standing: dict[Values, Values] = {}
        values = list(dict.fromkeys(value for value in rows.column(key[0]).to_pylist() if value is not None))
        for start in range(0, len(values), self._batch_of_keys):
            some = values[start : start + self._batch_of_keys]
            places = ", ".join(["%s"] * len(some))
            statement = f"SELECT {selected} FROM {self._table(table_name)} WHERE {first} IN ({places})"  # noqa: S608
            for found in self._query(statement, *some):
                of_row = dict(zip(names, map(_plain, found), strict=True))
                standing[tuple(of_row[name] for name in key)] = tuple(of_row[name] for name in names_of(order))
        return older(rows, key, order, standing)

    def remove_rows(self, table_name: str, rows: pa.Table) -> None:
        """A part after the other; harmless to repeat."""
        wanted = values_of(rows, rows.column_names)
        of_one = " AND ".join(f"{self._quoted(name)} = %s" for name in rows.column_names)
        step = max(1, self._batch_of_keys // rows.num_columns)
        for start in range(0, len(wanted), step):
            some = wanted[start : start + step]
            condition = " OR ".join([f"({of_one})"] * len(some))
            statement = f"DELETE FROM {self._table(table_name)} WHERE {condition}"  # noqa: S608 - quoted
            self._sql.execute_sql(statement, *(value for values in some for value in values))

    def drop_columns(self, table_name: str, columns: Sequence[str]) -> None:
        """One after the other; harmless to repeat."""
        table = self._table(table_name)
        for statement in self._dialect.before_change:
            self._sql.execute_sql(statement.format(table=table))
        for column in columns:
            self._sql.execute_sql(self._dialect.drop.format(table=table, column=self._quoted(column)))

    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        return column

    def dlt_destination(self) -> Destination[Any, Any]:
        return self._destination

    def clean_up(self) -> None:
        self._drop_staging()
        for name in ("_dlt_loads", "_dlt_version"):
            if not self._stored(name):
                continue
            table = self._table(name)
            self._sql.execute_sql(f"DELETE FROM {table} WHERE schema_name = %s", PIPELINE)  # noqa: S608 - quoted
            if not self._query(f"SELECT COUNT(*) FROM {table}")[0][0]:  # noqa: S608 - quoted
                self._sql.drop_tables(name)

    def _drop_staging(self) -> None:
        with self._sql.with_staging_dataset():
            if self._sql.has_dataset():
                self._sql.drop_dataset()

    def _stored(self, table_name: str) -> dict[str, TColumnSchema]:
        _, columns = self._client.get_storage_table(table_name)
        return dict(columns)

    def _names(self) -> list[tuple[str, str, str]]:
        """Table, column (empty for the table itself) and the source's name."""
        if not self._stored(NAMES):
            return []
        table = self._table(NAMES)
        found = self._query(f"SELECT table_name, column_name, source_name FROM {table}")  # noqa: S608 - quoted
        return [(table_name, column or "", source) for table_name, column, source in found]

    def _write_names(self, rows: list[tuple[str, str, str]]) -> None:
        if not rows:
            return
        if not self._stored(NAMES):
            text: TColumnSchema = {"data_type": "text"}
            names = ("table_name", "column_name", "source_name")
            run_ddl(self._client, NAMES, dict.fromkeys(names, text), alter=False)
        for row in rows:
            self._sql.execute_sql(f"INSERT INTO {self._table(NAMES)} VALUES (%s, %s, %s)", *row)  # noqa: S608

    def _widen(self, table_name: str, name: str, target: ColumnType) -> None:
        wider = _WIDENING + name
        dialect, table = self._dialect, self._table(table_name)
        for statement in dialect.before_change:
            self._sql.execute_sql(statement.format(table=table))
        column = _data_type(target)
        run_ddl(self._client, table_name, {wider: column}, alter=True)
        value = self._converted(table_name, self._quoted(name), target, column)
        self._sql.execute_sql(dialect.copy.format(table=table, new=self._quoted(wider), value=value))
        self._replace(table_name, name)

    def _replace(self, table_name: str, name: str) -> None:
        table, old, new = self._table(table_name), self._quoted(_WIDENING + name), self._quoted(name)
        self._sql.execute_sql(self._dialect.drop.format(table=table, column=new))
        self._sql.execute_sql(self._dialect.rename.format(table=table, old=old, new=new, new_name=name))

    def _mend(self, table_name: str, columns: set[str]) -> None:
        """Undo, or finish, what a widening that was cut off left."""
        table = self._table(table_name)
        for wider in sorted(name for name in columns if name.startswith(_WIDENING)):
            name, quoted = wider.removeprefix(_WIDENING), self._quoted(wider)
            if name in columns:
                self._sql.execute_sql(self._dialect.drop.format(table=table, column=quoted))
            else:
                new = self._quoted(name)
                self._sql.execute_sql(self._dialect.rename.format(table=table, old=quoted, new=new, new_name=name))

    def _converted(self, table_name: str, column: str, target: ColumnType, declared: TColumnSchema) -> str:
        text = self._dialect.to_text.format(column=column)
        if target.kind is Kind.STRING:
            return text
        if target.kind is Kind.JSON:
            return self._dialect.to_json.format(text=text)
        table = self._client.prepare_load_table(table_name)
        return f"CAST({column} AS {self._client.type_mapper.to_destination_type(declared, table)})"

    def _query(self, statement: str, *parameters: Any) -> Sequence[Sequence[Any]]:
        return self._sql.execute_sql(statement, *parameters) or []

    def _table(self, name: str) -> str:
        return self._sql.make_qualified_table_name(name)

    def _quoted(self, name: str) -> str:
        return self._sql.escape_column_name(name)


def _plain(value: Any) -> Any:
    """A value of a key or an order, as drivers give it: an integer may come as a decimal, a time without its zone."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _data_type(column_type: ColumnType) -> TColumnSchema:
    if column_type.kind is Kind.DECIMAL:
        return {"data_type": "decimal", "precision": column_type.precision, "scale": column_type.scale}
    return _DATA_TYPES[column_type.kind]


def _column_type(column: TColumnSchema) -> ColumnType | None:
    """The type of a stored column; None for one that no load of ours makes."""
    data_type = column.get("data_type")
    if data_type == "timestamp":
        return types.LOCALDATETIME if column.get("timezone") is False else types.INSTANT
    if data_type in ("decimal", "wei"):
        precision, scale = column.get("precision"), column.get("scale") or 0
        if precision is None or not 0 <= scale <= precision <= types.DECIMAL_DIGITS:
            precision, scale = types.DECIMAL_DIGITS, min(scale or 9, types.DECIMAL_DIGITS)
        return types.decimal(precision - scale, scale)
    kinds = [kind for kind, declared in _DATA_TYPES.items() if declared.get("data_type") == data_type]
    return ColumnType(kinds[0]) if kinds else None
