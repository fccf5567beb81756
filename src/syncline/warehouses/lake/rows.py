"""What merges into a lake do with rows."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from syncline.warehouses import types


def replaced(table: pa.Table, rows: pa.Table, key: Sequence[str]) -> pa.Array:
    """For each row of `table`, whether one of `rows` has its key."""
    if len(key) == 1:
        wanted = rows.column(key[0]).combine_chunks().cast(table.schema.field(key[0]).type)
        return pc.is_in(table.column(key[0]), value_set=wanted)
    keys = set(_keys(rows, key))
    return pa.array([of_row in keys for of_row in _keys(table, key)], pa.bool_())


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


def outdated(found: Sequence[pa.Table], rows: pa.Table, key: Sequence[str], sequence: str) -> list[int]:
    """Places of those of `rows` that one of the tables found has with a higher sequence."""
    highest: dict[tuple[object, ...], int] = {}
    for table in found:
        standing = table.filter(replaced(table, rows, key))
        numbers = standing.column(sequence).to_pylist()
        keys = _keys(standing, key)
        highest |= {of: number for of, number in zip(keys, numbers, strict=True) if number is not None}
    numbers = rows.column(sequence).to_pylist()
    return [
        place
        for place, of_row in enumerate(_keys(rows, key))
        if numbers[place] is not None and highest.get(of_row, numbers[place]) > numbers[place]
    ]


def _keys(table: pa.Table, key: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in key), strict=True))
