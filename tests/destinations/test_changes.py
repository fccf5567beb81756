"""Listing, changing, testing and deleting destinations over HTTP, on both kinds of store."""

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Connection, utc_now
from tests.destinations.support import check_begun
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.usefixtures("store_url")


@pytest.fixture
async def destination(client: httpx.AsyncClient, group_id: str, tmp_path: Path) -> dict[str, Any]:
    request = {
        "group_id": group_id,
        "service": "duckdb",
        "time_zone_offset": "0",
        "proxy_agent_id": "agent",
        "config": {"path": str(tmp_path / "w.duckdb")},
    }
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["data"])


async def begin_to_test(client: httpx.AsyncClient, url: str) -> asyncio.Task[httpx.Response]:
    """A setup test under way."""
    testing = asyncio.create_task(client.post(f"{url}/test"))
    await check_begun()
    return testing


async def _connection(client: httpx.AsyncClient, group_id: str, schema: str = "bus") -> str:
    request = {
        "group_id": group_id,
        "service": "azure_service_bus",
        "run_setup_tests": False,
        "config": {"schema": schema},
    }
    answer = await client.post("/v1/connections", json=request)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def test_a_list_has_every_destination_once_and_no_configs(client: httpx.AsyncClient, tmp_path: Path) -> None:
    made = []
    for number in range(5):
        group = (await client.post("/v1/groups", json={"name": f"g{number}"})).json()["data"]["id"]
        made.append(group)
        request = {"group_id": group, "service": "duckdb", "time_zone_offset": "0", "run_setup_tests": False}
        assert (await client.post("/v1/destinations", json=request)).status_code == 201
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        data = (await client.get("/v1/destinations", params={"limit": 2, **cursor})).json()["data"]
        assert len(data["items"]) <= 2
        found += data["items"]
        if "next_cursor" not in data:
            break
        cursor = {"cursor": data["next_cursor"]}
    assert sorted(item["id"] for item in found) == sorted(made)
    assert all("config" not in item and item["setup_status"] == "incomplete" for item in found)
    assert (await client.get("/v1/destinations", params={"limit": 0})).status_code == 400
    assert (await client.get("/v1/destinations", params={"cursor": "x"})).status_code == 400


async def test_only_what_was_sent_changes(client: httpx.AsyncClient, destination: dict[str, Any]) -> None:
    url = f"/v1/destinations/{destination['id']}"
    answer = await client.patch(url, json={"time_zone_offset": "+10", "region": "AWS_EU_WEST_1"})
    assert answer.status_code == 200, answer.text
    expected = {**destination, "time_zone_offset": "+10", "region": "AWS_EU_WEST_1"}
    assert answer.json()["data"] == expected
    assert (await client.patch(url, json={})).json()["data"] == expected
    assert (await client.patch(url, json={"region": None, "config": None})).json()["data"] == expected
    assert (await client.get(url)).json()["data"] == expected


async def test_a_null_identifier_is_removed(client: httpx.AsyncClient, destination: dict[str, Any]) -> None:
    url = f"/v1/destinations/{destination['id']}"
    assert destination["proxy_agent_id"] == "agent"
    data = (await client.patch(url, json={"proxy_agent_id": None, "private_link_id": "link"})).json()["data"]
    assert "proxy_agent_id" not in data
    assert data["private_link_id"] == "link"


async def test_another_file_is_tested_and_used(
    client: httpx.AsyncClient, destination: dict[str, Any], tmp_path: Path
) -> None:
    url = f"/v1/destinations/{destination['id']}"
    (tmp_path / "notes.txt").write_text("no database" * 1000)
    data = (await client.patch(url, json={"config": {"path": str(tmp_path / "notes.txt")}})).json()["data"]
    assert data["setup_status"] == "broken"
    assert data["config"]["path"] == str(tmp_path / "notes.txt")
    assert any(test["status"] == "FAILED" for test in data["setup_tests"])
    data = (await client.patch(url, json={"config": {"path": str(tmp_path / "other.duckdb")}})).json()["data"]
    assert data["setup_status"] == "connected"
    assert (await client.get(url)).json()["data"] == data


