"""Historical syncs that a request asks for, and the state of a connection."""

import asyncio
from typing import Any

import httpx
import pytest

from syncline.settings import Settings
from tests.connections.support import (
    PASSED,
    UseResults,
    change_stored,
    create,
    pretend_to_run_elsewhere,
    store_cursors,
    stored,
)

ORDERS = {"sequence_number": 10, "enqueued_time": "2026-01-01T00:00:00+00:00"}
BILLS = {"sequence_number": 20, "enqueued_time": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
async def connection_id(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    use_results: UseResults,
    settings: Settings,
    destination: None,
) -> str:
    """A connection that is set up, paused, and has synced two topics."""
    use_results(PASSED)
    data = await create(client, body, run_setup_tests=True, paused=True)
    identifier: str = data["id"]
    await change_stored(settings, identifier, is_historical_sync=False)
    await store_cursors(settings, identifier, orders=10, bills=20)
    return identifier


async def state_of(client: httpx.AsyncClient, connection_id: str) -> dict[str, Any]:
    response = await client.get(f"/v1/connections/{connection_id}/state")
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    assert data.keys() == {"state"}
    state: dict[str, Any] = data["state"]
    return state


@pytest.mark.parametrize(
    ("path", "request_body", "left", "message"),
    [
        ("resync", None, {}, "Sync has been successfully triggered for connection with id '{id}'"),
        ("resync", {}, {}, "Sync has been successfully triggered for connection with id '{id}'"),
        ("resync", {"scope": None}, {}, "Sync has been successfully triggered for connection with id '{id}'"),
        (
            "resync",
            {"scope": {"bus": ["orders"]}},
            {"bills": BILLS},
            "Sync has been successfully triggered for connection with id '{id}'",
        ),
        (
            "schemas/tables/resync",
            {"bus": ["bills"]},
            {"orders": ORDERS},
            "Re-sync has been triggered successfully",
        ),
        ("schemas/bus/tables/bills/resync", None, {"orders": ORDERS}, "Re-sync has been triggered successfully"),
        ("schemas/bus/tables/orders/resync", {}, {"bills": BILLS}, "Re-sync has been triggered successfully"),
    ],
)
async def test_a_resync_puts_cursors_back_and_waits_while_the_connection_is_paused(
    client: httpx.AsyncClient,
    connection_id: str,
    path: str,
    request_body: dict[str, Any] | None,
    left: dict[str, Any],
    message: str,
) -> None:
    assert await state_of(client, connection_id) == {"orders": ORDERS, "bills": BILLS}
    response = await client.post(f"/v1/connections/{connection_id}/{path}", json=request_body)
    assert response.status_code == 200, response.text
    assert response.json() == {"code": "Success", "message": message.format(id=connection_id)}
    assert await state_of(client, connection_id) == left
    data = (await client.get(f"/v1/connections/{connection_id}")).json()["data"]
    assert data["status"]["is_historical_sync"] is True
    assert data["status"]["sync_state"] == "paused"
    assert data["source_sync_details"] == {}, "nothing runs before it is resumed"


async def test_resyncs_add_up(client: httpx.AsyncClient, connection_id: str) -> None:
    for table in ("orders", "bills"):
        await client.post(f"/v1/connections/{connection_id}/resync", json={"scope": {"bus": [table]}})
    assert await state_of(client, connection_id) == {}


@pytest.mark.parametrize(
    ("path", "request_body", "status", "code", "words"),
    [
        ("resync", {"scope": {}}, 400, "InvalidInput", "No table"),
        ("resync", {"scope": {"bus": []}}, 400, "InvalidInput", "'bus'"),
        ("resync", {"scope": {"bus": "orders"}}, 400, "InvalidInput", "scope"),
        ("resync", {"scope": ["orders"]}, 400, "InvalidInput", "scope"),
        ("resync", {"tables": ["orders"]}, 400, "InvalidInput", "tables"),
        ("resync", {"scope": {"other": ["orders"]}}, 404, "NotFound_Schema", "other"),
        ("resync", {"scope": {"bus": ["orders", "invoices"]}}, 404, "NotFound_Table", "bus.invoices"),
        ("schemas/tables/resync", {}, 400, "InvalidInput", "No table"),
        ("schemas/tables/resync", {"bus": ["invoices"]}, 404, "NotFound_Table", "'bills', 'orders'"),
        ("schemas/tables/resync", {"bus": [1]}, 400, "InvalidInput", "bus"),
        ("schemas/tables/resync", None, 400, "InvalidInput", ""),
    ],
)
async def test_a_resync_of_what_is_not_there_is_refused_whole(
    client: httpx.AsyncClient,
    connection_id: str,
    path: str,
    request_body: dict[str, Any] | None,
    status: int,
    code: str,
    words: str,
) -> None:
    response = await client.post(f"/v1/connections/{connection_id}/{path}", json=request_body)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert words in response.json()["message"]
    assert await state_of(client, connection_id) == {"orders": ORDERS, "bills": BILLS}


async def test_an_incomplete_connection_is_not_resynced(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    data = await create(client, body)
    response = await client.post(f"/v1/connections/{data['id']}/resync")
    assert (response.status_code, response.json()["code"]) == (400, "IllegalState")


async def test_a_resync_leaves_the_sync_under_way_alone_and_follows_it(
    client: httpx.AsyncClient, connection_id: str, settings: Settings
) -> None:
    await change_stored(settings, connection_id, paused=False, schedule_type="manual")
    run_id = await pretend_to_run_elsewhere(settings, connection_id)
    response = await client.post(f"/v1/connections/{connection_id}/resync")
    assert response.status_code == 200
    data = (await client.get(f"/v1/connections/{connection_id}")).json()["data"]
    assert (data["source_sync_details"]["run_id"], data["status"]["sync_state"]) == (run_id, "syncing")
    connection = await stored(settings, connection_id)
    assert connection.pending_resync == {"streams": None}


async def test_a_resumed_connection_does_the_historical_sync_at_once(
    client: httpx.AsyncClient, connection_id: str
) -> None:
    await client.post(f"/v1/connections/{connection_id}/resync")
    await client.patch(f"/v1/connections/{connection_id}", json={"paused": False, "schedule_type": "manual"})
    for _ in range(100):
        details = (await client.get(f"/v1/connections/{connection_id}")).json()["data"]["source_sync_details"]
        if details:
            break
        await asyncio.sleep(0.05)
    assert details["trigger"] == "schedule"


async def test_is_historical_sync_starts_one_at_once(
    client: httpx.AsyncClient, connection_id: str, settings: Settings
) -> None:
    url = f"/v1/connections/{connection_id}"
    unchanged = await client.patch(url, json={"is_historical_sync": False})
    assert unchanged.json()["data"]["status"]["is_historical_sync"] is False
    await change_stored(settings, connection_id, paused=False, schedule_type="manual")
    started = (await client.patch(url, json={"is_historical_sync": True})).json()["data"]
    assert started["status"]["is_historical_sync"] is True
    assert started["source_sync_details"]["trigger"] == "api"
    again = (await client.patch(url, json={"is_historical_sync": True})).json()["data"]
    assert again["source_sync_details"]["run_id"] != started["source_sync_details"]["run_id"], "it begins anew"
    assert await state_of(client, connection_id) == {}


async def test_the_state_of_a_paused_connection_can_be_changed(client: httpx.AsyncClient, connection_id: str) -> None:
    url = f"/v1/connections/{connection_id}/state"
    changes = {"orders": {"sequence_number": 5}, "bills": None, "visits": {"sequence_number": 7}}
    response = await client.patch(url, json={"state": changes})
    assert response.status_code == 200, response.text
    expected = {"orders": {"sequence_number": 5}, "visits": {"sequence_number": 7}}
    assert response.json()["data"] == {"state": expected}
    assert await state_of(client, connection_id) == expected
    await client.patch(url, json={"state": {}})
    assert await state_of(client, connection_id) == expected, "what is not named stays"


async def test_a_state_that_is_sent_after_a_resync_was_asked_for_counts(
    client: httpx.AsyncClient, connection_id: str, settings: Settings
) -> None:
    await client.post(f"/v1/connections/{connection_id}/resync")
    url = f"/v1/connections/{connection_id}/state"
    await client.patch(url, json={"state": {"orders": {"sequence_number": 5}}})
    assert await state_of(client, connection_id) == {"orders": {"sequence_number": 5}}
    assert (await stored(settings, connection_id)).pending_resync is None


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        ({}, "state"),
        ({"state": None}, "state"),
        ({"state": {"orders": 5}}, "orders"),
        ({"state": {"orders": {}}}, "state.orders"),
        ({"state": {"orders": {"sequence_number": -1}}}, "state.orders"),
        ({"state": {"orders": {"sequence_number": True}}}, "state.orders"),
        ({"state": {"orders": {"sequence_number": 2**63}}}, "state.orders"),
        ({"state": {"orders": {"sequence_number": 1, "offset": 2}}}, "state.orders"),
        ({"state": {"orders": {"sequence_number": 1, "enqueued_time": "noon"}}}, "state.orders"),
        ({"state": {"": {"sequence_number": 1}}}, "stream"),
        ({"state": {}, "mode": "x"}, "mode"),
    ],
)
async def test_a_state_that_no_sync_could_have_left_is_refused(
    client: httpx.AsyncClient, connection_id: str, request_body: dict[str, Any], words: str
) -> None:
    response = await client.patch(f"/v1/connections/{connection_id}/state", json=request_body)
    assert (response.status_code, response.json()["code"]) == (400, "InvalidInput")
    assert words in response.json()["message"]
    assert await state_of(client, connection_id) == {"orders": ORDERS, "bills": BILLS}


