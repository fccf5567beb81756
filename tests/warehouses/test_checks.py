"""The setup tests of destinations, and what happens when one cannot be reached."""

import subprocess
import sys
import time

import duckdb
import pyarrow as pa
import pytest

from syncline.warehouses.duckdb import DuckdbConfig, DuckdbWarehouse
from syncline.warehouses.errors import WarehouseError, WarehouseUnavailable
from syncline.warehouses.postgres import PostgresConfig, PostgresWarehouse
from syncline.warehouses.registry import DeferredWarehouse, UnknownWarehouse, services, warehouse_for

ROWS = pa.table({"message_id": ["a"], "sequence_num": [1]})


def statuses(results) -> list[str]:
    return [result.status for result in results]


def test_a_good_destination_passes_and_is_left_as_it_was(target):
    before = target.folder.exists() and sorted(target.folder.rglob("*"))
    assert statuses(target.warehouse.check(target.config)) == ["PASSED"] * 4
    if target.service == "duckdb":
        assert not (target.folder / "data" / "warehouse.duckdb").exists()
    else:
        assert sorted(target.folder.rglob("*")) == before
        assert target.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%syncline%'") == []


def test_a_used_duckdb_file_is_left_as_it_was(duckdb_target):
    with duckdb_target.open() as loader:
        loader.load("orders", ROWS)
    assert statuses(duckdb_target.warehouse.check(duckdb_target.config)) == ["PASSED"] * 4
    assert duckdb_target.names() == {"bus.orders"}


def test_a_file_that_is_no_database_fails(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database" * 1000)
    result, *rest = DuckdbWarehouse().check(DuckdbConfig.parse({"path": str(tmp_path / "notes.txt")}))
    assert [result.status, *statuses(rest)] == ["FAILED", *["SKIPPED"] * 3]
    assert "notes.txt" in result.message
    assert "config.path" in result.details


def test_a_folder_that_cannot_be_made_fails(tmp_path):
    (tmp_path / "file").write_text("")
    result, *rest = DuckdbWarehouse().check(DuckdbConfig.parse({"path": str(tmp_path / "file" / "x.duckdb")}))
    assert [result.status, *statuses(rest)] == ["FAILED", *["SKIPPED"] * 3]
    assert "config.path" in result.details


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"port": 1}, "cannot be reached"),
        ({"password": "wrong-password"}, "password"),
        ({"database": "nowhere"}, "nowhere"),
        ({"user": "nobody-we-know"}, "nobody-we-know"),
        ({"always_encrypted": True}, "SSL"),
        ({"connection_type": "SshTunnel", "tunnel_host": "h", "tunnel_port": 22, "tunnel_user": "u"}, "not available"),
    ],
)
def test_a_database_that_cannot_be_reached_fails_with_a_remedy(postgres_target, change, expected):
    config = PostgresConfig.parse({**postgres_target.config.model_dump(exclude_unset=True), **change})
    result, *rest = PostgresWarehouse().check(config)
    assert statuses(rest) == ["SKIPPED"] * 3
    assert result.status == "FAILED"
    assert expected in result.message
    assert result.details
    assert "wrong-password" not in str(result)


def test_a_user_who_may_not_make_schemas_fails(postgres_target, postgres, postgres_database):
    postgres_target.change(f"CREATE USER reader_{postgres_database} PASSWORD 'secret'")
    config = PostgresConfig.parse(
        {
            "host": postgres.host,
            "port": postgres.port,
            "database": postgres_database,
            "user": f"reader_{postgres_database}",
            "password": "secret",
        }
    )
    results = PostgresWarehouse().check(config)
    assert statuses(results) == ["PASSED", "FAILED", "SKIPPED", "SKIPPED"]
    assert "CREATE" in results[1].details


