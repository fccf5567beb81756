"""Destinations over HTTP: a DuckDB file and a PostgreSQL server."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from syncline.settings import Settings
from tests.support.postgres import PostgresServer


def _duckdb(group_id: str, path: Path, **fields: Any) -> dict[str, Any]:
    config = {"path": str(path)}
    return {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "config": config, **fields}


async def test_a_duckdb_file_is_tested_and_connected(client: httpx.AsyncClient, group_id: str, tmp_path: Path) -> None:
    request = _duckdb(group_id, tmp_path / "warehouse.duckdb", region="GCP_EUROPE_WEST3", time_zone_offset="+3")
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert data["id"] == data["group_id"] == group_id
    assert (data["service"], data["region"], data["time_zone_offset"]) == ("duckdb", "GCP_EUROPE_WEST3", "+3")
    assert data["config"] == request["config"]
    assert data["setup_status"] == "connected"
    assert data["setup_tests"]
    assert all(test["status"] == "PASSED" and test["title"] for test in data["setup_tests"])
    assert (await client.get(f"/v1/destinations/{group_id}")).json()["data"] == data


async def test_defaults(client: httpx.AsyncClient, group_id: str, tmp_path: Path) -> None:
    data = (await client.post("/v1/destinations", json=_duckdb(group_id, tmp_path / "w.duckdb"))).json()["data"]
    assert data["region"] == "LOCAL"
    assert data["networking_method"] == "Directly"
    assert data["daylight_saving_time_enabled"] is False
    assert data["trust_certificates"] is False
    assert "private_link_id" not in data


async def test_every_other_field_is_stored_and_answered(
    client: httpx.AsyncClient, group_id: str, tmp_path: Path
) -> None:
    fields = {
        "trust_certificates": True,
        "trust_fingerprints": True,
        "daylight_saving_time_enabled": True,
        "networking_method": "PrivateLink",
        "private_link_id": "link",
        "proxy_agent_id": "proxy",
        "hybrid_deployment_agent_id": "hybrid",
        "local_processing_agent_id": "local",
        "external_secrets_manager_id": "manager",
    }
    request = _duckdb(group_id, tmp_path / "w.duckdb", **fields)
    assert (await client.post("/v1/destinations", json=request)).status_code == 201
    data = (await client.get(f"/v1/destinations/{group_id}")).json()["data"]
    assert {name: data[name] for name in fields} == fields
    assert data["setup_status"] == "incomplete"
    failed = [test for test in data["setup_tests"] if test["status"] == "FAILED"]
    assert len(failed) == 1
    assert "PrivateLink is not available yet" in failed[0]["message"]


async def test_without_setup_tests_it_stays_incomplete(
    client: httpx.AsyncClient, group_id: str, tmp_path: Path
) -> None:
    request = _duckdb(group_id, tmp_path / "w.duckdb", run_setup_tests=False)
    data = (await client.post("/v1/destinations", json=request)).json()["data"]
    assert data["setup_tests"] == []
    assert data["setup_status"] == "incomplete"
    assert not (tmp_path / "w.duckdb").exists()


async def test_what_is_merely_missing_makes_it_incomplete_and_is_named(
    client: httpx.AsyncClient, group_id: str
) -> None:
    request = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0"}
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert data["setup_status"] == "incomplete"
    assert [test["status"] for test in data["setup_tests"]] == ["FAILED"]
    assert "`config.path`" in data["setup_tests"][0]["message"]


async def test_a_postgres_warehouse_keeps_its_password_to_itself(
    client: httpx.AsyncClient,
    group_id: str,
    settings: Settings,
    postgres: PostgresServer,
    postgres_database: str,
) -> None:
    config = {
        "host": postgres.host,
        "port": postgres.port,
        "database": postgres_database,
        "user": postgres.user,
        "password": postgres.password,
    }
    request = {"group_id": group_id, "service": "postgres_warehouse", "time_zone_offset": "-5", "config": config}
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 201, answer.text
    data = answer.json()["data"]
    assert data["setup_status"] == "connected", data["setup_tests"]
    assert data["config"] == {**config, "port": str(postgres.port), "password": "******"}
    assert postgres.password not in answer.text
    assert postgres.password not in (await client.get(f"/v1/destinations/{group_id}")).text
    stored = b"".join(path.read_bytes() for path in settings.home.glob("syncline.db*"))
    assert postgres.password.encode() not in stored
    assert postgres_database.encode() in stored


async def test_a_wrong_password_is_a_failed_test_that_does_not_show_it(
    client: httpx.AsyncClient, group_id: str, postgres: PostgresServer
) -> None:
    config = {
        "host": postgres.host,
        "port": postgres.port,
        "database": "postgres",
        "user": postgres.user,
        "password": "wrong-and-hidden",
    }
    request = {"group_id": group_id, "service": "postgres_warehouse", "time_zone_offset": "0", "config": config}
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert data["setup_status"] == "incomplete"
    assert any(test["status"] == "FAILED" for test in data["setup_tests"])
    assert "wrong-and-hidden" not in answer.text


@pytest.mark.parametrize(
    ("change", "status", "code", "named"),
    [
        ({"group_id": "nothing"}, 404, "NotFound_Group", "'nothing'"),
        ({"group_id": 5}, 400, "InvalidInput", "`group_id`"),
        ({"group_id": None}, 400, "InvalidInput", "`group_id` must be text, not null"),
        ({"service": "oracle"}, 404, "NotFound_Integration", "'oracle'"),
        ({"service": "azure_service_bus"}, 404, "NotFound_Integration", "'azure_service_bus'"),
        ({"service": None}, 400, "InvalidInput", "`service` must be text, not null"),
        ({"time_zone_offset": None}, 400, "InvalidInput", "`time_zone_offset` must be one of"),
        ({"time_zone_offset": "+13"}, 400, "InvalidInput", "`time_zone_offset` must be one of"),
        ({"time_zone_offset": 0}, 400, "InvalidInput", "`time_zone_offset`"),
        ({"region": "MOON"}, 400, "InvalidInput", "`region` must be one of"),
        ({"networking_method": "direct"}, 400, "InvalidInput", "`networking_method`"),
        ({"run_setup_tests": "true"}, 400, "InvalidInput", "`run_setup_tests`"),
        ({"config": []}, 400, "InvalidInput", "`config`"),
        ({"config": {"path": 5}}, 400, "InvalidInput", "`config.path`"),
        ({"config": {"path": "/x", "zzz": "hidden"}}, 400, "InvalidInput", "`config.zzz`"),
        ({"zzz": "hidden"}, 400, "InvalidInput", "`zzz`"),
    ],
)
async def test_bad_requests(
    client: httpx.AsyncClient,
    group_id: str,
    tmp_path: Path,
    change: dict[str, Any],
    status: int,
    code: str,
    named: str,
) -> None:
    answer = await client.post("/v1/destinations", json={**_duckdb(group_id, tmp_path / "w.duckdb"), **change})
    assert answer.status_code == status, answer.text
    assert answer.json()["code"] == code
    assert named in answer.json()["message"]
    assert "hidden" not in answer.text
    assert (await client.get(f"/v1/destinations/{group_id}")).status_code == 404


async def test_a_group_has_one_destination(client: httpx.AsyncClient, group_id: str, tmp_path: Path) -> None:
    request = _duckdb(group_id, tmp_path / "w.duckdb")
    assert (await client.post("/v1/destinations", json=request)).status_code == 201
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 409
    assert answer.json()["code"] == "Conflict"


async def test_an_unknown_destination_is_not_found(client: httpx.AsyncClient, group_id: str) -> None:
    answer = await client.get(f"/v1/destinations/{group_id}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NotFound_Destination"
