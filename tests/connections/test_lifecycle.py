"""What can be done with a connection once it is there."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest

from syncline.connections import service, setup_tests
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Run, RunState
from tests.connections.support import FAILED, PASSED, UseResults, all_runs, create, stored


@pytest.mark.usefixtures("destination")
async def test_a_connection_whose_tests_pass_is_connected_and_due_at_once(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, settings: Settings
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    assert data["status"]["setup_state"] == "connected"
    assert {"title": "Everything", "status": "PASSED", "message": "It works.", "details": ""} in data["setup_tests"]
    assert (await stored(settings, data["id"])).next_sync_at is None, "a manual connection waits for a request"

    body["config"]["schema"] = "second"
    automatic = await create(client, body, run_setup_tests=True)
    connection = await stored(settings, automatic["id"])
    assert connection.next_sync_at is not None
    assert connection.setup_tested_at is not None


@pytest.mark.usefixtures("destination")
async def test_a_paused_connection_is_connected_and_not_due(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, settings: Settings
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, paused=True)
    assert data["status"]["setup_state"] == "connected"
    assert data["status"]["sync_state"] == "paused"
    assert (await stored(settings, data["id"])).next_sync_at is None


@pytest.mark.usefixtures("destination")
async def test_tests_that_fail_leave_it_incomplete_and_later_ones_that_pass_connect_it(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    use_results(PASSED, FAILED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    assert data["status"]["setup_state"] == "incomplete"
    tests_url = f"/v1/connections/{data['id']}/test"
    use_results(PASSED)
    tested = await client.post(tests_url, json={})
    assert tested.status_code == 200
    assert tested.json()["message"] == "Setup tests have been completed"
    assert tested.json()["data"]["status"]["setup_state"] == "connected"
    use_results(FAILED)
    broken = await client.post(tests_url, json={"trust_certificates": True})
    assert broken.json()["data"]["status"]["setup_state"] == "broken"
    assert (await client.post(tests_url, json={"trust": True})).status_code == 400


async def test_a_group_without_a_destination_fails_the_tests(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True)
    assert data["status"]["setup_state"] == "incomplete"
    (failed,) = [test for test in data["setup_tests"] if test["status"] == "FAILED"]
    assert "POST /v1/destinations" in failed["message"]


@pytest.mark.usefixtures("destination")
@pytest.mark.parametrize(
    ("changes", "status", "state"),
    [
        ({"private_link_id": "p", "hybrid_deployment_agent_id": "h"}, "WARNING", "connected"),
        ({"networking_method": "PrivateLink", "private_link_id": "p"}, "FAILED", "incomplete"),
        ({"networking_method": "SshTunnel"}, "FAILED", "incomplete"),
        ({"networking_method": "ProxyAgent", "proxy_agent_id": "p"}, "FAILED", "incomplete"),
    ],
)
async def test_what_is_not_available_yet_is_said(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    changes: dict[str, Any],
    status: str,
    state: str,
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual", **changes)
    (networking,) = [test for test in data["setup_tests"] if test["title"] == "Networking"]
    assert networking["status"] == status
    assert "not available in this version yet" in networking["message"]
    assert data["status"]["setup_state"] == state
    assert (status == "FAILED") == ("Everything" not in [test["title"] for test in data["setup_tests"]])


@pytest.mark.usefixtures("destination")
async def test_a_connector_that_does_not_answer_is_given_up(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_tests, "GRACE_SECONDS", -59.9)
    use_results(PASSED, pause=30)
    data = await create(client, body, run_setup_tests=True)
    (failed,) = [test for test in data["setup_tests"] if test["status"] == "FAILED"]
    assert "did not end within" in failed["message"]


@pytest.mark.usefixtures("destination")
async def test_a_client_that_goes_away_leaves_nothing_half_done(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    is_testing, may_end = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        is_testing.set()
        await may_end.wait()

    use_results(PASSED, wait=wait)
    body |= {"run_setup_tests": True, "schedule_type": "manual"}
    request = asyncio.create_task(client.post("/v1/connections", json=body))
    await is_testing.wait()
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request
    (during,) = (await client.get("/v1/connections")).json()["data"]["items"]
    assert during["status"]["setup_state"] == "incomplete"
    may_end.set()
    after = during
    while after == during:  # each request lets the tests' end be stored
        (after,) = (await client.get("/v1/connections")).json()["data"]["items"]
    assert after["status"]["setup_state"] == "connected"


async def test_an_incomplete_or_paused_connection_does_not_sync(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    incomplete = await create(client, body)
    body["config"]["schema"] = "second"
    paused = await create(client, body, paused=True)
    for data, word in ((incomplete, "incomplete"), (paused, "paused")):
        response = await client.post(f"/v1/connections/{data['id']}/sync")
        assert response.status_code == 400
        assert response.json()["code"] == "IllegalState"
        assert word in response.json()["message"]


@pytest.mark.usefixtures("destination")
async def test_a_sync_is_triggered_with_and_without_a_body(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    sync_url = f"/v1/connections/{data['id']}/sync"
    response = await client.post(sync_url)
    assert response.status_code == 200
    assert response.json() == {
        "code": "Success",
        "message": f"Sync has been successfully triggered for connection with id '{data['id']}'",
    }
    details = (await client.get(f"/v1/connections/{data['id']}")).json()["data"]["source_sync_details"]
    assert details["state"] in ("queued", "running")
    assert details["trigger"] == "api"
    again = await client.post(sync_url, json={"force": False})
    assert again.status_code == 200
    same = (await client.get(f"/v1/connections/{data['id']}")).json()["data"]["source_sync_details"]
    assert same["run_id"] == details["run_id"], "a sync under way is left alone"
    forced = await client.post(sync_url, json={"force": True})
    assert forced.status_code == 200
    other = (await client.get(f"/v1/connections/{data['id']}")).json()["data"]["source_sync_details"]
    assert other["run_id"] != details["run_id"], "with force it is begun anew"
    assert (await client.post(sync_url, json={"force": "yes"})).status_code == 400


@pytest.mark.usefixtures("destination")
async def test_a_connection_is_deleted_while_its_sync_is_under_way(
    client: httpx.AsyncClient, body: dict[str, Any], use_results: UseResults, settings: Settings
) -> None:
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, schedule_type="manual")
    await client.post(f"/v1/connections/{data['id']}/sync")
    response = await client.delete(f"/v1/connections/{data['id']}")
    assert response.status_code == 200, response.text
    assert response.json() == {"code": "Success", "message": f"Connection with id '{data['id']}' has been deleted"}
    assert list((settings.home / "locks").iterdir()) == []
    await create(client, body)  # its schema is free again


@pytest.mark.parametrize("count", [0, 4, 5])
async def test_a_long_history_is_deleted_in_steps(
    client: httpx.AsyncClient, body: dict[str, Any], settings: Settings, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(service, "RUNS_AT_ONCE", 2)
    data = await create(client, body, paused=True)
    database = Database(settings.store_url)
    async with database.session() as session:
        session.add_all(
            Run(connection_id=data["id"], trigger="schedule", state=RunState.SUCCEEDED) for _ in range(count)
        )
    await database.close()
    assert (await client.delete(f"/v1/connections/{data['id']}")).status_code == 200
    assert await all_runs(settings, data["id"]) == []


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/sync"), ("POST", "/test"), ("DELETE", "")])
async def test_a_connection_that_is_not_there(client: httpx.AsyncClient, method: str, suffix: str) -> None:
    response = await client.request(method, f"/v1/connections/nowhere{suffix}")
    assert response.status_code == 404
    assert response.json()["code"] == "NotFound_Connection"
    assert "nowhere" in response.json()["message"]


async def test_connections_are_listed_in_pages_and_by_group_and_schema(
    client: httpx.AsyncClient, body: dict[str, Any], group_id: str
) -> None:
    made = []
    for number in range(3):
        body["config"]["schema"] = f"bus_{number}"
        made.append((await create(client, body))["id"])
    other = (await client.post("/v1/groups", json={"name": "other"})).json()["data"]["id"]
    made.append((await create(client, body, group_id=other))["id"])

    first = (await client.get("/v1/connections?limit=3")).json()["data"]
    rest = (await client.get(f"/v1/connections?limit=3&cursor={first['next_cursor']}")).json()["data"]
    assert "next_cursor" not in rest
    assert [item["id"] for item in first["items"] + rest["items"]] == sorted(made)
    of_group = (await client.get(f"/v1/groups/{group_id}/connections")).json()["data"]["items"]
    assert {item["id"] for item in of_group} == set(made[:3])
    of_schema = (await client.get("/v1/connections?schema=bus_2")).json()["data"]["items"]
    assert {item["id"] for item in of_schema} == set(made[2:])
    both = (await client.get(f"/v1/connections?schema=bus_2&group_id={other}")).json()["data"]["items"]
    assert [item["id"] for item in both] == [made[3]]
    unknown = await client.get("/v1/groups/nowhere/connections")
    assert unknown.json()["code"] == "NotFound_Group"