async def test_the_state_of_a_connection_that_is_not_paused_stays(
    client: httpx.AsyncClient, connection_id: str, settings: Settings
) -> None:
    url = f"/v1/connections/{connection_id}/state"
    await pretend_to_run_elsewhere(settings, connection_id)
    running = await client.patch(url, json={"state": {"orders": None}})
    assert (running.status_code, running.json()["code"]) == (400, "IllegalState")
    await change_stored(settings, connection_id, paused=False, schedule_type="manual")
    response = await client.patch(url, json={"state": {"orders": None}})
    assert (response.status_code, response.json()["code"]) == (400, "IllegalState")
    assert "paused" in response.json()["message"]
    assert await state_of(client, connection_id) == {"orders": ORDERS, "bills": BILLS}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "resync"), ("POST", "schemas/tables/resync"), ("GET", "state"), ("PATCH", "state")],
)
async def test_a_connection_that_is_not_there(client: httpx.AsyncClient, method: str, path: str) -> None:
    content: dict[str, Any] = {"PATCH": {"state": {}}}.get(method, {"bus": ["a"]} if "tables" in path else {})
    response = await client.request(
        method, f"/v1/connections/nowhere/{path}", json=content if method != "GET" else None
    )
    assert (response.status_code, response.json()["code"]) == (404, "NotFound_Connection")