async def test_an_untested_change_of_the_config_leaves_it_incomplete(
    client: httpx.AsyncClient, destination: dict[str, Any], tmp_path: Path
) -> None:
    url = f"/v1/destinations/{destination['id']}"
    change = {"config": {"path": str(tmp_path / "x.duckdb")}, "run_setup_tests": False}
    data = (await client.patch(url, json=change)).json()["data"]
    assert (data["setup_status"], data["setup_tests"]) == ("incomplete", [])
    assert (await client.post(f"{url}/test")).json()["data"]["setup_status"] == "connected"


async def test_another_networking_method_is_tested(client: httpx.AsyncClient, destination: dict[str, Any]) -> None:
    url = f"/v1/destinations/{destination['id']}"
    data = (await client.patch(url, json={"networking_method": "SshTunnel"})).json()["data"]
    assert data["setup_status"] == "broken"
    assert (await client.patch(url, json={"networking_method": "Directly"})).json()["data"][
        "setup_status"
    ] == "connected"


async def test_a_bad_change_changes_nothing(client: httpx.AsyncClient, destination: dict[str, Any]) -> None:
    url = f"/v1/destinations/{destination['id']}"
    bad: list[tuple[dict[str, Any], str]] = [
        ({"region": "MOON"}, "`region` must be one of"),
        ({"time_zone_offset": 3}, "`time_zone_offset`"),
        ({"config": "x"}, "`config`"),
        ({"config": {"path": 5}}, "`config.path`"),
        ({"config": {"zzz": "hidden"}}, "`config.zzz`"),
        ({"service": "postgres_warehouse"}, "`service`"),
        ({"group_id": "hidden"}, "`group_id`"),
        ({"run_setup_tests": "yes"}, "`run_setup_tests`"),
    ]
    for change, named in bad:
        answer = await client.patch(url, json={"time_zone_offset": "+1", **change})
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput"), answer.text
        assert named in answer.json()["message"]
        assert "hidden" not in answer.text
    assert (await client.get(url)).json()["data"] == destination


async def test_a_masked_secret_stays_and_a_new_one_is_tested(
    client: httpx.AsyncClient, group_id: str, settings: Settings, postgres: PostgresServer
) -> None:
    database = postgres.create_database()
    config = {
        "host": postgres.host,
        "port": postgres.port,
        "database": database,
        "user": postgres.user,
        "password": postgres.password,
    }
    request = {"group_id": group_id, "service": "postgres_warehouse", "time_zone_offset": "0", "config": config}
    data = (await client.post("/v1/destinations", json=request)).json()["data"]
    assert data["setup_status"] == "connected", data["setup_tests"]
    url = f"/v1/destinations/{group_id}"

    data = (await client.patch(url, json={"config": {**data["config"], "always_encrypted": False}})).json()["data"]
    assert data["config"] == {**config, "port": str(postgres.port), "password": "******", "always_encrypted": False}
    assert data["setup_status"] == "connected"

    answer = await client.patch(url, json={"config": {"password": "wrong-and-hidden"}})
    assert answer.json()["data"]["setup_status"] == "broken"
    assert "wrong-and-hidden" not in answer.text

    answer = await client.patch(url, json={"config": {"password": postgres.password}})
    assert answer.json()["data"]["setup_status"] == "connected"
    assert postgres.password not in answer.text
    postgres.drop_database(database)


async def test_tests_follow_the_world(client: httpx.AsyncClient, destination: dict[str, Any], tmp_path: Path) -> None:
    url = f"/v1/destinations/{destination['id']}/test"
    path = tmp_path / "w.duckdb"
    path.write_bytes(b"no database" * 1000)
    answer = await client.post(url, json={"trust_certificates": True, "trust_fingerprints": True})
    assert answer.status_code == 200
    assert answer.json()["message"] == "Setup tests have been completed"
    assert answer.json()["data"]["setup_status"] == "broken"
    assert answer.json()["data"]["trust_certificates"] is False
    path.unlink()
    assert (await client.post(url)).json()["data"]["setup_status"] == "connected"
    assert (await client.post(url, json={"zzz": 1})).status_code == 400


