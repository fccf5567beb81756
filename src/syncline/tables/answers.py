"""From what is stored of a connection's tables and columns to answers."""

from collections.abc import Iterable

from syncline.engine.context import naming_of
from syncline.store.models import Connection, KnownColumn, KnownTable, SchemaConfig
from syncline.sync.catalog import new_column
from syncline.sync.selection import KEY, SYSTEM_COLUMNS, SyncMode, is_system_column
from syncline.tables.schemas import (
    ColumnPatchSettings,
    ColumnResponse,
    ColumnsResponse,
    ConfigResponse,
    SchemaResponse,
    TablePatchSettings,
    TableResponse,
)
from syncline.warehouses.naming import Naming, normalize


def config_answer(
    connection: Connection, config: SchemaConfig, tables: Iterable[KnownTable], columns: Iterable[KnownColumn]
) -> ConfigResponse:
    """The schema config with these tables and columns."""
    known = sorted(tables, key=lambda table: table.name)
    by_table: dict[str, list[KnownColumn]] = {table.name: [] for table in known}
    for column in columns:
        by_table[column.table_name].append(column)
    naming = naming_of(connection)
    answered = {table.name: _table_answer(table, by_table[table.name], naming) for table in known}
    schema = SchemaResponse(name_in_destination=connection.schema, enabled=config.enabled, tables=answered)
    return ConfigResponse(
        enable_new_by_default=config.schema_change_handling == "ALLOW_ALL",
        schema_change_handling=config.schema_change_handling,
        schemas={connection.schema: schema},
    )


def columns_answer(connection: Connection, table: KnownTable, columns: Iterable[KnownColumn]) -> ColumnsResponse:
    """All columns of a table: those that every table has, and those that were met."""
    known = {column.name: column for column in columns}
    for name in (KEY, *SYSTEM_COLUMNS):
        known.setdefault(name, new_column(table.connection_id, table.name, name))
    return ColumnsResponse(columns=_column_answers(table, known.values(), naming_of(connection)))


def primary_key(table: KnownTable) -> tuple[str, ...]:
    """The columns that tell the rows of a table apart."""
    return SyncMode(table.sync_mode).key


def _table_answer(table: KnownTable, columns: Iterable[KnownColumn], naming: Naming) -> TableResponse:
    is_there = table.missing_since is None
    return TableResponse(
        name_in_destination=table.name_in_destination or normalize(table.name, naming),
        enabled=table.enabled,
        sync_mode=table.sync_mode,
        enabled_patch_settings=TablePatchSettings(allowed=is_there, reason_code=None if is_there else "DELETED"),
        columns=_column_answers(table, columns, naming),
    )


def _column_answers(table: KnownTable, columns: Iterable[KnownColumn], naming: Naming) -> dict[str, ColumnResponse]:
    return {
        column.name: ColumnResponse(
            name_in_destination=column.name_in_destination or normalize(column.name, naming),
            enabled=column.enabled,
            hashed=column.hashed,
            is_primary_key=column.name in primary_key(table),
            enabled_patch_settings=_column_settings(column.name),
        )
        for column in sorted(columns, key=lambda column: column.name)
    }


def _column_settings(name: str) -> ColumnPatchSettings:
    if name == KEY:
        return ColumnPatchSettings(allowed=False, reason_code="OTHER", reason="It is the primary key.")
    if is_system_column(name):
        return ColumnPatchSettings(allowed=False, reason_code="SYSTEM_COLUMN")
    return ColumnPatchSettings(allowed=True)
