"""What merges into a lake do with rows."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from syncline.warehouses import types
from syncline.warehouses.rows import Order, Values, names_of, older, values_of


def replaced(table: pa.Table, rows: pa.Table, key: Sequence[str]) -> pa.Array:
    """For each row of `table`, whether one of `rows` has its key."""
    if len(key) == 1:
        wanted = rows.column(key[0]).combine_chunks().cast(table.schema.field(key[0]).type)
        return pc.is_in(table.column(key[0]), value_set=wanted)
    keys = set(values_of(rows, key))
    return pa.array([of_row in keys for of_row in values_of(table, key)], pa.bool_())


def shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `schema`: converted where they were narrower, null where they are new."""
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
            continue
        source = types.from_arrow(table.schema.field(field.name))
        columns.append(types.convert(table.column(field.name), source, types.from_arrow(field)))
    return pa.table(columns, schema=schema)


def outdated(found: Iterable[pa.Table], rows: pa.Table, key: Sequence[str], order: Order) -> list[int]:
    """Places of those of `rows` that one of the tables found has in a form that comes later by `order`."""
    latest: dict[Values, Values] = {}
    for table in found:
        standing = table.filter(replaced(table, rows, key))
        latest |= zip(values_of(standing, key), values_of(standing, names_of(order)), strict=True)
    return older(rows, key, order, latest)
