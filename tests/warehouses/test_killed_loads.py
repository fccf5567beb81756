"""A process that is killed while it loads, at any moment, loses nothing and doubles nothing."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb

BATCHES = 60
ROWS = 500
KILLS = 10

LOAD = """
import sys
from pathlib import Path

import pyarrow as pa
from syncline.warehouses.duckdb import DuckdbConfig, DuckdbWarehouse

path, folder, batches, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
marker = folder / "done"
done = int(marker.read_text()) if marker.exists() else 0
with DuckdbWarehouse().open(DuckdbConfig.parse({"path": path}), "bus", folder / "work") as loader:
    print("ready", flush=True)
    for batch in range(done, batches):
        # Batches overlap by half, and later ones have another type and one column more.
        numbers = range(batch * rows // 2, batch * rows // 2 + rows)
        columns = {
            "message_id": [f"m{number}" for number in numbers],
            "sequence_num": pa.array(numbers, pa.int64()),
            "value": pa.array(numbers, pa.int16() if batch < batches // 2 else pa.int64()),
            f"extra{batch // 20}": ["x"] * rows,
        }
        loader.load("orders", pa.table(columns))
        marker.write_text(str(batch + 1))
        print(batch, flush=True)
"""


def test_a_killed_load_is_done_again_and_nothing_is_lost_or_doubled(tmp_path: Path):
    moments = random.Random(20)
    path = tmp_path / "warehouse.duckdb"
    command = [sys.executable, "-c", LOAD, str(path), str(tmp_path), str(BATCHES), str(ROWS)]
    kills = with_log = 0
    for _attempt in range(30):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if kills < KILLS:
                for _batch in range(moments.randrange(BATCHES // KILLS)):
                    process.stdout.readline()
                time.sleep(moments.uniform(0.0, 0.03))
                process.send_signal(signal.SIGKILL)
            process.communicate(timeout=100)
        if process.returncode == 0:
            break
        kills += 1
        with_log += path.with_suffix(".duckdb.wal").exists()
        _check_batches(path, int((tmp_path / "done").read_text()) if (tmp_path / "done").exists() else 0)
    assert process.returncode == 0
    assert kills > KILLS // 2
    assert with_log > KILLS // 2, "most kills have to hit a file that is held, with loads in its log"
    last = (BATCHES - 1) * ROWS // 2 + ROWS
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT sequence_num, value FROM bus.orders ORDER BY 1").fetchall() == [
            (number, number) for number in range(last)
        ]
        assert connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall() == [
            ("bus", "orders")
        ]


def _check_batches(path: Path, done: int) -> None:
    """After a kill the table holds the batches that were reported, and perhaps one more, each of them whole."""
    if not path.exists():
        assert done == 0
        return
    with duckdb.connect(str(path), read_only=True) as connection:
        if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'orders'").fetchall():
            assert done == 0
            return
        found = [
            number for (number,) in connection.execute("SELECT sequence_num FROM bus.orders ORDER BY 1").fetchall()
        ]
    assert found in [_numbers(done), _numbers(done + 1)]


def _numbers(batches: int) -> list[int]:
    return list(range((batches - 1) * ROWS // 2 + ROWS)) if batches else []
