"""Loading into a lake in a local folder: Parquet, and Delta where its library is installed."""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from syncline.warehouses import types
from syncline.warehouses.base import Loader
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.lake.storage import Storage
from syncline.warehouses.lake.warehouse import LakeWarehouse


class Lake:
    def __init__(self, folder: Path, table_format: str) -> None:
        self.folder = folder / "lake"
        self.format = table_format
        self.work = folder / "work"
        self.config = LakeWarehouse.declaration.config.parse(
            {"storage_provider": "LOCAL", "path": str(self.folder), "table_format": table_format}
        )

    def open(self) -> AbstractContextManager[Loader]:
        return LakeWarehouse().open(self.config, "bus", self.work)

    def load(self, rows: dict[str, Any] | pa.Table, table: str = "orders", **options: Any) -> Any:
        with self.open() as loader:
            return loader.load(table, rows if isinstance(rows, pa.Table) else pa.table(rows), **options)

    def read(self, table: str = "orders") -> pa.Table:
        path = self.folder / "bus" / table
        if self.format == "DELTA_LAKE":
            from deltalake import DeltaTable

            return DeltaTable(str(path)).to_pyarrow_table()
        return pq.read_table(path / "data.parquet")

    def rows(self, *columns: str, table: str = "orders") -> list[tuple]:
        found = self.read(table).select(list(columns)).to_pylist()
        return sorted(tuple(row.values()) for row in found)