def test_names_and_passwords_may_hold_any_character(postgres_target, postgres):
    password = "p w%20+@:/?#&='\"\\ü"
    role = 'odd user"%+@'
    quoted = '"' + role.replace('"', '""') + '"'
    literal = password.replace("'", "''")
    postgres_target.change(f"CREATE USER {quoted} PASSWORD '{literal}' SUPERUSER")
    try:
        config = PostgresConfig.parse(
            {**postgres_target.config.model_dump(exclude_unset=True), "user": role, "password": password}
        )
        with PostgresWarehouse().open(config, "bus", postgres_target.folder / "work") as loader:
            loader.load("orders", ROWS)
        assert postgres_target.query("SELECT message_id FROM bus.orders") == [("a",)]
    finally:
        postgres_target.change(f"REASSIGN OWNED BY {quoted} TO postgres")
        postgres_target.change(f"DROP USER {quoted}")


def test_an_incomplete_configuration_cannot_be_opened(tmp_path):
    with (
        pytest.raises(WarehouseError, match="password"),
        PostgresWarehouse().open(PostgresConfig.parse({"host": "h"}), "bus", tmp_path),
    ):
        pass


@pytest.fixture
def holder(duckdb_target):
    """A process that has the DuckDB file open until it is told to let go."""
    path = duckdb_target.config.path
    with duckdb_target.open() as loader:
        loader.load("orders", ROWS)
    code = f"import duckdb, sys; c = duckdb.connect({path!r}); print('open', flush=True); sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"open\n"
        yield process
        process.kill()


def test_a_load_waits_its_turn(duckdb_target, holder):
    import threading

    letting_go = threading.Timer(0.5, lambda: (holder.stdin.write(b"\n"), holder.stdin.flush()))
    letting_go.start()
    with duckdb_target.open() as loader:
        loader.load("payments", ROWS)
    letting_go.join()
    assert duckdb_target.query("SELECT count(*) FROM bus.payments") == [(1,)]


def test_a_load_does_not_wait_for_ever(duckdb_target, holder, monkeypatch):
    monkeypatch.setattr("syncline.warehouses.duckdb.LOAD_WAIT", 0.3)
    begin = time.monotonic()
    with duckdb_target.open() as loader, pytest.raises(WarehouseUnavailable, match=f"PID {holder.pid}"):
        loader.load("payments", ROWS)
    assert time.monotonic() - begin < 10


def test_the_file_is_free_between_loads(duckdb_target):
    with duckdb_target.open() as loader:
        loader.load("orders", ROWS)
        loader.rest()
        with duckdb.connect(duckdb_target.config.path) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
        loader.load("orders", ROWS)
    assert duckdb_target.query("SELECT a FROM mine") == [(1,)]


def test_a_lock_on_the_table_is_waited_for_and_then_reported(postgres_target, postgres, postgres_database, monkeypatch):
    import psycopg

    monkeypatch.setattr("syncline.warehouses.postgres.LOCK_TIMEOUT", 1)
    with postgres_target.open() as loader:
        loader.load("orders", ROWS)
    with psycopg.connect(postgres.url_of(postgres_database)) as other:
        other.execute("LOCK TABLE bus.orders")
        with postgres_target.open() as loader, pytest.raises(WarehouseUnavailable, match="locked"):
            loader.load("orders", ROWS)
        other.rollback()


def test_the_registry_knows_its_warehouses():
    known = [declaration.service for declaration in services()]
    assert known == sorted(known)
    assert {"duckdb", "postgres_warehouse", "snowflake"} <= set(known)
    assert warehouse_for("duckdb").declaration.config is DuckdbConfig
    with pytest.raises(UnknownWarehouse, match=r"duckdb, .*postgres_warehouse"):
        warehouse_for("abacus")


@pytest.mark.parametrize("service", [declaration.service for declaration in services()])
def test_the_registry_says_what_each_warehouse_says_itself(service: str):
    deferred = warehouse_for(service)
    assert isinstance(deferred, DeferredWarehouse)
    found = deferred.implementation()
    assert (found.declaration, found.drops_columns) == (deferred.declaration, deferred.drops_columns)
