"""dlt runs on what it is told, whatever stands in the environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

LOAD = """
import json, socket, sys
from pathlib import Path

asked = []

def refuse(*arguments, **options):
    asked.append(repr(arguments))
    raise OSError("no network here")

socket.socket.connect = refuse
socket.getaddrinfo = refuse

import dlt
import pyarrow as pa
from syncline.declarations import Configuration, ServiceDeclaration
from syncline.warehouses.cloud.service import CloudService
from syncline.warehouses.cloud.warehouse import CloudWarehouse

Path(sys.argv[1]).parent.mkdir()
service = CloudService(
    declaration=ServiceDeclaration("stand_in", "Stand-in", "", Configuration),
    driver="duckdb",
    extra="stand-in",
    destination=lambda _, staging: dlt.destinations.duckdb(sys.argv[1], staging_dataset_name_layout=staging),
    address=lambda config: None,
    unavailable=lambda config: None,
)
table = pa.table({"message_id": ["a"], "sequence_num": [1], "value_orderId": ["x"]})
with CloudWarehouse(service).open(Configuration.parse({}), "bus", Path(sys.argv[2])) as loader:
    loader.load("orders", table)

import threading
print(json.dumps({"asked": asked, "threads": [t.name for t in threading.enumerate()]}))
"""

HOSTILE_ENVIRONMENT = {
    "RUNTIME__DLTHUB_TELEMETRY": "true",
    "RUNTIME__DLTHUB_TELEMETRY_ENDPOINT": "http://192.0.2.1/",
    "RUNTIME__LOG_LEVEL": "DEBUG",
    "RUNTIME__SENTRY_DSN": "http://key@192.0.2.1/1",
    "CREDENTIALS": "/nowhere/else.duckdb",
    "DESTINATION__CREDENTIALS": "/nowhere/else.duckdb",
    "DESTINATION__DUCKDB__CREDENTIALS": "/nowhere/else.duckdb",
    "DESTINATION__DUCKDB__CREDENTIALS__DATABASE": "/nowhere/else.duckdb",
    "DESTINATION__STAGING_DATASET_NAME_LAYOUT": "hostile_%s",
    "DATASET_NAME": "hostile",
    "DATASET_NAME_LAYOUT": "hostile_%s",
    "SCHEMA__NAMING": "sql_cs_v1",
    "SCHEMA__MAX_TABLE_NESTING": "0",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "LOAD__WORKERS": "0",
    "LOAD__RAISE_ON_FAILED_JOBS": "false",
    "RESTORE_FROM_DESTINATION": "true",
    "PIPELINE_NAME": "hostile",
    "PIPELINES_DIR": "/nowhere",
}
HOSTILE_SECRETS = """
credentials = "/nowhere/else.duckdb"
[runtime]
dlthub_telemetry = true
log_level = "DEBUG"
[destination.duckdb]
credentials = "/nowhere/else.duckdb"
[normalize.parquet_normalizer]
add_dlt_load_id = true
[schema]
naming = "sql_cs_v1"
"""


def test_settings_of_the_surroundings_have_no_effect(tmp_path: Path):
    import duckdb

    home = tmp_path / "home"
    for folder in (home, tmp_path):
        (folder / ".dlt").mkdir(parents=True)
        (folder / ".dlt" / "secrets.toml").write_text(HOSTILE_SECRETS)
        (folder / ".dlt" / "config.toml").write_text(HOSTILE_SECRETS)
    before = _files(home)
    database = tmp_path / "out" / "x.duckdb"
    result = subprocess.run(
        [sys.executable, "-c", LOAD, str(database), str(tmp_path / "work")],
        cwd=tmp_path,
        env={**os.environ, **HOSTILE_ENVIRONMENT, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout) == {"asked": [], "threads": ["MainThread"]}
    with duckdb.connect(str(database), read_only=True) as connection:
        assert set(connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()) == {
            ("bus", "_syncline_names"),
            ("bus", "orders"),
        }
        assert connection.execute("SELECT * FROM bus.orders").fetchall() == [("a", 1, "x")]
        assert connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'orders'"
        ).fetchall() == [
            ("message_id",),
            ("sequence_num",),
            ("value_order_id",),
        ]
    assert _files(home) == before
    assert not (tmp_path / "work").exists()


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_neither_the_server_nor_a_worker_that_loads_into_duckdb_imports_dlt(tmp_path: Path):
    script = """
import sys
from pathlib import Path

import pyarrow as pa
import syncline.engine.worker
import syncline.server
from syncline.warehouses.registry import warehouse_for

warehouse = warehouse_for("duckdb")
config = warehouse.declaration.config.parse({"path": sys.argv[1]})
assert warehouse.check(config)[0].status == "PASSED"
with warehouse.open(config, "bus", Path(sys.argv[2])) as loader:
    loader.load("orders", pa.table({"message_id": ["a"], "sequence_num": [1]}))
print("dlt" in sys.modules)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "x.duckdb"), str(tmp_path / "work")]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=90).stdout == "False\n"
