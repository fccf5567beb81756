"""Rows with the same key become one."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.warehouses.rows import OrderColumn, newest

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.integers(0, 3), st.one_of(st.none(), st.integers(1 - 2**63, 2**63 - 1))
    )
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from([("name",), ("name", "number")]))
def test_the_highest_sequence_stays_and_of_equal_ones_the_last(rows: list[tuple], key: tuple[str, ...]):
    kept: dict[tuple, int] = {}
    for place, (name, number, sequence) in enumerate(rows):
        of_row = (name, number)[: len(key)]
        known = rows[kept[of_row]][2] if of_row in kept else None
        if of_row not in kept or known is None or (sequence is not None and sequence >= known):
            kept[of_row] = place
    columns = {
        "name": pa.array([row[0] for row in rows], pa.string()),
        "number": pa.array([row[1] for row in rows], pa.int64()),
        "sequence": pa.array([row[2] for row in rows], pa.int64()),
        "place": pa.array(range(len(rows)), pa.int64()),
    }
    assert newest(pa.table(columns), key, [OrderColumn("sequence")]).column("place").to_pylist() == sorted(
        kept.values()
    )
