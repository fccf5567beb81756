"""A connection's life with a real Service Bus (the emulator), real worker processes and a real DuckDB file."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.topology import load_topology
from syncline.engine.worker import CannotRunError, run_connection
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import RunState
from syncline.store.sealing import load_sealer

KEY = "cm9vdC1rZXktcm9vdC1rZXktcm9vdC1rZXktMTIzNDU2Nzg="
POLICY = {"KeyName": "Root", "Key": KEY, "Claims": ["Manage"]}


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    lifetime = {"DefaultMessageTimeToLive": "P7D"}
    subscriptions = [{"Name": "reader", "Properties": lifetime, "Rules": []}]
    topics: list[dict[str, Any]] = [
        {"Name": name, "Properties": {}, "Subscriptions": subscriptions} for name in ("orders", "bills")
    ]
    namespace = {"Name": "test", "Queues": [], "Topics": topics, "SharedAccessPolicies": [POLICY]}
    with EmulatorThread(load_topology({"UserConfig": {"Namespaces": [namespace]}})) as running:
        yield running


def publish(emulator: EmulatorThread, numbers: range, topic: str = "orders") -> None:
    with (
        ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client,
        client.get_topic_sender(topic) as sender,
    ):
        sender.send_messages(
            [ServiceBusMessage(json.dumps({"number": number}), message_id=f"m{number}") for number in numbers]
        )


async def wait_for(client: httpx.AsyncClient, connection_id: str, since: str | None) -> dict[str, Any]:
    """Poll, as orchestrators do, until `succeeded_at` is later than `since`."""
    deadline = time.monotonic() + 60
    while True:
        data: dict[str, Any] = (await client.get(f"/v1/connections/{connection_id}")).json()["data"]
        if data["succeeded_at"] != since:
            return data
        assert time.monotonic() < deadline, data
        await asyncio.sleep(0.05)


def numbers_in(warehouse: Path, table: str = "orders") -> list[int]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(f"SELECT value_number FROM bus.{table} ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def empty_tables(warehouse: Path) -> None:
    """Lose what was loaded, so that only what is read again comes back."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("DELETE FROM bus.orders; DELETE FROM bus.bills")


async def create_all(
    client: httpx.AsyncClient, group_id: str, emulator: EmulatorThread, warehouse: Path, **fields: Any
) -> dict[str, Any]:
    """A destination, a hundred orders, and a connection between the two."""
    destination = {
        "group_id": group_id,
        "service": "duckdb",
        "region": "LOCAL",
        "time_zone_offset": "0",
        "config": {"path": str(warehouse)},
    }
    assert (await client.post("/v1/destinations", json=destination)).status_code == 201
    await asyncio.to_thread(publish, emulator, range(100))

    created = await client.post(
        "/v1/connections",
        json={
            "group_id": group_id,
            "service": "azure_service_bus",
            "sync_frequency": 1440,
            **fields,
            "config": {
                "schema": "bus",
                "auth_type": "ConnectionString",
                "connection_string": emulator.connection_string("Root"),
                "connection_method": "DIRECT",
                "has_manage_permissions": True,
                "subscriber_name": "reader",
                "message_type": "Json",
                "sync_type": "Unpacked",
            },
        },
    )
    assert created.status_code == 201, created.text
    data: dict[str, Any] = created.json()["data"]
    assert [test for test in data["setup_tests"] if test["status"] != "PASSED"] == []
    assert data["status"]["setup_state"] == "connected"
    assert KEY not in created.text
    return data


