"""Loading batches, the same for every warehouse."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from syncline.warehouses import types
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.naming import Naming

Columns = dict[str, tuple[types.ColumnType, list[Any]]]


def batch(
    sequences: list[int], ids: list[str] | None = None, **columns: tuple[types.ColumnType, list[Any]]
) -> pa.Table:
    """Rows with these sequence numbers and columns."""
    every: Columns = {
        "message_id": (types.STRING, ids or [f"m{number}" for number in sequences]),
        "sequence_num": (types.LONG, sequences),
        **columns,
    }
    fields = [types.arrow_field(name, column_type) for name, (column_type, _) in every.items()]
    arrays = [pa.array(values, types.to_arrow(column_type)) for column_type, values in every.values()]
    return pa.table(arrays, schema=pa.schema(fields))


def rows(target, columns: str = "message_id, sequence_num, value", table: str = "orders") -> list[tuple]:
    return target.query(f"SELECT {columns} FROM bus.{table} ORDER BY message_id")


def test_a_batch_becomes_a_table(target):
    with target.open() as loader:
        result = loader.load("orders", batch([1, 2], value=(types.STRING, ["a", None])))
    assert (result.table, result.rows, result.new_columns, result.widened_columns) == ("orders", 2, (), ())
    assert rows(target) == [("m1", 1, "a"), ("m2", 2, None)]


def test_nothing_else_stays_in_the_destination(target):
    with target.open() as loader:
        loader.load("orders", batch([1]))
        loader.load("payments", batch([1]))
    assert target.names() == {"bus.orders", "bus.payments"}
    assert not (target.folder / "work").exists()


def test_rows_merge_on_the_key(target):
    with target.open() as loader:
        loader.load("orders", batch([1, 2], value=(types.STRING, ["a", "b"])))
        loader.load("orders", batch([2, 3], value=(types.STRING, ["B", "c"])))
    assert rows(target) == [("m1", 1, "a"), ("m2", 2, "B"), ("m3", 3, "c")]


@pytest.mark.parametrize("order", [[5, 7, 6], [7, 6, 5], [5, 6, 7]])
def test_the_highest_sequence_wins_within_a_batch(target, order):
    with target.open() as loader:
        loader.load("orders", batch(order, ["a"] * 3, value=(types.STRING, [f"v{number}" for number in order])))
    assert rows(target) == [("a", 7, "v7")]


def test_the_highest_sequence_wins_across_loads(target):
    with target.open() as loader:
        loader.load("orders", batch([7], ["a"], value=(types.STRING, ["new"])))
    with target.open() as loader:
        loader.load("orders", batch([5, 6], ["a", "b"], value=(types.STRING, ["old", "other"])))
        loader.load("orders", batch([4, 9], ["a", "b"], value=(types.STRING, ["older", "newer"])))
    assert rows(target) == [("a", 7, "new"), ("b", 9, "newer")]


def test_loading_again_changes_nothing(target):
    table = batch(list(range(100)), value=(types.STRING, [str(number) for number in range(100)]))
    with target.open() as loader:
        loader.load("orders", table)
        before = rows(target)
        loader.load("orders", table)
    with target.open() as loader:
        loader.load("orders", table)
    assert rows(target) == before


VALUES: Columns = {
    "value_boolean": (types.BOOLEAN, [True, None]),
    "value_short": (types.SHORT, [-32768, None]),
    "value_int": (types.INT, [2**31 - 1, None]),
    "value_long": (types.LONG, [-(2**63), None]),
    "value_decimal": (types.decimal(20, 18), [Decimal("12345678901234567890.123456789012345678"), None]),
    "value_float": (types.FLOAT, [0.5, None]),
    "value_double": (types.DOUBLE, [1e300, None]),
    "value_date": (types.LOCALDATE, [dt.date(2024, 2, 29), None]),
    "value_datetime": (types.LOCALDATETIME, [dt.datetime(2024, 2, 29, 12, 30, 1, 5), None]),  # noqa: DTZ001
    "value_instant": (types.INSTANT, [dt.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=dt.UTC), None]),
    "value_json": (types.JSON, ['{"a": [1, "ü𝄞"]}', None]),
    "value_xml": (types.XML, ["<a/>", None]),
    "value_binary": (types.BINARY, [b"\x00\xff", None]),
    "value_string": (types.STRING, ["line\nü𝄞'\"\\", None]),
}


def test_every_type_comes_back_as_it_went_in(target):
    with target.open() as loader:
        loader.load("orders", batch([1, 2], **VALUES))
    first, second = rows(target, ", ".join(VALUES))
    expected = [values[0] for _, values in VALUES.values()]
    found = [json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value for value in first]
    assert found == expected
    assert set(second) == {None}


def test_columns_have_our_types(target):
    with target.open() as loader:
        loader.load("orders", batch([1, 2], **VALUES))
        again = loader.load("orders", batch([3, 4], **VALUES))
    assert (again.new_columns, again.widened_columns) == ((), ())
    found = {name.removeprefix("value_"): of.lower() for name, of in target.columns("orders").items()}
    if target.service == "duckdb":
        assert found["decimal"] == "decimal(38,18)"
        assert (found["json"], found["short"], found["string"]) == ("json", "smallint", "varchar")
    else:
        assert found["decimal"] == "numeric(38,18)"
        assert (found["json"], found["short"], found["string"]) == ("jsonb", "smallint", "text")


def test_a_new_field_becomes_a_new_column(target):
    with target.open() as loader:
        loader.load("orders", batch([1], value=(types.STRING, ["a"])))
        result = loader.load("orders", batch([2], value_total=(types.decimal(10, 2), [Decimal("1.50")])))
    assert result.new_columns == ("value_total",)
    assert rows(target, "message_id, value, value_total") == [("m1", "a", None), ("m2", None, Decimal("1.50"))]


WIDENINGS = [
    (types.SHORT, 7, types.LONG, 2**40, [7, 2**40]),
    (types.LONG, 2**62, types.decimal(10, 2), Decimal("0.25"), [Decimal(2**62), Decimal("0.25")]),
    (types.decimal(10, 2), Decimal("19.99"), types.SHORT, 7, [Decimal("19.99"), Decimal(7)]),
    (
        types.decimal(10, 2),
        Decimal("19.99"),
        types.decimal(19, 4),
        Decimal("0.0001"),
        [Decimal("19.99"), Decimal("0.0001")],
    ),
    (types.INT, 7, types.DOUBLE, 1e300, [7.0, 1e300]),
    (types.BOOLEAN, True, types.JSON, '{"a":1}', ["true", '{"a":1}']),
    (types.JSON, '{"a":1}', types.LONG, 5, ['{"a":1}', "5"]),
    (types.LONG, 9007199254740993, types.DOUBLE, 1e300, ["9007199254740993", "1e+300"]),
    (types.JSON, '{"a":1}', types.STRING, "x", ['{"a":1}', "x"]),
    (types.STRING, "x", types.JSON, '{"a":1}', ["x", '{"a":1}']),
    (types.decimal(10, 2), Decimal("19.99"), types.STRING, "x", ["19.99", "x"]),
    (
        types.INSTANT,
        dt.datetime(2024, 5, 1, 12, 30, 0, 250000, tzinfo=dt.UTC),
        types.STRING,
        "x",
        ["2024-05-01T12:30:00.250000Z", "x"],
    ),
    (types.BINARY, b"\xff\x00", types.STRING, "x", ["/wA=", "x"]),
    (types.DOUBLE, float("inf"), types.JSON, "[]", ['"Infinity"', "[]"]),
]


def test_columns_widen_without_loss(target):
    """Each column is loaded narrow, then with a value that does not fit, then narrow again."""

    def column(types_and_values) -> Columns:
        return {f"c{place}": (column_type, [value]) for place, (column_type, value) in enumerate(types_and_values)}

    narrow = column((first, value) for first, value, *_ in WIDENINGS)
    with target.open() as loader:
        loader.load("orders", batch([1], **narrow))
        result = loader.load("orders", batch([2], **column((second, value) for _, _, second, value, _ in WIDENINGS)))
        again = loader.load("orders", batch([3], **narrow))
    joined = [types.join(first, second) for first, _, second, _, _ in WIDENINGS]
    assert set(result.widened_columns) == {
        f"c{place}" for place, widening in enumerate(WIDENINGS) if joined[place] != widening[0]
    }
    assert again.widened_columns == ()
    for place, (*_, expected) in enumerate(WIDENINGS):
        found = [value for (value,) in rows(target, f"c{place}")]
        if joined[place] in (types.JSON, types.STRING):
            found = [_comparable(value if isinstance(value, str) else json.dumps(value)) for value in found]
            expected = [_comparable(value) for value in expected]
        assert found == [*expected, expected[0]]


def _comparable(text: str) -> Any:
    """Equal for two texts of one JSON value; infinities have several spellings."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except json.JSONDecodeError:
        return text
    return value[:3].lower() if isinstance(value, str) else value


