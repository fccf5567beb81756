"""Paths of destinations on this machine: what is refused in a configuration, and once more before a file is opened."""

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from syncline.declarations import Configuration, InvalidField
from syncline.home import Home
from syncline.warehouses.duckdb import DuckdbWarehouse
from syncline.warehouses.duckdb_config import DuckdbConfig
from syncline.warehouses.duckdb_connect import connect_in_memory, connect_to_file
from syncline.warehouses.errors import WarehouseError
from syncline.warehouses.lake.config import DataLakeConfig
from syncline.warehouses.lake.warehouse import LakeWarehouse

ROWS = pa.table({"message_id": ["a"], "sequence_num": [1]})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An installation with a SQLite store, as it is while the server runs."""
    folder = tmp_path / "home"
    (folder / "work" / "connection").mkdir(parents=True)
    for name in ("syncline.db", "syncline.db-wal", "sealing.key", "work/connection/batch"):
        (folder / name).write_text(name)
    return Home(folder, folder / "syncline.db")


def refusal(config: type[Configuration], path: str, home: Home | None = None, **values: str) -> InvalidField:
    """What is said of a path."""
    try:
        config.parse({"path": path, **values}).check_places(home or Home(Path("/nowhere")))
    except InvalidField as refused:
        return refused
    raise AssertionError(f"{path} was taken")


@pytest.mark.parametrize("config", [DuckdbConfig, DataLakeConfig])
@pytest.mark.parametrize(
    "path",
    [
        *(":memory:", ":memory:name", ":default:", "md:", "md:sales", "motherduck:x", "sqlite:/x", "FILE:/x"),
        *("file:///data/x", "s3://bucket/x", "https://example.com/x.duckdb", "postgres:host=x"),
        *("warehouse.duckdb", "./warehouse.duckdb", "../x", "~", "~/warehouse.duckdb", "~root/x", " /data/x", "c:\\x"),
        *("/data/../x", "/data/x/..", "/data/x ", "/data/x\n", "/data/a\tb", "/data/\x00x", " "),
        *("/" + "x" * 300, "/" + "x/" * 4000 + "x"),
    ],
)
def test_only_an_absolute_path_is_taken(config: type[Configuration], path: str) -> None:
    refused = refusal(config, path)
    assert refused.field == "config.path"
    assert refused.value is not None
    assert ":" in refused.message or "remove" in refused.message


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path must be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [_folder, _fifo, _socket, _device, _loop])
@pytest.mark.parametrize("name", ["w.duckdb", "w.duckdb.wal"])
def test_what_is_no_regular_file_is_refused_and_never_opened(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    path = str(tmp_path / "w.duckdb")
    assert refusal(DuckdbConfig, path).field == "config.path"
    # It was a file when the destination was made.
    stored = DuckdbConfig.restore({"path": path})
    (first, *_) = DuckdbWarehouse().check(stored)
    assert first.status == "FAILED"
    with (
        pytest.raises(WarehouseError, match=r"w\.duckdb"),
        DuckdbWarehouse().open(stored, "bus", tmp_path / "load") as loader,
    ):
        loader.load("orders", ROWS)


@pytest.mark.parametrize("make", [_fifo, _socket, _device, Path.touch])
def test_a_lake_is_a_folder(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "lake")
    assert refusal(DataLakeConfig, str(tmp_path / "lake")).field == "config.path"


def test_paths_that_were_stored_before_they_were_refused_are_not_opened(tmp_path: Path) -> None:
    for path in (":memory:", "w.duckdb", "~/w.duckdb"):
        (first, *_) = DuckdbWarehouse().check(DuckdbConfig.restore({"path": path}))
        assert (first.status, "path" in first.message) == ("FAILED", True)
        with (
            pytest.raises(WarehouseError, match=r"config\.path"),
            DuckdbWarehouse().open(DuckdbConfig.restore({"path": path}), "bus", tmp_path / "load") as loader,
        ):
            loader.load("orders", ROWS)


@pytest.mark.parametrize(
    "name",
    [
        *("syncline.db", "syncline.db-wal", "syncline.db-shm", "sealing.key", "work", "work/connection/batch"),
        *("new.duckdb", "new/folder/new.duckdb"),
    ],
)
def test_the_inside_of_the_home_is_refused_by_every_name(tmp_path: Path, home: Home, name: str) -> None:
    target = home.folder / name
    (tmp_path / "file").symlink_to(target)
    (tmp_path / "file-of-file").symlink_to(tmp_path / "file")
    (tmp_path / "folder").symlink_to(home.folder)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "up").symlink_to("..")
    for path in (
        target,
        tmp_path / "file",
        tmp_path / "file-of-file",
        tmp_path / "folder" / name,
        tmp_path / "deep" / "up" / "home" / name,
        f"{tmp_path}//home/.//{name}",
    ):
        assert refusal(DuckdbConfig, str(path), home).field == "config.path"


@pytest.mark.parametrize("name", ["syncline.db", "syncline.db-wal", "sealing.key", "work/connection/batch"])
@pytest.mark.parametrize("ending", ["", ".wal", ".wal.checkpoint", ".wal.recovery"])
def test_other_names_of_an_own_file_are_refused_for_the_file_and_its_log(
    tmp_path: Path, home: Home, name: str, ending: str
) -> None:
    os.link(home.folder / name, tmp_path / f"w.duckdb{ending}")
    assert "Syncline's own" in refusal(DuckdbConfig, str(tmp_path / "w.duckdb"), home).message
    warehouse, config = DuckdbWarehouse(home), DuckdbConfig.restore({"path": str(tmp_path / "w.duckdb")})
    assert warehouse.check(config)[0].status == "FAILED"
    with pytest.raises(WarehouseError, match="own"), warehouse.open(config, "bus", tmp_path / "load") as loader:
        loader.load("orders", ROWS)
    assert (home.folder / name).read_text() == name


def test_a_store_elsewhere_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    home = Home(tmp_path / "home", tmp_path / "data" / "store")
    (tmp_path / "data" / "link").symlink_to("store-wal")
    for name in ("store", "store-wal", "store-shm", "store-journal", "link"):
        assert "own" in refusal(DuckdbConfig, str(tmp_path / "data" / name), home).message
    assert refusal(DataLakeConfig, str(tmp_path / "data"), home).field == "config.path"
    DuckdbConfig.parse({"path": str(tmp_path / "data" / "w.duckdb")}).check_places(home)


def test_what_swaps_places_with_an_own_file_later_is_not_opened(tmp_path: Path, home: Home) -> None:
    path = tmp_path / "w.duckdb"
    config = DuckdbConfig.parse({"path": str(path)})
    with DuckdbWarehouse(home).open(config, "bus", tmp_path / "load") as loader:
        loader.load("orders", ROWS)
        loader.rest()
        path.unlink()
        path.symlink_to(home.folder / "syncline.db")
        with pytest.raises(WarehouseError, match="own"):
            loader.load("orders", ROWS)
    assert (home.folder / "syncline.db").read_text() == "syncline.db"


def test_a_lake_lies_neither_in_the_home_nor_around_it(tmp_path: Path, home: Home) -> None:
    (tmp_path / "inside").symlink_to(home.folder / "work")
    (tmp_path / "around").symlink_to(tmp_path)
    for path in (home.folder, home.folder / "lake", tmp_path / "inside", tmp_path / "around", tmp_path):
        assert refusal(DataLakeConfig, str(path), home).field == "config.path"
        (first, *_) = LakeWarehouse(home).check(DataLakeConfig.restore({"path": str(path)}))
        assert first.status == "FAILED"
    assert refusal(DataLakeConfig, str(tmp_path), home, prefix_path="inside/x").field == "config.path"
    assert refusal(DataLakeConfig, str(tmp_path / "lake"), home, prefix_path="../home").field == "config.prefix_path"
    DataLakeConfig.parse({"path": str(tmp_path / "lake"), "prefix_path": "/a/b/"}).check_places(home)


def test_a_schema_of_a_lake_that_leads_into_the_home_is_not_written(tmp_path: Path, home: Home) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "bus").symlink_to(home.folder)
    config = DataLakeConfig.parse({"path": str(tmp_path / "lake")})
    before = sorted(home.folder.rglob("*"))
    with (
        pytest.raises(WarehouseError, match="own"),
        LakeWarehouse(home).open(config, "bus", tmp_path / "load") as loader,
    ):
        loader.load("orders", ROWS)
    assert sorted(home.folder.rglob("*")) == before


def test_a_file_beside_the_home_may_have_many_names(tmp_path: Path, home: Home) -> None:
    path = tmp_path / "data" / "w.duckdb"
    path.parent.mkdir()
    (tmp_path / "link").symlink_to(path.parent)
    for name in (path, tmp_path / "link" / "w.duckdb"):
        config = DuckdbConfig.parse({"path": str(name)})
        config.check_places(home)
        with DuckdbWarehouse(home).open(config, "bus", tmp_path / "load") as loader:
            loader.load("orders", ROWS)
    os.link(path, tmp_path / "second.duckdb")
    DuckdbConfig.parse({"path": str(tmp_path / "second.duckdb")}).check_places(home)


@pytest.mark.parametrize("content", ["sqlite", "text", "empty"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.db"
    path.write_text("nothing but words" * 500 if content == "text" else "")
    if content == "sqlite":
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE notes (a)")
        connection.commit()
        connection.close()
    before = path.read_bytes()
    config = DuckdbConfig.parse({"path": str(path)})
    (first, *_) = DuckdbWarehouse().check(config)
    assert first.status == "FAILED"
    assert str(path) in first.message
    assert "config.path" in first.details
    assert "xtension" not in first.message
    assert [path.read_bytes(), *tmp_path.iterdir()] == [before, path]


def test_duckdb_fetches_and_loads_no_extension(tmp_path: Path) -> None:
    with connect_to_file(tmp_path / "w.duckdb", None) as to_file, connect_in_memory() as in_memory:
        for connection in (to_file, in_memory):
            for setting in ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions"):
                assert connection.execute("SELECT current_setting(?)", [setting]).fetchall() == [(False,)]
            assert connection.execute("""SELECT json_extract('{"a": 1}', 'a') = '1', TIMESTAMPTZ 'epoch'""").fetchall()
        with pytest.raises(duckdb.Error):
            to_file.execute("SELECT * FROM 'https://127.0.0.1:1/x.csv'")
        for reaching in ("COPY (SELECT 1) TO '{}/x.csv'", "ATTACH '{}/other.duckdb'", "LOAD httpfs"):
            with pytest.raises(duckdb.Error):
                in_memory.execute(reaching.format(tmp_path))
        with pytest.raises(duckdb.Error):
            in_memory.execute("SET enable_external_access = true")
