"""Groups over HTTP from creation to deletion, on either store."""

from pathlib import Path

import httpx
import pytest

from syncline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> Settings:
    """Settings of an installation on either store."""
    return Settings(home=tmp_path / "home", port=0, database_url=store_url, concurrent_syncs=1)


async def _new_group(client: httpx.AsyncClient, name: str) -> str:
    return str((await client.post("/v1/groups", json={"name": name})).json()["data"]["id"])


async def test_a_group_is_renamed(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    answer = await client.patch(f"/v1/groups/{identifier}", json={"name": "two"})
    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == "two"
    assert (await client.get(f"/v1/groups/{identifier}")).json()["data"] == answer.json()["data"]
    assert (await client.post("/v1/groups", json={"name": "one"})).status_code == 201


async def test_an_update_without_a_name_changes_nothing(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    answer = await client.patch(f"/v1/groups/{identifier}", json={})
    assert answer.status_code == 200
    assert answer.json()["data"]["name"] == "one"


async def test_a_group_cannot_take_the_name_of_another(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    await _new_group(client, "two")
    answer = await client.patch(f"/v1/groups/{identifier}", json={"name": "two"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "Conflict"
    assert (await client.patch(f"/v1/groups/{identifier}", json={"name": "one"})).status_code == 200
    assert (await client.patch(f"/v1/groups/{identifier}", json={"name": ""})).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("DELETE", ""), ("GET", "/service-account")])
async def test_nothing_can_be_done_with_an_unknown_group(client: httpx.AsyncClient, method: str, path: str) -> None:
    body = {"json": {"name": "two"}} if method == "PATCH" else {}
    answer = await client.request(method, f"/v1/groups/nothing{path}", **body)  # type: ignore[arg-type]
    assert answer.status_code == 404
    assert answer.json()["code"] == "NotFound_Group"


async def test_a_deleted_group_is_gone_with_its_destination(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    destination = {
        "group_id": identifier,
        "service": "duckdb",
        "region": "GCP_US_EAST4",
        "time_zone_offset": "0",
        "config": {},
        "run_setup_tests": False,
    }
    assert (await client.post("/v1/destinations", json=destination)).status_code == 201
    answer = await client.delete(f"/v1/groups/{identifier}")
    assert answer.status_code == 200
    assert answer.json() == {"code": "Success", "message": f"Group with id '{identifier}' has been deleted"}
    assert (await client.get(f"/v1/groups/{identifier}")).status_code == 404
    assert (await client.get(f"/v1/destinations/{identifier}")).status_code == 404


async def test_a_group_with_connections_stays(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    connection = {
        "group_id": identifier,
        "service": "azure_service_bus",
        "config": {"schema": "bus"},
        "run_setup_tests": False,
    }
    made = await client.post("/v1/connections", json=connection)
    assert made.status_code == 201
    answer = await client.delete(f"/v1/groups/{identifier}")
    assert answer.status_code == 409
    assert answer.json()["code"] == "Conflict"
    assert made.json()["data"]["id"] in answer.json()["message"]
    assert (await client.get(f"/v1/groups/{identifier}")).status_code == 200
    listed = (await client.get(f"/v1/groups/{identifier}/connections")).json()["data"]["items"]
    assert [item["id"] for item in listed] == [made.json()["data"]["id"]]
    await client.delete(f"/v1/connections/{made.json()['data']['id']}")
    assert (await client.delete(f"/v1/groups/{identifier}")).status_code == 200


async def test_a_server_of_ones_own_has_no_service_account(client: httpx.AsyncClient) -> None:
    identifier = await _new_group(client, "one")
    answer = await client.get(f"/v1/groups/{identifier}/service-account")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"service_account": None}
