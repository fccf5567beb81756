"""Loading as the cloud services do it, against databases that can be had here: what dlt does for DuckDB and PostgreSQL
stands for what it does for the others. DuckDB is given rows as Parquet, PostgreSQL as INSERT statements."""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import dlt
import duckdb
import psycopg
import pyarrow as pa
import pytest

from syncline.declarations import Configuration, ServiceDeclaration, setting
from syncline.warehouses import types
from syncline.warehouses.base import Loader
from syncline.warehouses.cloud.service import CloudService, Dialect
from syncline.warehouses.cloud.warehouse import CloudWarehouse
from syncline.warehouses.errors import WarehouseUnavailable
from tests.support.postgres import PostgresServer


class UrlConfig(Configuration):
    url: str | None = setting(title="URL", description="Where.", required=True)
    password: str | None = setting(title="Password", description="Secret.", secret=True)


def _service(make: Callable[[UrlConfig, str], Any], dialect: Dialect) -> CloudService:
    return CloudService(
        declaration=ServiceDeclaration("stand_in", "Stand-in", "", UrlConfig),
        driver="duckdb",
        extra="stand-in",
        destination=make,
        address=lambda config: None,
        unavailable=lambda config: None,
        dialect=dialect,
        longest_name=63,
        batch_of_keys=2,
    )


class Target:
    def __init__(self, service: CloudService, url: str, query: Callable[[str], list[tuple]], folder: Path) -> None:
        self.warehouse = CloudWarehouse(service)
        self.config = UrlConfig.parse({"url": url})
        self.query = query
        self.folder = folder
        self.fold = service.dialect.fold

    def open(self, schema: str = "bus") -> AbstractContextManager[Loader]:
        return self.warehouse.open(self.config, schema, self.folder / "work")

    def load(self, rows: dict[str, Any] | pa.Table, table: str = "orders", **options: Any) -> Any:
        with self.open() as loader:
            return loader.load(table, rows if isinstance(rows, pa.Table) else pa.table(rows), **options)

    def rows(self, columns: str = "*", table: str = "orders") -> list[tuple]:
        return self.query(f"SELECT {columns} FROM bus.{table} ORDER BY 1")

    def tables(self) -> set[str]:
        found = self.query(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        return {".".join(names).lower() for names in found}


@pytest.fixture(params=["duckdb", "duckdb-upper", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url_of(request.getfixturevalue("postgres_database"))

        def query_postgres(statement: str) -> list[tuple]:
            with psycopg.connect(url) as connection:
                return connection.execute(statement).fetchall()

        def postgres(config: UrlConfig, staging: str) -> Any:
            return dlt.destinations.postgres(credentials=config.url, staging_dataset_name_layout=staging)

        return Target(_service(postgres, Dialect(to_json="CAST({text} AS JSONB)")), url, query_postgres, tmp_path)
    path = str(tmp_path / "stand_in.db")

    def query_duckdb(statement: str) -> list[tuple]:
        with duckdb.connect(path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def duck(config: UrlConfig, staging: str) -> Any:
        return dlt.destinations.duckdb(credentials=config.url, staging_dataset_name_layout=staging)

    fold = str.upper if request.param == "duckdb-upper" else str
    return Target(_service(duck, Dialect(fold=fold, to_json="CAST({text} AS JSON)")), path, query_duckdb, tmp_path)


def test_rows_arrive_and_nothing_else_stays(target: Target) -> None:
    result = target.load({"message_id": ["a", "b"], "sequence_num": [1, 2], "value": ["x", None]})
    assert (result.table, result.rows) == (target.fold("orders"), 2)
    assert target.rows("message_id, sequence_num, value") == [("a", 1, "x"), ("b", 2, None)]
    assert target.tables() == {"bus.orders", "bus._syncline_names"}
    assert not (target.folder / "work").exists()


def test_nothing_is_twice(target: Target) -> None:
    rows = {"message_id": ["a", "b", "a"], "sequence_num": [1, 2, 3], "value": ["old", "x", "new"]}
    target.load(rows)
    target.load(rows)
    assert target.rows("message_id, sequence_num, value") == [("a", 3, "new"), ("b", 2, "x")]


def test_what_is_older_than_what_is_there_stays_out(target: Target) -> None:
    target.load({"message_id": list("abcde"), "sequence_num": [11, 12, 13, 14, 15], "value": ["new"] * 5})
    target.load({"message_id": list("abcdf"), "sequence_num": [1, 2, 3, 4, 5], "value": ["old"] * 5})
    assert [value for _, value in target.rows("message_id, value")] == ["new"] * 5 + ["old"]


def test_rejected_rows_have_their_sequence_number_as_key(target: Target) -> None:
    for _ in range(2):
        target.load({"sequence_num": [1, 2], "reason": ["r", "s"]}, "orders__rejected", key=("sequence_num",))
    assert target.rows("sequence_num, reason", "orders__rejected") == [(1, "r"), (2, "s")]


def test_a_table_may_be_called_like_a_device_of_another_system(target: Target) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1]}, "prn")
    assert target.rows("message_id", "prn") == [("a",)]


def test_every_type_arrives(target: Target) -> None:
    noon = dt.datetime(2026, 5, 1, 12, 0, 0, 123456, dt.UTC)
    schema = pa.schema(
        [
            types.arrow_field("message_id", types.STRING),
            types.arrow_field("sequence_num", types.LONG),
            types.arrow_field("flag", types.BOOLEAN),
            types.arrow_field("small", types.SHORT),
            types.arrow_field("ratio", types.DOUBLE),
            types.arrow_field("amount", types.decimal(10, 2)),
            types.arrow_field("sent_at", types.INSTANT),
            types.arrow_field("day", types.LOCALDATE),
            types.arrow_field("body", types.BINARY),
            types.arrow_field("data", types.JSON),
        ]
    )
    row = {
        "message_id": "a",
        "sequence_num": 1,
        "flag": True,
        "small": 3,
        "ratio": 0.5,
        "amount": Decimal("12.34"),
        "sent_at": noon,
        "day": noon.date(),
        "body": b"\x00\xff",
        "data": '{"a": 1}',
    }
    for _ in range(2):
        target.load(pa.Table.from_pylist([row], schema))
    ((flag, small, ratio, amount, at, day, body),) = target.rows("flag, small, ratio, amount, sent_at, day, body")
    assert (flag, small, ratio, amount, day) == (True, 3, 0.5, Decimal("12.34"), noon.date())
    assert at.astimezone(dt.UTC) == noon
    assert bytes(body) == b"\x00\xff"


def test_a_new_field_becomes_a_column(target: Target) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1]})
    result = target.load({"message_id": ["b"], "sequence_num": [2], "Amount": [5]})
    assert result.new_columns == (target.fold("amount"),)
    assert target.rows("message_id, amount") == [("a", None), ("b", 5)]


