"""Tables as one Parquet file each.

A merge reads the file row group by row group, leaves out the rows that the batch replaces, and writes a new file that
takes the old one's place in one step. So a table is never half written, and no row is in it twice; the price is that
every load writes the whole table.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from syncline.warehouses import types
from syncline.warehouses.lake.rows import replaced, shaped
from syncline.warehouses.lake.storage import Storage
from syncline.warehouses.types import ColumnType

DATA = "data.parquet"
GROUP_ROWS = 100_000
"""Rows of a row group, at least: many small loads must not make many small groups."""


class ParquetTables:
    """The tables of one schema."""

    def __init__(self, storage: Storage, schema: str) -> None:
        self._storage = storage
        self._schema = schema

    def columns(self, table_name: str) -> dict[str, ColumnType]:
        """The columns of a table; none when there is no such table."""
        with self._open(table_name) as file:
            return {f.name: types.from_arrow(f) for f in file.schema_arrow} if file is not None else {}

    def read(self, table_name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some columns of every row, in parts."""
        return self._read(table_name, list(columns))

    def merge(
        self, table_name: str, rows: pa.Table, target: dict[str, ColumnType], key: Sequence[str], folder: Path
    ) -> None:
        """Put rows, of which no two have one key, in the place of those that have their keys."""
        new = folder / "new.parquet"
        schema = pa.schema([types.arrow_field(name, column_type) for name, column_type in target.items()])
        with pq.ParquetWriter(new, schema, compression="zstd") as writer:
            pending: list[pa.Table] = []
            for table in self._read(table_name, None):
                pending.append(shaped(table.filter(pc.invert(replaced(table, rows, key))), schema))
                if sum(part.num_rows for part in pending) >= GROUP_ROWS:
                    writer.write_table(pa.concat_tables(pending), row_group_size=2 * GROUP_ROWS)
                    pending = []
            writer.write_table(pa.concat_tables([*pending, shaped(rows, schema)]), row_group_size=2 * GROUP_ROWS)
        self._storage.replace(new, self._path(table_name))

    def _path(self, table_name: str) -> str:
        return self._storage.path(self._schema, table_name, DATA)

    def _read(self, table_name: str, columns: list[str] | None) -> Iterator[pa.Table]:
        with self._open(table_name) as file:
            if file is not None:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group, columns=columns)

    @contextmanager
    def _open(self, table_name: str) -> Iterator[pq.ParquetFile | None]:
        path = self._path(table_name)
        if not self._storage.files.exists(path):
            yield None
            return
        with self._storage.files.open(path, "rb") as raw, pq.ParquetFile(raw) as file:
            yield file