def test_two_fields_that_map_to_one_name_are_both_kept(target):
    def fields(number: int) -> Columns:
        return {"value_orderId": (types.STRING, [f"a{number}"]), "value_order_id": (types.STRING, [f"b{number}"])}

    with target.open() as loader:
        loader.load("orders", batch([1], value_orderId=fields(1)["value_orderId"]))
    with target.open() as loader:
        loader.load("orders", batch([2], **fields(2)))
        loader.load("orders", batch([3], value_order_id=fields(3)["value_order_id"]))
    (other,) = [name for name in target.columns("orders") if name.startswith("value_order_id_")]
    assert rows(target, f"value_order_id, {other}") == [("a1", None), ("a2", "b2"), (None, "b3")]


def test_two_topics_that_map_to_one_name_have_a_table_each(target):
    with target.open() as loader:
        first = loader.load("orders-eu", batch([1]))
    with target.open() as loader:
        second = loader.load("orders_eu", batch([1]))
        assert loader.load("orders-eu", batch([2])).table == first.table == "orders_eu"
    assert second.table.startswith("orders_eu_")
    assert len(rows(target, "message_id", "orders_eu")) == 2


AWKWARD_NAMES = [
    *("select", "user", "ü" * 60, "x" * 300, "x" * 299 + "y", "a;b", "a'b\"c", "%s", "日本", "a\nb", "{}", "$1"),
    *("_dlt_id", "_dlt_load_id", "?", "a.b", "A.B", "a/b", ":x", "", " "),
]


