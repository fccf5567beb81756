"""A client that was written for the hosted API works here when it is told another base URL.

The client is `fivetran-wrapper` from the Python package index, as it is published. It calls the older names of the
resources (`connectors`), sends `Content-Type: application/json` with and without a body, and takes an answer for a
success by its `code`.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fivetran_wrapper import ConnectorKey, FivetranWrapper, ScheduleType, StatusKey, SyncState

from tests.e2e.product import Server, connection_body, emulator_process, publish, server_process, wait_until
from tests.e2e.warehouse import assert_same_messages, duckdb_reader

MESSAGES: dict[str, Any] = {f"order-{number}": {"number": number} for number in range(200)}


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with emulator_process(tmp_path, {"orders": ["syncline"]}) as connection_string:
        publish(connection_string, "orders", MESSAGES)
        yield connection_string


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with server_process(tmp_path) as server:
        yield server


@pytest.fixture
def client(server: Server) -> FivetranWrapper:
    assert server.api is not None
    key = json.loads((server.home / "api-key.json").read_bytes())
    return FivetranWrapper(str(server.api.base_url.join("/v1")), key["key"], key["secret"])


def test_a_public_client_creates_lists_syncs_polls_and_deletes(
    client: FivetranWrapper, bus: str, tmp_path: Path
) -> None:
    path = tmp_path / "warehouse.duckdb"
    client.groups.new("public_client")
    group_id = _data(client)["id"]
    client.groups.paginated_list(limit=10)
    assert group_id in [group["id"] for group in _data(client)["items"]]
    client.connector_types.get("azure_service_bus")
    assert _data(client)["id"] == "azure_service_bus"
    client.destinations.new(
        {
            "group_id": group_id,
            "service": "duckdb",
            "region": "LOCAL",
            "time_zone_offset": "0",
            "config": {"path": str(path)},
        }
    )
    destination_id = _data(client)["id"]
    client.destinations.start_tests(destination_id)
    assert _data(client)["setup_status"] == "connected"

    body = connection_body(group_id, bus, "bus", subscriber_name="syncline")
    client.connectors.new({**body, "paused": True, "schedule_type": ScheduleType.MANUAL.value})
    created = _data(client)
    assert created[ConnectorKey.STATUS.value][StatusKey.SETUP_STATE.value] == "connected", created["setup_tests"]
    client.connectors.paginated_list(group_id, schema="bus")
    assert [connection["id"] for connection in _data(client)["items"]] == [created["id"]]
    client.connectors.patch(created["id"], {"paused": False, "sync_frequency": 60})
    assert _data(client)[ConnectorKey.SYNC_FREQUENCY.value] == 60

    assert_same_messages(_sync(client, created["id"], path), MESSAGES, "number")
    client.connectors.resync(created["id"])
    _data(client)
    client.connectors.connect_card(created["id"], "https://example.com/done")
    assert _data(client)["connect_card"]["token"]

    client.connectors.remove(created["id"])
    _data(client)
    client.connectors.get(created["id"])
    assert client.return_code == "NotFound_Connection"
    client.destinations.delete(destination_id)
    _data(client)
    client.groups.delete(group_id)
    _data(client)
    assert_same_messages(duckdb_reader(path)("bus", "orders"), MESSAGES, "number")


def _data(client: FivetranWrapper) -> Any:
    """What the last call answered, which has to have succeeded: the client keeps failures instead of raising them."""
    assert client.return_code == "Success", f"{client.request_url}: {client.return_code}: {client.return_message}"
    return client.data


def _sync(client: FivetranWrapper, connection_id: str, path: Path) -> list[dict[str, Any]]:
    """Trigger a sync, poll as orchestrators do until it has succeeded, and read what it loaded."""
    started = datetime.now(UTC)
    client.connectors.sync(connection_id)
    _data(client)

    def has_succeeded() -> bool:
        client.connectors.get(connection_id)
        found = _data(client)
        succeeded_at = found[ConnectorKey.SUCCEEDED_AT.value]
        assert found[ConnectorKey.FAILED_AT.value] is None, (found["status"], found["source_sync_details"])
        return succeeded_at is not None and datetime.fromisoformat(succeeded_at) > started

    wait_until(has_succeeded, 90, f"a sync of {connection_id} to succeed")
    client.connectors.get(connection_id)
    assert _data(client)[ConnectorKey.STATUS.value][StatusKey.SYNC_STATE.value] == SyncState.SCHEDULED.value
    return duckdb_reader(path)("bus", "orders")