async def test_from_creation_to_deletion(
    client: httpx.AsyncClient, group_id: str, settings: Settings, emulator: EmulatorThread, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    data = await create_all(client, group_id, emulator, warehouse)
    connection_id = data["id"]

    first = await wait_for(client, connection_id, since=None)
    details = first["source_sync_details"]
    assert (details["state"], details["trigger"], details["rows"]) == ("succeeded", "schedule", 100)
    assert details["bytes"] > 0
    assert first["status"]["is_historical_sync"] is False
    assert first["status"]["tasks"] == first["status"]["warnings"] == []

    await asyncio.to_thread(publish, emulator, range(100, 130))
    assert (await client.post(f"/v1/connections/{connection_id}/sync", json={"force": False})).status_code == 200
    second = await wait_for(client, connection_id, since=first["succeeded_at"])
    assert (second["source_sync_details"]["trigger"], second["source_sync_details"]["rows"]) == ("api", 30)
    assert numbers_in(warehouse) == list(range(130))

    await asyncio.to_thread(publish, emulator, range(130, 140))
    run = await asyncio.to_thread(sync_here, settings, connection_id)
    assert (run["state"], run["trigger"], run["rows"]) == (RunState.SUCCEEDED, "terminal", 10)

    assert (await client.delete(f"/v1/connections/{connection_id}")).status_code == 200
    assert (await client.get(f"/v1/connections/{connection_id}")).status_code == 404
    assert numbers_in(warehouse) == list(range(140)), "what was loaded stays"
    assert not (settings.home / "work" / connection_id).exists()
    with pytest.raises(CannotRunError, match="does not exist"):
        await asyncio.to_thread(sync_here, settings, connection_id)


async def test_what_is_read_again_comes_back(
    client: httpx.AsyncClient, group_id: str, emulator: EmulatorThread, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    await asyncio.to_thread(publish, emulator, range(20), "bills")
    data = await create_all(client, group_id, emulator, warehouse, schedule_type="manual")
    url = f"/v1/connections/{data['id']}"

    async def synced(since: dict[str, Any]) -> dict[str, Any]:
        return await wait_for(client, data["id"], since["succeeded_at"])

    assert (await client.post(f"{url}/sync")).status_code == 200
    last = await synced(data)
    assert (len(numbers_in(warehouse)), len(numbers_in(warehouse, "bills"))) == (100, 20)

    empty_tables(warehouse)
    assert (await client.post(f"{url}/resync", json={"scope": {"bus": ["orders"]}})).status_code == 200
    last = await synced(last)
    assert last["status"]["is_historical_sync"] is False
    assert (len(numbers_in(warehouse)), len(numbers_in(warehouse, "bills"))) == (100, 0), "orders alone were read again"

    assert (await client.patch(url, json={"paused": True})).json()["data"]["status"]["sync_state"] == "paused"
    state = (await client.get(f"{url}/state")).json()["data"]["state"]
    assert state.keys() == {"orders", "bills"}
    tenth = {"sequence_number": 10}
    moved = await client.patch(f"{url}/state", json={"state": {"bills": tenth}})
    assert moved.status_code == 200, moved.text
    assert (await client.post(f"{url}/sync")).json()["code"] == "IllegalState"
    assert (await client.patch(url, json={"paused": False})).status_code == 200
    assert (await client.post(f"{url}/sync")).status_code == 200
    last = await synced(last)
    assert numbers_in(warehouse, "bills") == list(range(10, 20)), "it went on where the state was moved to"

    empty_tables(warehouse)
    assert (await client.patch(url, json={"is_historical_sync": True})).status_code == 200
    last = await synced(last)
    assert (len(numbers_in(warehouse)), len(numbers_in(warehouse, "bills"))) == (100, 20)

    changed = await client.patch(url, json={"config": {"topics": ["orders"]}})
    assert changed.json()["data"]["status"]["setup_state"] == "connected", changed.text
    for topic in ("orders", "bills"):
        await asyncio.to_thread(publish, emulator, range(100, 110), topic)
    assert (await client.post(f"{url}/sync")).status_code == 200
    await synced(last)
    assert (len(numbers_in(warehouse)), len(numbers_in(warehouse, "bills"))) == (110, 20), "bills are left out now"


def sync_here(settings: Settings, connection_id: str) -> dict[str, Any]:
    """What `syncline sync` does."""
    seen: list[int] = []
    database = Database(settings.store_url)
    try:
        run, ending = run_connection(
            database, load_sealer(settings), settings, connection_id, lambda progress: seen.append(progress.rows)
        )
        assert ending.state == run.state
        assert seen[-1] == run.rows
        return {"state": run.state, "trigger": run.trigger, "rows": run.rows}
    finally:
        database.close_sync()