async def test_setup_tests_leave_nothing_behind(
    client: httpx.AsyncClient, destination: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    assert (await client.post(f"/v1/destinations/{destination['id']}/test")).status_code == 200
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall() == [
            ("main", "mine")
        ]
        assert connection.execute(
            "SELECT count(*) FROM duckdb_schemas() WHERE schema_name LIKE '%syncline%'"
        ).fetchall() == [(0,)]


async def test_a_change_during_a_test_wins_and_the_test_is_told(
    client: httpx.AsyncClient, destination: dict[str, Any], tmp_path: Path
) -> None:
    url = f"/v1/destinations/{destination['id']}"
    testing = await begin_to_test(client, url)
    change = {"config": {"path": str(tmp_path / "new.duckdb")}, "run_setup_tests": False}
    assert (await client.patch(url, json=change)).status_code == 200
    answer = await testing
    assert (answer.status_code, answer.json()["code"]) == (409, "Conflict")
    data = (await client.get(url)).json()["data"]
    assert data["config"]["path"] == str(tmp_path / "new.duckdb")
    assert data["setup_tests"] == []


async def test_a_deletion_during_a_test_wins(client: httpx.AsyncClient, destination: dict[str, Any]) -> None:
    url = f"/v1/destinations/{destination['id']}"
    testing = await begin_to_test(client, url)
    assert (await client.delete(url)).status_code == 200
    assert (await testing).json()["code"] == "NotFound_Destination"


async def test_a_destination_in_use_is_not_deleted(
    client: httpx.AsyncClient, destination: dict[str, Any], group_id: str
) -> None:
    connection = await _connection(client, group_id)
    answer = await client.delete(f"/v1/destinations/{group_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "Conflict")
    assert "1 connection loading" in answer.json()["message"]
    assert (await client.get(f"/v1/destinations/{group_id}")).status_code == 200
    assert (await client.delete(f"/v1/connections/{connection}")).status_code == 200
    answer = await client.delete(f"/v1/destinations/{group_id}")
    assert answer.status_code == 200
    assert answer.json() == {"code": "Success", "message": f"Destination with id '{group_id}' has been deleted"}
    assert (await client.get(f"/v1/destinations/{group_id}")).status_code == 404


async def test_a_deleted_destination_leaves_its_tables_and_its_place(
    client: httpx.AsyncClient, destination: dict[str, Any], group_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS a")
    assert (await client.delete(f"/v1/destinations/{group_id}")).status_code == 200
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT a FROM mine").fetchall() == [(1,)]
    request = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "config": {"path": str(path)}}
    assert (await client.post("/v1/destinations", json=request)).status_code == 201


async def test_another_time_zone_moves_the_next_syncs(
    client: httpx.AsyncClient, destination: dict[str, Any], group_id: str, settings: Settings
) -> None:
    connection_id = await _connection(client, group_id)
    database = Database(settings.store_url)
    async with database.session() as session:
        connection = await session.get_one(Connection, connection_id)
        connection.sync_frequency = 1440
        connection.daily_sync_time = "03:00"
        connection.next_sync_at = utc_now().replace(year=2100)
    answer = await client.patch(f"/v1/destinations/{group_id}", json={"time_zone_offset": "+6"})
    assert answer.status_code == 200
    async with database.session(read_only=True) as session:
        connection = await session.get_one(Connection, connection_id)
        assert connection.next_sync_at is not None
        assert connection.next_sync_at.year < 2100
        assert connection.next_sync_at.hour in {21, 22}  # 3 o'clock at +6, and up to an hour of offset
    await database.close()


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
async def test_an_unknown_destination_is_not_found(client: httpx.AsyncClient, method: str) -> None:
    url = "/v1/destinations/nowhere" + ("/test" if method == "POST" else "")
    answer = await client.request(method, url, json={} if method == "PATCH" else None)
    assert (answer.status_code, answer.json()["code"]) == (404, "NotFound_Destination")
    assert "'nowhere'" in answer.json()["message"]
