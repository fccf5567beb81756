"""Loading that is the same for every SQL warehouse.

The destination is the truth: before each load its table is looked at, missing tables and columns are made and columns
that became too narrow are widened, all by us and with our types. The merge then finds a table that fits.
"""

import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from syncline.warehouses import types
from syncline.warehouses.base import Loader, LoadResult, Standing
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.naming import Naming, assign
from syncline.warehouses.refusals import conversions
from syncline.warehouses.rows import SEQUENCE, Order, OrderColumn, Values, first_and_last, names_of, newest
from syncline.warehouses.types import ColumnType

_TABLES_OF_DLT = frozenset({"_dlt_loads", "_dlt_version", "_dlt_pipeline_state"})
"""Names of tables that dlt makes for itself, ours or another's that shares the schema."""


@dataclass(frozen=True, slots=True)
class ExistingColumn:
    """A column that stands in the destination."""

    name: str
    column_type: ColumnType | None
    """None for a type that no load of ours makes."""
    sql_type: str
    source_name: str | None
    """The source's name for it, where that was written down."""

    @property
    def source(self) -> str:
        """The source's name for it: where none was written down, the column is called so there too."""
        return self.name if self.source_name is None else self.source_name


@dataclass(frozen=True, slots=True)
class Plan:
    """How a batch goes into its table."""

    table_name: str
    is_new: bool
    names: dict[str, str]
    """The destination's name of each of the batch's columns."""
    column_types: dict[str, ColumnType]
    """The type of each of the batch's columns in the destination, by its name there."""
    added: dict[str, ColumnType]
    widened: dict[str, tuple[ColumnType, ColumnType]]
    """From and to."""


