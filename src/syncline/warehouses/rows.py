"""What merges do with rows before they reach a destination."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_LOWEST = -(2**63)


def newest(rows: pa.Table, key: Sequence[str], sequence: str) -> pa.Table:
    """Of the rows with the same key, the one with the highest sequence; the last one of several.

    Keys are never null. Where no key repeats, which is the rule, this is one look at the key columns.
    """
    if _distinct(rows, key) == rows.num_rows:
        return rows
    numbers = pc.fill_null(rows.column(sequence).cast(pa.int64()), _LOWEST)
    places = pa.array(range(rows.num_rows), pa.int64())
    order = pc.sort_indices(
        pa.table({"sequence": numbers, "place": places}),
        sort_keys=[("sequence", "ascending"), ("place", "ascending")],
    )
    names = [str(number) for number in range(len(key))]
    ascending = pa.table([*(rows.column(name).take(order) for name in key), order], names=[*names, "place"])
    # "last" goes by the order of the rows, which threads would not keep.
    last = ascending.group_by(names, use_threads=False).aggregate([("place", "last")]).column("place_last")
    return rows.take(last.take(pc.sort_indices(last)))


def _distinct(rows: pa.Table, key: Sequence[str]) -> int:
    if len(key) == 1:
        return int(pc.count_distinct(rows.column(key[0])).as_py())
    return int(rows.select(list(key)).group_by(list(key)).aggregate([]).num_rows)
