"""Fields beyond the columns that a table can have, or is to have: they go together into one JSON column.

A field whose column stands in the destination keeps it. Of the others, those that come first get what room there is. So
it makes no difference how messages are cut into batches and syncs, but for fields that meet for the first time.
"""

from collections.abc import Iterable, Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from syncline.sync.hashing import hashed
from syncline.sync.selection import OTHER, Selection, stored_name
from syncline.warehouses import types
from syncline.warehouses.base import Loader, Standing
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.types import ColumnType, Kind

_FIELD = "value_"
"""What the columns of fields begin with; the rest is the field's name."""
_JSON_BY_ITSELF = frozenset(
    {Kind.BOOLEAN, Kind.SHORT, Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE, Kind.JSON}
)


class Room:
    """What room the tables of one schema have for more columns."""

    def __init__(self, loader: Loader, limits: ColumnLimits) -> None:
        self._loader = loader
        self._limits = limits
        self._standing: dict[str, Standing] = {}

    def overflowing(self, stream: str, columns: Iterable[str], blocked: frozenset[str]) -> list[str]:
        """The columns of a load that find no room in the table of a stream.

        Args:
            stream: The stream.
            columns: The columns of the load, those that come first first.
            blocked: Columns that are not written. They leave room for others, whether they stand or not.
        """
        standing = self._standing.get(stream)
        if standing is None:
            standing = self._standing[stream] = self._loader.standing(stream)
        new = [name for name in columns if name not in standing.columns and stored_name(name) not in blocked]
        fields = [name for name in new if name.startswith(_FIELD)]
        written = sum(stored_name(name) not in blocked for name in standing.columns)
        room = self._limits.usual - written
        if self._limits.most is not None:
            room = min(room, self._limits.most - standing.places)
        room -= len(new) - len(fields)
        if len(fields) <= room:
            return []
        if OTHER not in standing.columns:
            room -= 1
        return fields[max(0, room) :]

    def note(self, stream: str, columns: Iterable[str]) -> None:
        """Take note that a load was done: these columns stand now."""
        if (standing := self._standing.get(stream)) is not None:
            new = standing.columns.union(columns)
            self._standing[stream] = Standing(new, standing.places + len(new) - len(standing.columns))

    def forget(self, stream: str) -> None:
        """Look again what stands, before the next load: one was refused, or the table was changed."""
        self._standing.pop(stream, None)


def gathered(table: pa.Table, fields: Sequence[str], selection: Selection) -> pa.Table:
    """The table with the columns `fields` gathered into :data:`~syncline.sync.selection.OTHER`: a JSON object of a
    row's values, by the names of the fields; null where there is none. Values of hashed columns are hashed."""
    gone = set(fields)
    kept = [place for place, name in enumerate(table.column_names) if name not in gone]
    if len(kept) == table.num_columns:
        return table
    objects: list[list[str]] = [[] for _ in range(table.num_rows)]
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.name not in gone:
            continue
        rows = pc.indices_nonzero(column.is_valid()).to_pylist()
        column, column_type = column.drop_null(), types.from_arrow(field)
        if stored_name(field.name) in selection.hashed:
            column, column_type = hashed(column, column_type, selection.salt), types.STRING
        key = orjson.dumps(field.name.removeprefix(_FIELD)).decode()
        for row, text in zip(rows, _as_json(column, column_type), strict=True):
            objects[row].append(f"{key}:{text}")
    values = pa.array([f"{{{','.join(of_row)}}}" if of_row else None for of_row in objects], pa.string())
    return table.select(kept).append_column(types.arrow_field(OTHER, types.JSON), values)


def _as_json(column: pa.ChunkedArray, column_type: ColumnType) -> list[str]:
    """The JSON text of each value, as JSON keeps it: numbers without loss, what is JSON as it is, the rest as text."""
    if column_type.kind in _JSON_BY_ITSELF:
        texts: list[str] = types.convert(column, column_type, types.JSON).to_pylist()
        return texts
    return [orjson.dumps(text).decode() for text in types.convert(column, column_type, types.STRING).to_pylist()]
