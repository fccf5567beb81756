"""What merges do with rows before they reach a destination.

Rows are ordered by several columns, the first of which counts most; null comes before any value.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

Values = tuple[Any, ...]
"""What a row has in some columns."""


class OrderColumn(NamedTuple):
    """A column that rows are ordered by."""

    name: str
    bits: int = 64
    """How many of an integer's lowest bits count."""

    @property
    def mask(self) -> int | None:
        """What an integer is taken by; None where all of the value counts."""
        return None if self.bits == 64 else (1 << self.bits) - 1


Order = Sequence[OrderColumn]
"""The columns that rows are ordered by, the first of which counts most."""
SEQUENCE: Order = (OrderColumn("sequence_num"),)
"""The order by number alone."""


def names_of(order: Order) -> list[str]:
    """The columns of an order, each once."""
    return list(dict.fromkeys(column.name for column in order))


def newest(rows: pa.Table, key: Sequence[str], order: Order) -> pa.Table:
    """Of the rows with the same key, the one that comes last by `order`; the last one of several that are equal.

    Keys are never null. Where no key repeats, which is the rule, this is one look at the key columns.
    """
    if _distinct(rows, key) == rows.num_rows:
        return rows
    ordered = _ordered(rows, order)
    names = [str(number) for number in range(len(key))]
    ascending = pa.table([*(rows.column(name).take(ordered) for name in key), ordered], names=[*names, "place"])
    # "last" goes by the order of the rows, which threads would not keep.
    last = ascending.group_by(names, use_threads=False).aggregate([("place", "last")]).column("place_last")
    return rows.take(last.take(pc.sort_indices(last)))


def first_and_last(rows: pa.Table, order: Order) -> tuple[Values | None, Values | None]:
    """What the first and the last row by `order` have in it; None where that is not all values."""
    return _extreme(rows, order, "min"), _extreme(rows, order, "max")


def older(rows: pa.Table, key: Sequence[str], order: Order, standing: Mapping[Values, Values]) -> list[int]:
    """Places of the rows that stand somewhere in a later form. `standing` has, by the key, what stands in the columns
    of `order` (:func:`names_of`)."""
    found = []
    names = names_of(order)
    for place, (of_row, values) in enumerate(zip(values_of(rows, key), values_of(rows, names), strict=True)):
        there = standing.get(of_row)
        if there is not None and _comparable(names, there, order) > _comparable(names, values, order):
            found.append(place)
    return found


def values_of(table: pa.Table, columns: Sequence[str]) -> list[Values]:
    """What each row has in some columns."""
    return list(zip(*(table.column(name).to_pylist() for name in columns), strict=True))


def _comparable(names: Sequence[str], values: Values, order: Order) -> list[tuple[bool, Any]]:
    by_name = dict(zip(names, values, strict=True))
    found = ((by_name[column.name], column.mask) for column in order)
    return [(value is not None, value if value is None or mask is None else value & mask) for value, mask in found]


def _column(rows: pa.Table, column: OrderColumn) -> pa.ChunkedArray:
    values = rows.column(column.name)
    return values if column.mask is None else pc.bit_wise_and(values, column.mask)


def _extreme(rows: pa.Table, order: Order, which: str) -> Values | None:
    values = []
    for of_order in order:
        column = _column(rows, of_order)
        value = pc.min_max(column)[which]
        if not value.is_valid or (which == "min" and column.null_count):
            return None
        values.append(value.as_py())
        rows = rows.filter(pc.equal(column, value))
    return tuple(values)


def _ordered(rows: pa.Table, order: Order) -> pa.Array:
    """The places of the rows in their order; where that is the same, as they stand."""
    columns = [_column(rows, column) for column in order]
    names = [str(number) for number in range(len(order))]
    places = pa.array(range(rows.num_rows), pa.int64())
    return pc.sort_indices(
        pa.table([*columns, places], names=[*names, "place"]),
        sort_keys=[*((name, "ascending", "at_start") for name in names), ("place", "ascending", "at_start")],
    )


def _distinct(rows: pa.Table, key: Sequence[str]) -> int:
    if len(key) == 1:
        return int(pc.count_distinct(rows.column(key[0])).as_py())
    return int(rows.select(list(key)).group_by(list(key)).aggregate([]).num_rows)