@pytest.mark.parametrize("naming", Naming)
def test_awkward_column_names_are_loaded(target, naming):
    columns = {name: (types.LONG, [place]) for place, name in enumerate(AWKWARD_NAMES)}
    with target.open(naming=naming) as loader:
        loader.load("orders", batch([1], **columns))
    with target.open(naming=naming) as loader:
        again = loader.load("orders", batch([2], **columns))
    assert again.new_columns == ()
    assert len(target.columns("orders")) == 2 + len(AWKWARD_NAMES)
    for row in target.query("SELECT * FROM bus.orders"):
        assert sorted(row[2:]) == list(range(len(AWKWARD_NAMES)))


@pytest.mark.parametrize("name", ["select", "ü" * 60, "x" * 300, "a'b\"c;%s{}?.", "_dlt_loads"])
@pytest.mark.parametrize("naming", Naming)
def test_awkward_table_names_are_loaded(target, name, naming):
    with target.open(naming=naming) as loader:
        result = loader.load(name, batch([1]))
        assert loader.load(name, batch([2])).table == result.table
    assert target.query(f'SELECT count(*) FROM bus."{result.table}"') == [(2,)]


@pytest.mark.parametrize("name", ["aux", "Con", "com1", "nul.csv", "LPT9"])
def test_tables_may_be_called_like_the_devices_of_another_system(target, name):
    with target.open(naming=Naming.SOURCE_NAMING) as loader:
        table = loader.load(name, batch([1], value=(types.STRING, ["a"]))).table
    assert target.query(f'SELECT value FROM bus."{table}"') == [("a",)]


