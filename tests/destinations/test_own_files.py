"""A destination never harms the server: its own files are refused, and nothing else is opened in its process."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from syncline.settings import Settings
from tests.destinations.support import check_begun, check_processes
from tests.e2e.product import Server


async def test_wrong_paths_are_answered_400_and_nothing_is_made(
    client: httpx.AsyncClient, group_id: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "home" / "syncline.db")
    os.link(tmp_path / "home" / "syncline.db", tmp_path / "hard.duckdb")
    os.link(tmp_path / "home" / "sealing.key", tmp_path / "w.duckdb.wal")
    body = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0"}
    for path in (
        *(":memory:", "w.duckdb", "file:/data/w.duckdb", "~/w.duckdb", str(tmp_path), f"{tmp_path}/fifo", "/dev/null"),
        *(f"{tmp_path}/home/{name}" for name in ("syncline.db", "syncline.db-wal", "sealing.key", "w.duckdb")),
        *(f"{tmp_path}/{name}" for name in ("link.duckdb", "hard.duckdb", "w.duckdb", "x/../home/syncline.db")),
    ):
        for tested in (True, False):
            request = {**body, "config": {"path": path}, "run_setup_tests": tested}
            answer = await client.post("/v1/destinations", json=request)
            assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput"), path
            assert "`config.path`" in answer.json()["message"]
            assert path in answer.json()["message"]
    lake = {**body, "service": "managed_data_lake", "config": {"path": str(tmp_path / "home" / "lake")}}
    assert (await client.post("/v1/destinations", json=lake)).status_code == 400
    assert (await client.get(f"/v1/destinations/{group_id}")).status_code == 404

    request = {**body, "config": {"path": str(tmp_path / "good.duckdb")}, "run_setup_tests": False}
    assert (await client.post("/v1/destinations", json=request)).status_code == 201
    change = {"config": {"path": str(tmp_path / "hard.duckdb")}}
    assert (await client.patch(f"/v1/destinations/{group_id}", json=change)).status_code == 400
    assert (await client.get(f"/v1/destinations/{group_id}")).json()["data"]["config"] == request["config"]


async def test_what_became_an_own_file_since_fails_its_tests(
    client: httpx.AsyncClient, group_id: str, tmp_path: Path, settings: Settings
) -> None:
    path = tmp_path / "w.duckdb"
    body = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "config": {"path": str(path)}}
    assert (await client.post("/v1/destinations", json=body)).json()["data"]["setup_status"] == "connected"
    path.symlink_to(settings.home / "syncline.db")
    answer = await client.post(f"/v1/destinations/{group_id}/test")
    assert answer.json()["data"]["setup_status"] == "broken"
    assert "Syncline's own" in answer.text
    assert (await client.get(f"/v1/destinations/{group_id}")).status_code == 200


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A DuckDB file that another process holds, so that a test of it waits."""
    path = tmp_path / "held.duckdb"
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.readline()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield path
        process.kill()


async def test_a_test_that_takes_too_long_is_ended_with_its_process(
    client: httpx.AsyncClient, group_id: str, settings: Settings, held: Path
) -> None:
    object.__setattr__(settings, "setup_tests_timeout", 0.3)
    body = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "config": {"path": str(held)}}
    creating = asyncio.create_task(client.post("/v1/destinations", json=body))
    await check_begun()
    answer = await creating
    assert answer.status_code == 201
    assert "did not answer within 0.3 seconds" in answer.text
    assert check_processes() == []


async def test_a_test_that_nobody_waits_for_is_ended_with_its_process(
    client: httpx.AsyncClient, group_id: str, held: Path
) -> None:
    body = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "config": {"path": str(held)}}
    creating = asyncio.create_task(client.post("/v1/destinations", json=body))
    await check_begun()
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert check_processes() == []


def test_the_store_survives_whoever_points_a_destination_at_it(tmp_path: Path, held: Path) -> None:
    """And the server's process has never loaded what opens destinations, while a test of one is under way."""
    server = Server(tmp_path)
    server.start()
    try:
        assert server.process is not None
        home = server.home
        (tmp_path / "soft.duckdb").symlink_to(home / "syncline.db")
        os.link(home / "syncline.db", tmp_path / "hard.duckdb")
        os.link(home / "syncline.db-wal", tmp_path / "log.duckdb.wal")
        names = ("soft.duckdb", "hard.duckdb", "log.duckdb", "home/syncline.db", "home/../home/syncline.db")
        made = []
        for name in names:
            made.append(server.call("POST", "/v1/groups", {"name": name})["id"])
            body = {"group_id": made[-1], "service": "duckdb", "time_zone_offset": "0"}
            refused = server.request("POST", "/v1/destinations", {**body, "config": {"path": f"{tmp_path}/{name}"}})
            assert refused.status_code == 400, refused.text
        server.call("POST", "/v1/destinations", {**body, "config": {"path": str(held)}})
        loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "_duckdb" not in loaded
        made.append(server.call("POST", "/v1/groups", {"name": "last"})["id"])
        server.kill()
        server.start()
        for identifier in made:
            assert server.request("GET", f"/v1/groups/{identifier}").status_code == 200
    finally:
        server.stop()
    with sqlite3.connect(home / "syncline.db") as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
