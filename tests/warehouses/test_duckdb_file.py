"""A DuckDB file is held while one load follows the other, and others get their turn."""

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from syncline.warehouses import duckdb_file
from syncline.warehouses.errors import WarehouseError
from tests.warehouses.conftest import Target

BATCHES = 50

LOAD = """
import sys
from pathlib import Path

import pyarrow as pa
from syncline.warehouses import duckdb_file
from syncline.warehouses.duckdb import DuckdbConfig, DuckdbWarehouse

path, table, batches = sys.argv[1:]
duckdb_file.HOLD = 0.2
with DuckdbWarehouse().open(DuckdbConfig.parse({"path": path}), "bus", Path(path).parent / table) as loader:
    sys.stdin.readline()
    for batch in range(int(batches)):
        numbers = range(batch * 500, batch * 500 + 500)
        columns = {"message_id": [f"m{number}" for number in numbers], "sequence_num": pa.array(numbers, pa.int64())}
        loader.load(table, pa.table(columns))
        print(table, batch, flush=True)
"""


def rows(*numbers: int) -> pa.Table:
    return pa.table({"message_id": [f"m{number}" for number in numbers], "sequence_num": pa.array(numbers, pa.int64())})


def is_held(path: str) -> bool:
    """Whether a process that is not this one finds the file held."""
    attempt = f"import duckdb; duckdb.connect({path!r}, read_only=True)"
    result = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0 or "Could not set lock" in result.stderr
    return result.returncode != 0


def test_the_file_is_held_between_loads_until_the_loader_rests(duckdb_target: Target):
    path = duckdb_target.config.path
    with duckdb_target.open() as loader:
        loader.load("orders", rows(1))
        assert is_held(path)
        loader.rest()
        assert not is_held(path)
        loader.load("orders", rows(2))
        assert is_held(path)
    assert not is_held(path)
    assert duckdb_target.query("SELECT count(*) FROM bus.orders") == [(2,)]


def test_it_is_not_held_for_long(duckdb_target: Target, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(duckdb_file, "HOLD", 0.0)
    with duckdb_target.open() as loader:
        loader.load("orders", rows(1))
        assert not is_held(duckdb_target.config.path)


def test_others_have_a_moment_between_two_holds(duckdb_target: Target):
    with duckdb_target.open() as loader:
        loader.load("orders", rows(1))
        loader.rest()
        start = time.monotonic()
        loader.load("orders", rows(2))
        assert time.monotonic() - start > duckdb_file.TURN / 2


def test_a_refused_load_lets_go_of_the_file_and_the_next_one_works(duckdb_target: Target):
    duckdb_target.change("CREATE SCHEMA bus")
    duckdb_target.change("CREATE TABLE bus.strict AS SELECT 'm0' AS message_id, 0::BIGINT AS sequence_num, 1 AS more")
    duckdb_target.change("ALTER TABLE bus.strict ALTER more SET NOT NULL")
    with duckdb_target.open() as loader:
        loader.load("orders", rows(1))
        with pytest.raises(WarehouseError, match=r"DuckDB refused the load.*NOT NULL"):
            loader.load("strict", rows(0, 1))
        assert not is_held(duckdb_target.config.path)
        assert duckdb_target.query("SELECT * FROM bus.strict") == [("m0", 0, 1)]
        loader.load("orders", rows(2))
    assert duckdb_target.query("SELECT count(*) FROM bus.orders") == [(2,)]


def test_the_largest_messages_fit_into_the_memory_that_it_takes(duckdb_target: Target):
    largest = os.urandom(50_000_000).hex()
    batch = rows(1, 2).append_column("value", pa.array([largest, largest[::-1]]))
    with duckdb_target.open() as loader:
        loader.load("orders", batch)
        loader.load("orders", rows(3))
    assert duckdb_target.query("SELECT sequence_num, length(value) FROM bus.orders ORDER BY 1") == [
        (1, 100_000_000),
        (2, 100_000_000),
        (3, None),
    ]


def test_two_processes_that_load_into_one_file_both_finish(tmp_path: Path):
    path = tmp_path / "warehouse.duckdb"

    def start(table: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LOAD, str(path), table, str(BATCHES)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, text=True)

    with (tmp_path / "loads").open("w") as output:
        processes = [start(table) for table in ("orders", "payments")]
        time.sleep(1.0)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
    done = [line.split()[0] for line in (tmp_path / "loads").read_text().splitlines()]
    turns = 1 + sum(first != second for first, second in pairwise(done))
    assert turns > 2, "neither has to wait until the other has finished"
    with duckdb.connect(str(path), read_only=True) as connection:
        for table in ("orders", "payments"):
            found = connection.execute(f"SELECT count(*), count(DISTINCT message_id) FROM bus.{table}").fetchall()
            assert found == [(BATCHES * 500, BATCHES * 500)]