def test_source_naming_keeps_case(target):
    with target.open("Bus", naming=Naming.SOURCE_NAMING) as loader:
        loader.load("Orders EU", batch([1], OrderId=(types.STRING, ["a"])))
        loader.load("Orders EU", batch([2], OrderId=(types.STRING, ["b"])))
    assert target.query('SELECT "OrderId" FROM "Bus"."Orders EU" ORDER BY 1') == [("a",), ("b",)]


def test_text_with_a_nul_character_is_loaded(target):
    columns = {
        "value": (types.STRING, ["a\x00b"]),
        "value_json": (types.JSON, ['{"a": "x\\u0000y", "b": "\\\\u0000", "c": "\\\\\\u0000"}']),
    }
    with target.open() as loader:
        loader.load("orders", batch([1], **columns))
    ((value, found),) = rows(target, "value, value_json")
    if target.service == "duckdb":
        assert value == "a\x00b"
    else:
        assert value == "a\\u0000b"
        assert found == {"a": "x\\u0000y", "b": "\\u0000", "c": "\\\\u0000"}


def test_a_schema_that_is_named_like_the_database_is_fine(target):
    with target.open("warehouse") as loader:
        loader.load("orders", batch([1]))
        loader.load("orders", batch([2]))
    assert target.query(
        "SELECT count(*) FROM " + ("warehouse." * (target.service == "duckdb")) + "warehouse.orders"
    ) == [(2,)]


def test_what_others_made_with_dlt_is_left_alone(target):
    target.change("CREATE SCHEMA bus")
    target.change("CREATE SCHEMA bus_staging")
    target.change("CREATE TABLE bus_staging.orders (x integer)")
    target.change(
        "CREATE TABLE bus._dlt_loads (load_id varchar NOT NULL, schema_name varchar, status bigint NOT NULL, "
        "inserted_at timestamp with time zone NOT NULL, schema_version_hash varchar)"
    )
    target.change("INSERT INTO bus._dlt_loads VALUES ('1', 'theirs', 0, now(), 'x')")
    with target.open() as loader:
        loader.load("orders", batch([1]))
        loader.load("orders", batch([2]))
    assert target.names() == {"bus.orders", "bus._dlt_loads", "bus_staging.orders"}
    assert target.query("SELECT schema_name FROM bus._dlt_loads") == [("theirs",)]


def test_a_table_loads_by_another_key(target):
    with target.open() as loader:
        loader.load("orders__rejected", batch([1, 2]), key=("sequence_num",))
        loader.load("orders__rejected", batch([2, 3]), key=("sequence_num",))
    assert target.query("SELECT sequence_num FROM bus.orders__rejected ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_column_of_a_foreign_type_is_an_error_that_names_it(target):
    with target.open() as loader:
        loader.load("orders", batch([1]))
    target.change("ALTER TABLE bus.orders ADD COLUMN value uuid")
    with target.open() as loader, pytest.raises(WarehouseError, match=r"(?i)column value .* uuid"):
        loader.load("orders", batch([2], value=(types.STRING, ["a"])))


def test_a_load_keeps_no_rows_in_memory(duckdb_target):
    def load(loader, number: int) -> None:
        rows = range(number * 1000, number * 1000 + 1000)
        loader.load("orders", batch(list(rows), value=(types.STRING, ["x" * 2000] * 1000)))

    with duckdb_target.open() as loader:
        load(loader, 0)
        before = pa.total_allocated_bytes()
        for number in range(1, 4):
            load(loader, number)
        assert pa.total_allocated_bytes() - before < 2_000_000
