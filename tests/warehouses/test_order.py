"""Which of two rows with the same key stays: the one that comes last by several columns."""

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.warehouses import types
from syncline.warehouses.rows import OrderColumn, first_and_last, newest
from tests.warehouses.test_loading import batch, rows

ORDER = (OrderColumn("enqueued_time"), OrderColumn("sequence_num", bits=48), OrderColumn("sequence_num"))
DELIVERY = ("sequence_num", "enqueued_time")
PARTITION = 1 << 48


def at(second: int | None) -> dt.datetime | None:
    return None if second is None else dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=second)


def deliveries(*given: tuple[str, int, int | None, str]) -> pa.Table:
    """Rows of a key, a number, the second of their time, and a value."""
    keys, numbers, seconds, values = map(list, zip(*given, strict=True))
    times: tuple[types.ColumnType, list[Any]] = (types.INSTANT, [at(second) for second in seconds])
    return batch(numbers, keys, enqueued_time=times, value=(types.STRING, values))


def values(target) -> list[tuple]:
    return rows(target, "message_id, value")


def test_a_later_time_wins_over_a_higher_number(target):
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 900, 1, "old"), ("b", 901, 2, "old")), order=ORDER)
        loader.load("orders", deliveries(("a", 1, 10, "new"), ("a", 2, 9, "between"), ("c", 3, 11, "")), order=ORDER)
    assert values(target) == [("a", "new"), ("b", "old"), ("c", "")]


def test_what_is_older_does_not_come_back(target):
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 1, 10, "new"), ("b", 5 * PARTITION, 10, "new")), order=ORDER)
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 900, 1, "old"), ("b", 9 * PARTITION, 9, "old")), order=ORDER)
        loader.load("orders", deliveries(("a", 2, 10, "newer"), ("b", 4 * PARTITION, 10, "old")), order=ORDER)
    assert values(target) == [("a", "newer"), ("b", "new")]


def test_in_the_same_moment_the_number_within_the_partition_tells(target):
    with target.open() as loader:
        moment = deliveries(("a", 9 * PARTITION + 1, 5, "old"), ("a", 2 * PARTITION + 3, 5, "new"))
        loader.load("orders", moment, order=ORDER)
        loader.load("orders", deliveries(("a", 12 * PARTITION + 2, 5, "old")), order=ORDER)
        assert values(target) == [("a", "new")]
        loader.load("orders", deliveries(("a", 4, 5, "newest")), order=ORDER)
    assert values(target) == [("a", "newest")]


def test_a_row_without_a_time_is_older_than_any_with_one(target):
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 9, None, "old"), ("b", 1, 1, "new")), order=ORDER)
        loader.load("orders", deliveries(("a", 1, 1, "new"), ("b", 9, None, "old")), order=ORDER)
        loader.load("orders", deliveries(("b", 8, None, "old"), ("c", 7, None, "first")), order=ORDER)
        loader.load("orders", deliveries(("c", 8, None, "second"), ("c", 6, None, "older")), order=ORDER)
    assert values(target) == [("a", "new"), ("b", "new"), ("c", "second")]


def test_a_table_without_the_time_gets_it(target):
    with target.open() as loader:
        loader.load("orders", batch([900, 901], ["a", "b"], value=(types.STRING, ["old", "old"])))
        loader.load("orders", deliveries(("a", 1, 5, "new")), order=ORDER)
        loader.load("orders", deliveries(("a", 2, 4, "older")), order=ORDER)
    assert values(target) == [("a", "new"), ("b", "old")]


def test_a_key_of_deliveries_keeps_those_of_a_topic_made_anew(target):
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 1, 1, "first life")), key=("message_id", *DELIVERY), order=ORDER)
        loader.load("orders", deliveries(("a", 1, 9, "second life")), key=("message_id", *DELIVERY), order=ORDER)
        loader.load("orders", deliveries(("a", 1, 9, "again")), key=("message_id", *DELIVERY), order=ORDER)
    assert sorted(values(target)) == [("a", "again"), ("a", "first life")]


