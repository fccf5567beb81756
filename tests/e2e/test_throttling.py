"""A source that asks to be left alone: the connection says when it goes on, and does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.product import Faults, Server, connection_body, emulator_process, publish, server_process, wait_until
from tests.e2e.warehouse import assert_same_messages, duckdb_reader

SUBSCRIPTION = "syncline"


def test_a_throttled_sync_is_rescheduled_and_then_succeeds(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    published: dict[str, Any] = {f"order-{number}": {"number": number} for number in range(50)}
    with (
        emulator_process(tmp_path, {"orders": [SUBSCRIPTION]}) as connection_string,
        server_process(tmp_path) as server,
    ):
        publish(connection_string, "orders", published)
        faults = Faults(connection_string)
        group_id = server.create_group("duckdb", {"path": str(warehouse)})
        body = connection_body(group_id, connection_string, "bus", subscriber_name=SUBSCRIPTION) | {"paused": True}
        url = f"/v1/connections/{server.call('POST', '/v1/connections', body)['id']}"
        faults.apply({"fault": "throttle", "entity": "orders"})
        server.call("PATCH", url, {"paused": False})

        before = datetime.now(UTC)
        wait_until(lambda: _sync_state(server, url) == "rescheduled", 60, "the sync to be rescheduled")
        rescheduled = server.call("GET", url)
        until = datetime.fromisoformat(rescheduled["status"]["rescheduled_for"])
        assert before < until < datetime.now(UTC) + timedelta(seconds=11)
        assert rescheduled["source_sync_details"]["state"] == "rescheduled"
        assert rescheduled["source_sync_details"]["error"].startswith("Service Bus is busy and refused to read")
        assert (rescheduled["succeeded_at"], rescheduled["failed_at"]) == (None, None)
        assert rescheduled["status"]["tasks"] == [], "there is nothing for a person to do"
        assert rescheduled["status"]["is_historical_sync"] is True

        faults.clear()
        succeeded = server.wait_for_sync(url.rpartition("/")[2], timeout=60)
        details = succeeded["source_sync_details"]
        assert (details["trigger"], details["rows"]) == ("schedule", 50)
        assert datetime.fromisoformat(details["started_at"]) >= until
        assert succeeded["status"]["sync_state"] == "scheduled"
        assert succeeded["status"]["rescheduled_for"] is None
        assert succeeded["status"]["is_historical_sync"] is False
    assert_same_messages(duckdb_reader(warehouse)("bus", "orders"), published, "number")


def _sync_state(server: Server, url: str) -> str:
    state: str = server.call("GET", url)["status"]["sync_state"]
    return state