def test_a_column_that_became_too_narrow_is_replaced_by_a_wider_one(target: Target) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1], "value": pa.array([7], pa.int64())})
    decimal = pa.array([Decimal("1.5")], pa.decimal128(20, 1))
    result = target.load({"message_id": ["b"], "sequence_num": [2], "value": decimal})
    assert result.widened_columns == (target.fold("value"),)
    assert target.rows("message_id, value") == [("a", Decimal("7")), ("b", Decimal("1.5"))]
    target.load({"message_id": ["c"], "sequence_num": [3], "value": ["text"]})
    assert [row[0] for row in target.rows("message_id")] == ["a", "b", "c"]
    assert dict(target.rows("message_id, value"))["c"] == "text"
    assert dict(target.rows("message_id, value"))["a"] in {"7", "7.0"}
    assert {
        name.lower()
        for (name,) in target.query(
            "SELECT column_name FROM information_schema.columns WHERE lower(table_name) = 'orders'"
        )
    } == {"message_id", "sequence_num", "value"}


@pytest.mark.parametrize("crash", ["before the old one is dropped", "after the old one is dropped"])
def test_a_widening_that_was_cut_off_is_mended(target: Target, crash: str) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1], "value": ["x"]})
    name = target.fold("value")
    wider = f'"_syncline_wider_{name}"'
    table = f'bus."{target.fold("orders")}"'
    if crash.startswith("before"):
        _change(target, f"ALTER TABLE {table} ADD COLUMN {wider} VARCHAR")
    else:
        _change(target, f'ALTER TABLE {table} RENAME COLUMN "{name}" TO {wider}')
    target.load({"message_id": ["b"], "sequence_num": [2], "value": ["y"]})
    assert target.rows("message_id, value") == [("a", "x"), ("b", "y")]