def test_a_table_made_with_another_key_gets_the_one_that_loads_go_by(target):
    """As tables of an earlier version have one: of the number alone, and rows may have no time."""
    with target.open() as loader:
        loader.load("orders", deliveries(("a", 1, None, "untimed"), ("b", 2, 1, "timed")), key=("sequence_num",))
    with target.open() as loader:
        loader.load("orders", deliveries(("c", 1, 5, "new"), ("b", 2, 1, "again")), key=DELIVERY, order=ORDER)
    assert values(target) == [("a", "untimed"), ("b", "again"), ("c", "new")]


def test_rows_are_removed_where_all_columns_agree(target):
    table = deliveries(("a", 1, 1, "first life"), ("b", 1, 9, "second life"), ("c", 2, 9, "other"))
    with target.open() as loader:
        assert not loader.remove_rows("orders", table.select(DELIVERY))
        loader.load("orders", table, key=DELIVERY, order=ORDER)
        assert loader.remove_rows("orders", deliveries(("x", 1, 9, ""), ("y", 2, 1, "")).select(DELIVERY))
        assert not loader.remove_rows("orders", batch([1], other=(types.LONG, [1])))
    assert values(target) == [("a", "first life"), ("c", "other")]


class TestNames:
    """A table of ours beside those of the source."""

    @pytest.mark.parametrize("first", ["helper", "source"])
    def test_steps_aside_for_a_source_of_its_name(self, target, first):
        sources = {"helper": "orders\x1f\x1frejected", "source": "orders__rejected"}
        second = "source" if first == "helper" else "helper"
        with target.open() as loader:
            loader.note_sources(["orders", "orders__rejected"])
            tables = {which: loader.load(sources[which], batch([1], [which])).table for which in (first, second)}
        assert tables["source"] == "orders__rejected"
        assert tables["helper"].startswith("orders__rejected_")
        assert rows(target, "message_id", table=tables["helper"]) == [("helper",)]
        assert rows(target, "message_id", table=tables["source"]) == [("source",)]

    def test_never_shares_its_table_with_a_source_that_comes_later(self, target):
        with target.open() as loader:
            loader.note_sources(["orders"])
            assert loader.load("orders\x1f\x1frejected", batch([1], ["helper"])).table == "orders__rejected"
        with target.open() as loader:
            loader.note_sources(["orders", "orders__rejected"])
            table = loader.load("orders__rejected", batch([1], ["source"])).table
            assert loader.load("orders\x1f\x1frejected", batch([2], ["helper"])).table == "orders__rejected"
        assert rows(target, "message_id", table=table) == [("source",)]


MOMENTS = st.none() | st.integers(0, 3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), MOMENTS, st.integers(0, 3))))
def test_the_newest_of_a_batch_and_its_ends(given_rows: list[tuple[str, int | None, int]]):
    def in_order(values: tuple[int | None, int]) -> tuple[int | None, int, int]:
        return values[0], values[1] & 1, values[1]

    def place_in_order(values: tuple[int | None, int]) -> tuple[int, ...]:
        return (-1 if values[0] is None else values[0], *in_order(values)[1:])

    table = pa.table(
        {
            "key": pa.array([row[0] for row in given_rows], pa.string()),
            "time": pa.array([row[1] for row in given_rows], pa.int64()),
            "number": pa.array([row[2] for row in given_rows], pa.int64()),
        }
    )
    order = [OrderColumn("time"), OrderColumn("number", bits=1), OrderColumn("number")]
    kept = newest(table, ["key"], order).to_pylist()
    for key in {row[0] for row in given_rows}:
        last = max((row[1:] for row in given_rows if row[0] == key), key=place_in_order)
        assert [(row["time"], row["number"]) for row in kept if row["key"] == key] == [last]
    pairs = [row[1:] for row in given_rows]
    ends = [max(pairs, key=place_in_order), min(pairs, key=place_in_order)] if pairs else []
    first, last = first_and_last(table, order)
    has_last, has_first = any(row[0] is not None for row in pairs), all(row[0] is not None for row in pairs)
    assert last == (in_order(ends[0]) if pairs and has_last else None)
    assert first == (in_order(ends[1]) if pairs and has_first else None)
