"""Tables in the Delta Lake format, through delta-rs. A merge is one commit of the table's log."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from syncline.warehouses import types
from syncline.warehouses.lake.rows import shaped
from syncline.warehouses.lake.storage import Storage
from syncline.warehouses.types import ColumnType


class DeltaTables:
    """The tables of one schema."""

    def __init__(self, storage: Storage, schema: str) -> None:
        self._library: Any = import_module("deltalake")
        self._storage = storage
        self._schema = schema

    def columns(self, table_name: str) -> dict[str, ColumnType]:
        """The columns of a table; none when there is no such table."""
        table = self._open(table_name)
        if table is None:
            return {}
        return {field.name: types.from_arrow(field) for field in table.to_pyarrow_dataset().schema}

    def read(self, table_name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of every row, in parts."""
        table = self._open(table_name)
        if table is not None:
            for batch in table.to_pyarrow_dataset().to_batches(columns=list(columns)):
                yield pa.Table.from_batches([batch])

    def merge(
        self, table_name: str, rows: pa.Table, target: dict[str, ColumnType], key: Sequence[str], folder: Path
    ) -> None:
        """Put rows, of which no two have one key, in the place of those that have their keys."""
        schema = pa.schema([types.arrow_field(name, column_type) for name, column_type in target.items()])
        table = self._open(table_name)
        url, options = self._url(table_name), self._storage.object_store_options or None
        if table is None:
            self._library.write_deltalake(url, shaped(rows, schema), storage_options=options)
            return
        stored = table.to_pyarrow_dataset().schema
        if any(field.name in stored.names and stored.field(field.name).type != field.type for field in schema):
            self._rewrite(table, url, schema, options)
            table = self._open(table_name)
        condition = " AND ".join(f'target."{name}" = source."{name}"' for name in key)
        (
            table.merge(
                shaped(rows, schema), condition, source_alias="source", target_alias="target", merge_schema=True
            )
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )

    def _rewrite(self, table: Any, url: str, schema: pa.Schema, options: dict[str, str] | None) -> None:
        """Give columns wider types, in one commit that replaces every file."""
        parts = table.to_pyarrow_dataset().to_batches()
        batches = (batch for part in parts for batch in shaped(pa.Table.from_batches([part]), schema).to_batches())
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        self._library.write_deltalake(url, reader, mode="overwrite", schema_mode="overwrite", storage_options=options)

    def _url(self, table_name: str) -> str:
        return f"{self._storage.url.rstrip('/')}/{self._schema}/{table_name}"

    def _open(self, table_name: str) -> Any:
        url, options = self._url(table_name), self._storage.object_store_options or None
        if not self._library.DeltaTable.is_deltatable(url, storage_options=options):
            return None
        return self._library.DeltaTable(url, storage_options=options)