class Connection(ABC):
    """An open connection to a SQL warehouse, working on one schema."""

    longest_name: int
    """Most bytes of an identifier."""

    def fold(self, name: str) -> str:
        """A new name in the case that this warehouse gives to names without quotes."""
        return name

    def nearest(self, column_type: ColumnType) -> ColumnType:
        """The narrowest type of this warehouse that holds every value of `column_type`."""
        return column_type

    @abstractmethod
    def prepare_schema(self) -> None:
        """Make the schema when it is missing, and remove what an earlier load left half done."""

    @abstractmethod
    def tables(self) -> dict[str, str]:
        """The tables of the schema: the source's name (where it was written down, else their own) to the name."""

    @abstractmethod
    def columns(self, table_name: str) -> dict[str, ExistingColumn]:
        """The columns of a table by name, in order; none when there is no such table."""

    def places(self, table_name: str) -> int:
        """How many of the columns that a table can have are used up."""
        return len(self.columns(table_name))

    @abstractmethod
    def change(self, plan: Plan, source_name: str, key: Sequence[str]) -> None:
        """Make the table or change its columns, all in one transaction."""

    def key(self, table_name: str) -> list[str] | None:
        """The columns of the key that the table was made with; None where tables have none."""
        return None

    @abstractmethod
    def latest(self, table_name: str, order: Order) -> Values | None:
        """The highest value of the first column of `order`, and of the next one among the rows that have it, and so
        on, perhaps not to the last. None in a table without such values."""

    @abstractmethod
    def outdated(self, table_name: str, rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
        """Places in `rows` (the columns of `key` and `order`) of those that the table has in a form that comes later
        by `order`. Null comes before any value."""

    @abstractmethod
    def storable(self, column: pa.ChunkedArray, column_type: ColumnType) -> pa.ChunkedArray:
        """The column as this warehouse can store it."""

    @abstractmethod
    def merge(self, plan: Plan, rows: pa.Table, key: list[str], folder: Path) -> None:
        """Merge rows, named and typed as the plan says, into the table, which fits: all or nothing, and durably.

        No two rows have one key, and no row of the table is newer. `folder` is for files of this load alone; it is not
        there yet, and goes afterwards.
        """

    def remove_rows(self, table_name: str, rows: pa.Table) -> None:
        """Remove the rows that equal one of `rows`, named as here, in all of its columns.

        Raises:
            NotImplementedError: This warehouse cannot.
        """
        raise NotImplementedError

    def drop_columns(self, table_name: str, columns: Sequence[str]) -> None:
        """Drop columns that the table has, all in one transaction.

        Raises:
            NotImplementedError: This warehouse cannot.
        """
        raise NotImplementedError

    def change_key(self, table_name: str, key: Sequence[str], order: Order) -> None:
        """Let the table have another key, all in one transaction. Of rows that are equal by it, the one that comes
        last by `order` stays.

        Raises:
            NotImplementedError: This warehouse cannot.
        """
        raise NotImplementedError


class SqlLoader(Loader):
    """A loader that asks for a connection for each load, so that others can use the destination in between.

    Args:
        connect: Gives a connection; raises ``WarehouseError``.
        explain: Makes a ``WarehouseError`` of whatever the warehouse's driver or dlt raised.
        working_directory: An empty folder for the files of a load.
        naming: How names of tables and columns are made.
        rest: Lets go of what `connect` holds on to between two loads; nothing where it holds on to nothing.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[Connection]],
        explain: Callable[[BaseException], WarehouseError],
        working_directory: Path,
        naming: Naming,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._rest = rest
        self._folder = working_directory
        self._naming = naming
        self._lock = threading.Lock()
        self._loads = 0
        self._latest: dict[str, Values] = {}
        """By table, the last of its rows by their order, as far as it is known."""
        self._sources: Sequence[str] = ()
        self._keyed: set[str] = set()
        """Tables that have the key that loads go by."""

    def load(
        self,
        source_name: str,
        table: pa.Table,
        *,
        key: Sequence[str] = ("message_id",),
        order: Order = SEQUENCE,
    ) -> LoadResult:
        with self._lock, self._errors_explained(), self._connect() as connection:
            connection.prepare_schema()
            plan = self._plan(connection, source_name, table)
            if plan.is_new or plan.added or plan.widened:
                connection.change(plan, source_name, [plan.names[name] for name in key])
            key_names = [plan.names[name] for name in key]
            order_names = [column._replace(name=plan.names[column.name]) for column in order]
            self._see_to_key(connection, plan, key_names, order_names)
            with conversions():
                shaped = newest(_shape(connection, plan, table), key_names, order_names)
            current = self._without_outdated(connection, plan, shaped, key_names, order_names)
            if current.num_rows:
                self._merge(connection, plan, current, key_names)
        return LoadResult(
            plan.table_name,
            table.num_rows,
            tuple(plan.added) if not plan.is_new else (),
            tuple(plan.widened),
            plan.names,
        )

    def note_sources(self, source_names: Sequence[str]) -> None:
        self._sources = source_names

    def standing(self, source_name: str) -> Standing:
        with self._lock, self._errors_explained(), self._connect() as connection:
            table_name, names = _standing(connection, source_name)
            if table_name is None:
                return Standing()
            return Standing(frozenset(names), connection.places(table_name))

    def rest(self) -> None:
        with self._lock, self._errors_explained():
            self._rest()

    def remove_rows(self, source_name: str, rows: pa.Table) -> bool:
        with self._lock, self._errors_explained(), self._connect() as connection:
            table_name, names = _standing(connection, source_name)
            if table_name is None or not names.keys() >= set(rows.column_names):
                return False
            try:
                connection.remove_rows(table_name, rows.rename_columns([names[name] for name in rows.column_names]))
            except NotImplementedError:
                return super().remove_rows(source_name, rows)
        return True

    def drop_columns(self, source_name: str, columns: Sequence[str]) -> None:
        with self._lock, self._errors_explained(), self._connect() as connection:
            table_name, names = _standing(connection, source_name)
            doomed = [names[column] for column in columns if column in names]
            if table_name is not None and doomed:
                try:
                    connection.drop_columns(table_name, doomed)
                except NotImplementedError:
                    super().drop_columns(source_name, columns)

    def change_key(self, source_name: str, *, key: Sequence[str], order: Order = SEQUENCE) -> None:
        with self._lock, self._errors_explained(), self._connect() as connection:
            table_name, names = _standing(connection, source_name)
            if table_name is not None:
                try:
                    # A column that is not there yet comes with the next load, which then sees to the key.
                    connection.change_key(table_name, _those_in(names, key), _those_in_order(names, order))
                except NotImplementedError:
                    super().change_key(source_name, key=key, order=order)

    def _plan(self, connection: Connection, source_name: str, table: pa.Table) -> Plan:
        tables = connection.tables()
        if source_name not in tables:
            tables = assign(
                [*self._sources, source_name], tables, self._naming, connection.longest_name, taken=_TABLES_OF_DLT
            )
        table_name = connection.fold(tables[source_name])
        existing = connection.columns(table_name)
        known = {column.source: column.name for column in existing.values()}
        names = assign(table.column_names, known, self._naming, connection.longest_name)
        names = {source: connection.fold(name) for source, name in names.items()}
        by_folded_name = {column.name.casefold(): column for column in existing.values()}
        added: dict[str, ColumnType] = {}
        widened: dict[str, tuple[ColumnType, ColumnType]] = {}
        column_types: dict[str, ColumnType] = {}
        for field in table.schema:
            incoming = connection.nearest(types.from_arrow(field))
            column = by_folded_name.get(names[field.name].casefold())
            if column is None:
                added[names[field.name]] = column_types[names[field.name]] = incoming
                continue
            names[field.name] = column.name
            current = _known_type(column, table_name)
            target = column_types[column.name] = connection.nearest(types.join(current, incoming))
            if target != current:
                widened[column.name] = (current, target)
        names = {field.name: names[field.name] for field in table.schema}
        return Plan(table_name, not existing, names, column_types, added, widened)

    def _see_to_key(self, connection: Connection, plan: Plan, key: list[str], order: list[OrderColumn]) -> None:
        """Give a table that was made with another key this one."""
        if plan.table_name in self._keyed:
            return
        standing = None if plan.is_new else connection.key(plan.table_name)
        if standing is not None and set(standing) != set(key):
            connection.change_key(plan.table_name, key, order)
        self._keyed.add(plan.table_name)

    def _without_outdated(
        self, connection: Connection, plan: Plan, rows: pa.Table, key: list[str], order: list[OrderColumn]
    ) -> pa.Table:
        """The rows that the destination does not have in a newer form.

        A batch that is newer than all of the table, as it is in every sync but a historical one, needs no look.
        """
        if plan.is_new or not plan.added.keys().isdisjoint(names_of(order)):
            latest = None
        elif plan.table_name in self._latest:
            latest = self._latest[plan.table_name]
        else:
            latest = connection.latest(plan.table_name, order)
        first, last = first_and_last(rows, order)
        if last is not None:
            self._latest[plan.table_name] = last if latest is None or last[: len(latest)] >= latest else latest
        is_newer = latest is None or (first is not None and first[: len(latest)] > latest)
        if is_newer or set(names_of(order)) <= set(key):
            return rows
        columns = list(dict.fromkeys([*key, *names_of(order)]))
        outdated = connection.outdated(plan.table_name, rows.select(columns), key, order)
        if not outdated:
            return rows
        return rows.take(pa.array(sorted(set(range(rows.num_rows)).difference(outdated)), pa.int64()))

    def _merge(self, connection: Connection, plan: Plan, rows: pa.Table, key: list[str]) -> None:
        self._loads += 1
        folder = self._folder / f"load-{self._loads}"
        try:
            connection.merge(plan, rows, key, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except WarehouseError:
            raise
        except Exception as error:
            raise self._explain(error) from error


def _standing(connection: Connection, source_name: str) -> tuple[str | None, dict[str, str]]:
    """The table of `source_name` as it stands, and the names of its columns by those of the source."""
    table_name = connection.tables().get(source_name)
    if table_name is None:
        return None, {}
    return table_name, {column.source: column.name for column in connection.columns(table_name).values()}


def _those_in(names: Mapping[str, str], columns: Sequence[str]) -> list[str]:
    return [names[column] for column in columns if column in names]


def _those_in_order(names: Mapping[str, str], order: Order) -> list[OrderColumn]:
    return [column._replace(name=names[column.name]) for column in order if column.name in names]


def _known_type(column: ExistingColumn, table_name: str) -> ColumnType:
    if column.column_type is None:
        raise WarehouseError(
            f"The column {column.name} of table {table_name} has the type {column.sql_type}, which Syncline does not "
            "load into.",
            "Change the column to text, or rename it: a new one is then made in its place.",
        )
    return column.column_type


def _shape(connection: Connection, plan: Plan, table: pa.Table) -> pa.Table:
    """The batch with the destination's names and types."""
    fields = []
    columns = []
    for field in table.schema:
        name = plan.names[field.name]
        target = plan.column_types[name]
        column = types.convert(table.column(field.name), types.from_arrow(field), target)
        columns.append(connection.storable(column, target))
        fields.append(pa.field(name, columns[-1].type))
    return pa.table(columns, schema=pa.schema(fields))
