"""Fields beyond the columns that a table is to have share the JSON column `value_other`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pytest

from syncline.sync.hashing import hashed
from syncline.sync.overflow import Room, gathered
from syncline.sync.selection import OTHER, Selection
from syncline.warehouses import types
from syncline.warehouses.base import Loader, Standing
from syncline.warehouses.limits import ColumnLimits
from syncline.warehouses.naming import Naming, normalize
from syncline.warehouses.registry import services, warehouse_for
from tests.sync.fakes import FakeSource
from tests.sync.test_refused import Syncs
from tests.warehouses.conftest import Target, duckdb_target, postgres_target, target  # noqa: F401

SYSTEM = 12
"""Columns of a table besides those of fields."""


def test_hashed_fields_are_hashed_wherever_they_go_and_the_name_of_the_column_is_no_fields() -> None:
    table = pa.table({"value_a": ["x"], "value_b": ["y"], "value_": [1]})
    found = gathered(table, ["value_b", "value_"], Selection(hashed=frozenset({"value_b"}), salt=b"salt"))
    assert found.column_names == ["value_a", OTHER]
    (held,) = (json.loads(text) for text in found.column(OTHER).to_pylist())
    assert held == {"b": hashed(table.column("value_b"), types.STRING, b"salt")[0].as_py(), "": 1}
    assert not OTHER.startswith("value_")
    assert {normalize(OTHER, naming) for naming in Naming} == {"value_other"}


class Table(Loader):
    """A table of some columns, as far as it matters for room."""

    def __init__(self, *columns: str, dropped: int = 0) -> None:
        self.stands = Standing(frozenset(columns), len(columns) + dropped)

    def standing(self, source_name: str) -> Standing:
        return self.stands

    def load(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("limits", "table", "blocked", "expected"),
    [
        (ColumnLimits(4), Table(), (), ["value_b", "value_c"]),
        (ColumnLimits(5), Table(), (), []),
        (ColumnLimits(2), Table(), (), ["value_a", "value_b", "value_c"]),
        (ColumnLimits(5), Table("id", "value_x"), (), ["value_b", "value_c"]),
        (ColumnLimits(5), Table("id", "value_x"), ("value_x",), []),
        (ColumnLimits(5), Table("id", "value_x"), ("value_a", "value_b"), []),
        (ColumnLimits(6), Table("id", OTHER, "value_c"), (), []),
        (ColumnLimits(5), Table("id", "key", "value_c", OTHER), (), ["value_b"]),
        (ColumnLimits(9, most=5), Table("id", dropped=2), (), ["value_a", "value_b", "value_c"]),
        (ColumnLimits(9, most=7), Table("id", dropped=2), (), []),
    ],
)
def test_who_gets_the_room_that_there_is(
    limits: ColumnLimits, table: Table, blocked: tuple[str, ...], expected: list[str]
) -> None:
    columns = ["id", "key", "value_a", "value_b", "value_c"]
    assert Room(table, limits).overflowing("orders", columns, frozenset(blocked)) == expected


def test_a_setting_holds_as_far_as_the_destination_goes_along() -> None:
    assert ColumnLimits(300, most=1600).of(None).usual == 300
    assert ColumnLimits(300, most=1600).of(500).usual == 500
    assert ColumnLimits(300, most=1600).of(5000).usual == 1600
    assert ColumnLimits(1000).of(5000).usual == 5000


@pytest.mark.parametrize("service", [declaration.service for declaration in services()])
def test_every_destination_says_how_many_columns_its_tables_have(service: str) -> None:
    columns = warehouse_for(service).columns
    assert SYSTEM < columns.usual <= (columns.most or columns.usual)


@pytest.fixture
def syncs(target: Target, monkeypatch: pytest.MonkeyPatch) -> Syncs:  # noqa: F811
    return Syncs(target, monkeypatch)


@pytest.fixture
def duckdb_syncs(duckdb_target: Target, monkeypatch: pytest.MonkeyPatch) -> Syncs:  # noqa: F811
    return Syncs(duckdb_target, monkeypatch)


@pytest.fixture
def postgres_syncs(postgres_target: Target, monkeypatch: pytest.MonkeyPatch) -> Syncs:  # noqa: F811
    return Syncs(postgres_target, monkeypatch)


def _source(*bodies: Mapping[str, Any], **options: Any) -> FakeSource:
    return FakeSource({"orders": len(bodies)}, body=lambda number: json.dumps(bodies[number - 1]).encode(), **options)


def _columns(syncs: Syncs) -> list[str]:
    return [name for name in syncs.target.columns("orders") if name.startswith("value")]


def _others(syncs: Syncs, column: str = "value_other") -> list[Any]:
    found = syncs.target.query(f"SELECT CAST({column} AS VARCHAR) FROM bus.orders ORDER BY sequence_num")
    return [value and json.loads(value) for (value,) in found]


def _fields(first: int, count: int, value: Callable[[int], Any] = lambda number: number) -> dict[str, Any]:
    return {f"f{number}": value(number) for number in range(first, first + count)}


def test_fields_beyond_the_bound_share_a_column_and_the_first_have_their_own(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    outcome = syncs.run(_source({"a": 1, "b": "x", "c": 2, "d": "y"}, {"a": 2}))
    assert (outcome.rows, outcome.rejected) == (2, 0)
    assert _columns(syncs) == ["value_a", "value_b", "value_other"]
    assert _others(syncs) == [{"c": 2, "d": "y"}, None]
    assert len(syncs.target.columns("orders")) == SYSTEM + 3


def test_there_is_no_such_column_while_all_fields_have_room(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    syncs.run(_source({"a": 1, "b": 2, "c": 3}))
    assert _columns(syncs) == ["value_a", "value_b", "value_c"]


def test_values_are_kept_as_json_keeps_them(syncs: Syncs) -> None:
    syncs.maximum_columns = 20
    taken = _fields(0, 7)
    number = "12345678901234567890123456789.000000000000000001"
    odd = {'ü "\\': 'text \u0001 "quoted"', "true": True, "list": [1, {"x": None}], "double": 1.5, "big": 2**63 - 1}
    body = json.dumps({**taken, **odd})[:-1] + f', "number": {number}}}'
    syncs.run(FakeSource({"orders": 1}, body=lambda _: body.encode()))
    ((stored,),) = syncs.target.query("SELECT CAST(value_other AS VARCHAR) FROM bus.orders")
    assert json.loads(stored) | {"number": 0} == odd | {"number": 0}
    assert number in stored


def test_columns_that_stand_keep_their_values_whatever_else_comes(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    syncs.run(_source({"a": 1, "b": 1, "c": 1}))
    source = _source({}, {"d": 2, "e": 2, "c": 2, "a": 2})
    syncs.run(source)
    assert _columns(syncs) == ["value_a", "value_b", "value_c", "value_other"]
    assert syncs.target.query("SELECT value_a, value_c FROM bus.orders WHERE sequence_num = 2") == [(2, 2)]
    assert _others(syncs) == [None, {"d": 2, "e": 2}]


def test_where_a_field_goes_does_not_depend_on_batches_and_syncs(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 4
    bodies = [{"a": 1}, {"b": 1, "a": 2}, {"d": 3, "c": 3}, {"c": 4, "e": 4, "f": 4}, {"f": 5, "a": 5, "d": 5}]
    for last in range(1, 6):
        syncs.run(_source(*bodies[:last]))
    once = (_columns(syncs), _others(syncs))
    assert once[1][-1] == {"f": 5}
    assert once[0] == ["value_a", "value_b", "value_d", "value_c", "value_other"]
    syncs.checkpoints.saved.clear()
    syncs.run(_source(*bodies))
    assert (_columns(syncs), _others(syncs)) == once


def test_a_field_of_ones_own_called_other_is_kept_apart(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    syncs.run(_source({"other": "mine", "a": 1, "b": 2, "c": 3}))
    names = _columns(syncs)
    assert names[:2] == ["value_other", "value_a"]
    assert names[2].startswith("value_other_")
    assert syncs.target.query("SELECT value_other FROM bus.orders") == [("mine",)]
    assert _others(syncs, names[2]) == [{"b": 2, "c": 3}]


def test_it_may_come_after_the_shared_column_and_before_it_in_another_sync(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    syncs.run(_source({"other": "mine"}))
    syncs.run(_source({"other": "mine"}, {"a": 1, "b": 2, "c": 3}))
    assert syncs.target.query("SELECT value_other FROM bus.orders ORDER BY sequence_num") == [("mine",), (None,)]
    assert _others(syncs, _columns(syncs)[-1])[1] == {"b": 2, "c": 3}


def test_a_column_that_is_dropped_leaves_its_place_to_another(syncs: Syncs) -> None:
    syncs.maximum_columns = SYSTEM + 3
    syncs.run(_source({"a": 1, "b": 1, "c": 1, "d": 1}))
    syncs.target.change("ALTER TABLE bus.orders DROP COLUMN value_b")
    syncs.run(_source({}, {"e": 2, "f": 2}))
    assert _columns(syncs) == ["value_a", "value_other", "value_e"]
    assert _others(syncs) == [{"c": 1, "d": 1}, {"f": 2}]


def test_postgresql_takes_any_number_of_fields_in_the_first_batch_and_later(postgres_syncs: Syncs) -> None:
    wide = _fields(0, 700, lambda _: "x" * 60)
    outcome = postgres_syncs.run(_source(wide, *(_fields(1000 * n, 999) for n in range(1, 11))))
    assert (outcome.rows, outcome.rejected) == (11, 0)
    assert len(postgres_syncs.target.columns("orders")) == 300
    ((others,),) = postgres_syncs.target.query(
        "SELECT sum((SELECT count(*) FROM jsonb_object_keys(value_other))) FROM bus.orders"
    )
    assert others == 700 - (300 - SYSTEM - 1) + 9990


def test_a_row_of_postgresql_fits_when_all_its_columns_are_as_long_as_they_may_be(postgres_syncs: Syncs) -> None:
    values: list[Callable[[int], Any]] = [
        lambda number: f"{number:020}",
        lambda number: f"{number:0600}"[::-1],
        lambda number: [number] * 3,
        lambda number: 10**37 + number,
    ]
    outcome = postgres_syncs.run(_source(*(_fields(0, 400, value) for value in values)))
    assert (outcome.rows, outcome.rejected) == (4, 0)


def test_columns_that_were_dropped_count_where_postgresql_counts_them(postgres_syncs: Syncs) -> None:
    postgres_syncs.maximum_columns = 2000
    postgres_syncs.run(_source({"a": 1}))
    change = postgres_syncs.target.change
    many = range(1600 - SYSTEM - 4)
    change("ALTER TABLE bus.orders " + ", ".join(f"ADD COLUMN gone_{number} int" for number in many))
    change("ALTER TABLE bus.orders " + ", ".join(f"DROP COLUMN gone_{number}" for number in many))
    postgres_syncs.run(_source({"a": 1}, _fields(0, 10)))
    assert _columns(postgres_syncs) == ["value_a", "value_f0", "value_f1", "value_other"]


def test_what_a_table_that_is_too_wide_cannot_store_is_rejected(postgres_syncs: Syncs) -> None:
    postgres_syncs.maximum_columns = 1600
    wide = _fields(0, 700, lambda _: "x" * 60)
    outcome = postgres_syncs.run(_source({"f0": "a"}, wide))
    assert (outcome.rows, outcome.rejected, postgres_syncs.numbers()) == (1, 1, [1])
    assert "row is too big" in postgres_syncs.rejects()[2][1]


def test_duckdb_takes_thousands_of_fields(duckdb_syncs: Syncs) -> None:
    outcome = duckdb_syncs.run(_source(*(_fields(500 * n, 500) for n in range(10))))
    assert (outcome.rows, outcome.rejected) == (10, 0)
    assert len(duckdb_syncs.target.columns("orders")) == 1000