def _change(target: Target, statement: str) -> None:
    if target.config.url.startswith("postgresql"):  # type: ignore[attr-defined]
        with psycopg.connect(target.config.url) as connection:  # type: ignore[attr-defined]
            connection.execute(statement)
    else:
        with duckdb.connect(target.config.url) as connection:  # type: ignore[attr-defined]
            connection.execute(statement)


def test_columns_can_be_dropped(target: Target) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1], "value": ["x"], "Other": ["y"]})
    for _ in range(2):
        with target.open() as loader:
            loader.drop_columns("orders", ["Other", "never-there"])
            loader.drop_columns("nowhere", ["Other"])
    target.load({"message_id": ["b"], "sequence_num": [2], "value": ["z"]})
    assert target.rows() == [("a", 1, "x"), ("b", 2, "z")]


def test_names_that_would_meet_are_kept_apart(target: Target) -> None:
    target.load({"message_id": ["a"], "sequence_num": [1], "Order ID": ["x"]})
    target.load({"message_id": ["b"], "sequence_num": [2], "order_id": ["y"]})
    target.load({"message_id": ["c"], "sequence_num": [3], "Order ID": ["z"]})
    (other,) = {
        name
        for (name,) in target.query(
            "SELECT column_name FROM information_schema.columns WHERE lower(table_name) = 'orders'"
        )
        if name.lower().startswith("order_id_")
    }
    assert target.rows(f'message_id, order_id, "{other}"') == [("a", "x", None), ("b", None, "y"), ("c", "z", None)]
    target.load({"message_id": ["a"], "sequence_num": [1]}, "My Topic")
    target.load({"message_id": ["a"], "sequence_num": [1]}, "my_topic")
    assert len({name for name in target.tables() if name.startswith("bus.my_topic")}) == 2


def test_setup_tests_pass_and_leave_nothing(target: Target) -> None:
    before = target.tables()
    results = target.warehouse.check(target.config)
    assert [result.status for result in results] == ["PASSED"] * 7, results
    assert target.tables() == before
    schemas = target.query("SELECT schema_name FROM information_schema.schemata")
    assert not [name for (name,) in schemas if "check" in name.lower()]


def test_a_user_who_may_not_make_schemas_fails(postgres: PostgresServer, postgres_database: str) -> None:
    reader = f"limited_{postgres_database}"
    with psycopg.connect(postgres.url_of(postgres_database)) as connection:
        connection.execute(f"CREATE USER {reader} PASSWORD 'hidden-word'")
    url = f"postgresql://{reader}:hidden-word@{postgres.host}:{postgres.port}/{postgres_database}"
    service = _service(
        lambda config, staging: dlt.destinations.postgres(credentials=config.url, staging_dataset_name_layout=staging),
        Dialect(),
    )
    results = CloudWarehouse(service).check(UrlConfig.parse({"url": url, "password": "hidden-word"}))
    assert [result.status for result in results] == ["PASSED"] * 4 + ["FAILED", "SKIPPED", "SKIPPED"]
    assert results[4].title == "Create a schema"
    assert "permission denied" in results[4].message
    assert "hidden-word" not in str(results)


def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    service = _service(
        lambda config, staging: dlt.destinations.postgres(credentials=config.url, staging_dataset_name_layout=staging),
        Dialect(),
    )
    config = UrlConfig.parse({"url": "postgresql://u:hidden-word@127.0.0.1:1/db", "password": "hidden-word"})
    results = CloudWarehouse(service).check(config)
    assert [result.status for result in results] == ["PASSED"] * 3 + ["FAILED"] + ["SKIPPED"] * 3
    with (
        CloudWarehouse(service).open(config, "bus", tmp_path / "work") as loader,
        pytest.raises(WarehouseUnavailable, match="cannot be reached") as caught,
    ):
        loader.load("orders", pa.table({"message_id": ["a"], "sequence_num": [1]}))
    assert "hidden-word" not in str(caught.value)
