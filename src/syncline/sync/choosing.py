"""Leave out, hash and fit the columns of a load, as its selection says."""

import pyarrow as pa

from syncline.sync.hashing import hashed
from syncline.sync.selection import Selection, stored_name
from syncline.sync.type_lock import fitted
from syncline.warehouses import types


def choose(table: pa.Table, selection: Selection) -> tuple[pa.Table, dict[str, int]]:
    """What of a table is loaded, and how many values of each column were lost to the lock of its type."""
    lost: dict[str, int] = {}
    fields: list[pa.Field] = []
    columns: list[pa.ChunkedArray] = []
    for field, column in zip(table.schema, table.columns, strict=True):
        name, column_type = stored_name(field.name), types.from_arrow(field)
        if name in selection.blocked:
            continue
        if name in selection.hashed:
            field = types.arrow_field(field.name, types.STRING)
            column = hashed(column, column_type, selection.salt)
        elif name in selection.locked_types and not types.holds(selection.locked_types[name], column_type):
            kept = fitted(column, column_type, selection.locked_types[name])
            if kept.null_count > column.null_count:
                lost[name] = kept.null_count - column.null_count
            field, column = types.arrow_field(field.name, selection.locked_types[name]), kept
        fields.append(field)
        columns.append(column)
    return pa.table(columns, schema=pa.schema(fields)), lost