@pytest.fixture(params=["PARQUET", "DELTA_LAKE"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "DELTA_LAKE":
        pytest.importorskip("deltalake")
    return Lake(tmp_path, request.param)


def test_rows_arrive_and_nothing_else_stays(lake: Lake) -> None:
    result = lake.load({"message_id": ["a", "b"], "sequence_num": [1, 2], "value": ["x", None]}, "Orders")
    assert (result.table, result.rows) == ("orders", 2)
    assert lake.rows("message_id", "sequence_num", "value") == [("a", 1, "x"), ("b", 2, None)]
    assert {path.name for path in (lake.folder / "bus").iterdir()} == {"orders"}
    assert not lake.work.exists()


def test_nothing_is_twice(lake: Lake) -> None:
    rows = {"message_id": ["a", "b", "a"], "sequence_num": [1, 2, 3], "value": ["old", "x", "new"]}
    lake.load(rows)
    lake.load(rows)
    assert lake.rows("message_id", "sequence_num", "value") == [("a", 3, "new"), ("b", 2, "x")]


def test_what_is_older_than_what_is_there_stays_out(lake: Lake) -> None:
    lake.load({"message_id": ["a", "b"], "sequence_num": [11, 12], "value": ["new", "new"]})
    lake.load({"message_id": ["a", "c"], "sequence_num": [1, 3], "value": ["old", "old"]})
    assert lake.rows("message_id", "value") == [("a", "new"), ("b", "new"), ("c", "old")]


@pytest.mark.parametrize("key", [("sequence_num",), ("sequence_num", "message_id")])
def test_other_keys(lake: Lake, key: tuple[str, ...]) -> None:
    for _ in range(2):
        lake.load({"sequence_num": [1, 2], "message_id": ["a", "a"], "reason": ["r", "s"]}, key=key)
    assert lake.rows("sequence_num", "reason") == [(1, "r"), (2, "s")]


def test_every_type_arrives_and_is_known_again(lake: Lake) -> None:
    noon = dt.datetime(2026, 5, 1, 12, 0, 0, 123456, dt.UTC)
    row = {
        "message_id": ("a", types.STRING),
        "sequence_num": (1, types.LONG),
        "flag": (True, types.BOOLEAN),
        "small": (3, types.SHORT),
        "ratio": (0.5, types.DOUBLE),
        "amount": (Decimal("12.34"), types.decimal(8, 2)),
        "at": (noon, types.INSTANT),
        "local": (noon.replace(tzinfo=None), types.LOCALDATETIME),
        "day": (noon.date(), types.LOCALDATE),
        "body": (b"\x00\xff", types.BINARY),
        "data": ('{"a": 1}', types.JSON),
    }
    table = pa.Table.from_pylist(
        [{name: value for name, (value, _) in row.items()}],
        pa.schema([types.arrow_field(name, of) for name, (_, of) in row.items()]),
    )
    for _ in range(2):
        result = lake.load(table)
        assert (result.new_columns, result.widened_columns) == ((), ())
    assert lake.rows(*row) == [tuple(value for value, _ in row.values())]


def test_a_new_field_becomes_a_column(lake: Lake) -> None:
    lake.load({"message_id": ["a"], "sequence_num": [1], "gone": ["x"]})
    result = lake.load({"message_id": ["b"], "sequence_num": [2], "Amount": [5]})
    assert result.new_columns == ("amount",)
    assert lake.rows("message_id", "gone", "amount") == [("a", "x", None), ("b", None, 5)]


def test_a_column_that_became_too_narrow_is_widened(lake: Lake) -> None:
    lake.load({"message_id": ["a"], "sequence_num": [1], "value": pa.array([7], pa.int64())})
    lake.load({"message_id": ["b"], "sequence_num": [2], "value": pa.array([Decimal("1.5")], pa.decimal128(20, 1))})
    assert lake.rows("message_id", "value") == [("a", Decimal("7.0")), ("b", Decimal("1.5"))]
    result = lake.load({"message_id": ["c"], "sequence_num": [3], "value": ["text"]})
    assert result.widened_columns == ("value",)
    assert dict(lake.rows("message_id", "value"))["c"] == "text"


def test_names_that_would_meet_are_kept_apart(lake: Lake) -> None:
    lake.load({"message_id": ["a"], "sequence_num": [1], "Order ID": ["x"]})
    lake.load({"message_id": ["b"], "sequence_num": [2], "order_id": ["y"]})
    lake.load({"message_id": ["c"], "sequence_num": [3], "Order ID": ["z"]})
    (other,) = [name for name in lake.read().column_names if name.startswith("order_id_")]
    assert lake.rows("message_id", "order_id") == [("a", "x"), ("b", None), ("c", "z")]
    assert dict(lake.rows("message_id", other))["b"] == "y"
    assert lake.load({"message_id": ["a"], "sequence_num": [1]}, "My Topic").table == "my_topic"
    assert lake.load({"message_id": ["a"], "sequence_num": [1]}, "my_topic").table != "my_topic"


def test_a_load_that_fails_in_the_middle_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path, "PARQUET")
    lake.load({"message_id": ["a"], "sequence_num": [1]})
    replace: Callable[..., None] = Storage.replace

    def full(storage: Storage, source: Path, target: str) -> None:
        if target.endswith(".parquet"):
            raise OSError(28, "No space left on device")
        replace(storage, source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "replace", full)
        with pytest.raises(WarehouseError, match="No space left"):
            lake.load({"message_id": ["a", "b"], "sequence_num": [2, 3], "new": [1, 2]})
    assert lake.rows("message_id", "sequence_num") == [("a", 1)]
    lake.load({"message_id": ["a", "b"], "sequence_num": [2, 3], "new": [1, 2]})
    assert lake.rows("message_id", "sequence_num", "new") == [("a", 2, 1), ("b", 3, 2)]


def test_many_loads_of_many_rows(lake: Lake) -> None:
    for start in range(0, 50_000, 10_000):
        numbers = list(range(start, start + 10_000))
        lake.load({"message_id": [str(number % 30_000) for number in numbers], "sequence_num": numbers})
    found = lake.read()
    assert found.num_rows == 30_000
    assert sorted(found.column("sequence_num").to_pylist()) == list(range(20_000, 50_000))


def test_many_small_loads_make_one_row_group(tmp_path: Path) -> None:
    lake = Lake(tmp_path, "PARQUET")
    for number in range(20):
        lake.load({"message_id": [str(number)], "sequence_num": [number]})
    with pq.ParquetFile(lake.folder / "bus" / "orders" / "data.parquet") as file:
        assert (file.num_row_groups, file.metadata.num_rows) == (1, 20)
