"""Bring together what was decoded with several schemas.

The messages of one batch may have been written with different versions of a schema. Each version's messages are decoded
on their own; a column that several versions have gets the narrowest type that holds the values of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.outcome import Decoded
from syncline.warehouses import types


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one field of the messages of one version."""

    name: str
    column_type: types.ColumnType
    values: pa.Array


@dataclass(frozen=True, slots=True)
class Group:
    """What the messages of one version gave."""

    places: Sequence[int]
    """Of the messages in the batch, one for each row."""
    columns: Sequence[Column]


def combine(groups: Sequence[Group], reasons: dict[int, str]) -> Decoded:
    """The columns of all groups, their rows in the order of the messages."""
    column_types: dict[str, types.ColumnType] = {}
    for group in groups:
        for column in group.columns:
            known = column_types.get(column.name, column.column_type)
            column_types[column.name] = types.join(known, column.column_type)
    order = _order([place for group in groups for place in group.places])
    fields = [types.arrow_field(name, column_type) for name, column_type in column_types.items()]
    columns: list[pa.ChunkedArray] = []
    for name, column_type in column_types.items():
        chunks: list[pa.Array] = []
        for group in groups:
            chunks += _chunks(group, name, column_type)
        values = pa.chunked_array(chunks, types.to_arrow(column_type))
        columns.append(values if order is None else values.take(order))
    return Decoded(fields, columns, reasons)


def _chunks(group: Group, name: str, column_type: types.ColumnType) -> list[pa.Array]:
    column = next((column for column in group.columns if column.name == name), None)
    if column is None:
        return [pa.nulls(len(group.places), types.to_arrow(column_type))]
    values = pa.chunked_array([column.values])
    return list(types.convert(values, column.column_type, column_type).chunks)


def _order(places: list[int]) -> pa.Array | None:
    """Which row comes first, second, ...; None where they already stand so."""
    if all(first < second for first, second in pairwise(places)):
        return None
    return pa.array(sorted(range(len(places)), key=places.__getitem__), pa.int64())
