"""Hosts that a destination may not have: addresses are refused when they are sent, names when they are connected to."""

from typing import Any

import httpx
import pytest

from syncline.settings import Settings
from tests.support.postgres import PostgresServer


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"private_hosts": False})


@pytest.fixture
async def group_id(client: httpx.AsyncClient) -> str:
    return (await client.post("/v1/groups", json={"name": "tests"})).json()["data"]["id"]


def body(group_id: str, service: str, **config: Any) -> dict[str, Any]:
    return {"group_id": group_id, "service": service, "time_zone_offset": "0", "config": config}


@pytest.mark.parametrize(
    ("service", "field", "host"),
    [
        ("postgres_warehouse", "host", "127.0.0.1"),
        ("postgres_warehouse", "host", "0x7f000001"),
        ("postgres_warehouse", "tunnel_host", "10.0.0.1"),
        ("redshift", "host", "fe80::1"),
        ("snowflake", "host", "https://10.0.0.1/"),
        ("clickhouse", "host", "169.254.169.254"),
        ("databricks", "server_host_name", "::1"),
        ("azure_sql_database", "host", "192.168.0.9"),
    ],
)
async def test_an_address_is_refused(
    client: httpx.AsyncClient, group_id: str, service: str, field: str, host: str
) -> None:
    response = await client.post("/v1/destinations", json=body(group_id, service, **{field: host}))
    assert response.status_code == 400, response.text
    assert f"`config.{field}` names a host that is not connected to" in response.json()["message"]

    made = await client.post("/v1/destinations", json={**body(group_id, service), "run_setup_tests": False})
    assert made.status_code == 201, made.text
    change = {"config": {field: host}, "run_setup_tests": False}
    response = await client.patch(f"/v1/destinations/{group_id}", json=change)
    assert response.status_code == 400, response.text


@pytest.mark.parametrize(
    "host", ["/var/run/postgresql", "a.example.com,b.example.com", "h;SERVER=x", "h:5432", "a b", "user@h"]
)
async def test_what_is_no_host_is_refused(client: httpx.AsyncClient, group_id: str, host: str) -> None:
    for service in ("postgres_warehouse", "redshift", "azure_sql_database", "snowflake"):
        response = await client.post("/v1/destinations", json=body(group_id, service, host=host))
        assert response.status_code == 400, response.text
        assert "`config.host` is not a host" in response.json()["message"]


async def test_a_name_fails_the_setup_tests(client: httpx.AsyncClient, group_id: str, postgres: PostgresServer) -> None:
    config = {"host": "localhost", "port": postgres.port, "database": "postgres", "user": "postgres"}
    response = await client.post(
        "/v1/destinations", json=body(group_id, "postgres_warehouse", **config, password=postgres.password)
    )
    data = response.json()["data"]
    assert data["setup_status"] == "incomplete"
    (failed,) = [test for test in data["setup_tests"] if test["status"] == "FAILED"]
    assert "localhost is not connected to: it leads to" in failed["message"]
