"""Leave out, hash and fit the columns of a load, as its selection says."""

import pyarrow as pa

from syncline.sync.hashing import hashed
from syncline.sync.selection import Selection, stored_name
from syncline.sync.type_lock import fitted
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType


def column_types(table: pa.Table) -> dict[str, ColumnType]:
    """The types of a table's columns."""
    return {field.name: types.from_arrow(field) for field in table.schema}


def choose(table: pa.Table, selection: Selection) -> tuple[pa.Table, dict[str, int]]:
    """What of a table is loaded, and how many values of each column were lost to the lock of its type."""
    lost: dict[str, int] = {}
    for place in reversed(range(table.num_columns)):
        field, column = table.schema.field(place), table.column(place)
        name, column_type = stored_name(field.name), types.from_arrow(field)
        if name in selection.blocked:
            table = table.remove_column(place)
        elif name in selection.hashed:
            table = table.set_column(
                place, types.arrow_field(field.name, types.STRING), hashed(column, column_type, selection.salt)
            )
        elif name in selection.locked_types and not types.holds(selection.locked_types[name], column_type):
            kept = fitted(column, column_type, selection.locked_types[name])
            table = table.set_column(place, types.arrow_field(field.name, selection.locked_types[name]), kept)
            if kept.null_count > column.null_count:
                lost[name] = kept.null_count - column.null_count
    return table, lost
