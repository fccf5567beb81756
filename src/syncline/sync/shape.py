"""Make the rows of a load out of decoded batches."""

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from syncline.warehouses import types
from syncline.warehouses.types import ColumnType

SYNCED = "_fivetran_synced"
"""The column that says which sync wrote a row: the time that sync began."""


def joined_types(tables: Sequence[pa.Table]) -> dict[str, ColumnType]:
    """The columns of all tables, in the order in which they come first, each with the narrowest type that holds the
    values of all."""
    column_types: dict[str, ColumnType] = {}
    for table in tables:
        for field in table.schema:
            found = types.from_arrow(field)
            known = column_types.get(field.name)
            column_types[field.name] = found if known is None else types.join(known, found)
    return column_types


def combine(tables: Sequence[pa.Table]) -> pa.Table:
    """One table of all rows, each column with the narrowest type that holds the values of all tables."""
    if len(tables) == 1:
        return tables[0]
    column_types = joined_types(tables)
    schema = pa.schema([types.arrow_field(name, column_type) for name, column_type in column_types.items()])
    return pa.concat_tables([_aligned(table, schema) for table in tables])


def stamp(table: pa.Table, synced_at: dt.datetime) -> pa.Table:
    """The table with the time of its sync on every row."""
    field = types.arrow_field(SYNCED, types.INSTANT)
    return table.append_column(field, pa.repeat(pa.scalar(synced_at, field.type), table.num_rows))


def _aligned(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        place = table.schema.get_field_index(field.name)
        if place < 0:
            columns.append(pa.nulls(table.num_rows, field.type))
        else:
            source = types.from_arrow(table.schema.field(place))
            columns.append(types.convert(table.column(place), source, types.from_arrow(field)))
    return pa.table(columns, schema=schema)
