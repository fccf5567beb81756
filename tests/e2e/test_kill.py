"""The server may be killed at any moment: after a restart nothing is lost and nothing is doubled."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.product import Server, connection_body, emulator_process, publish, wait_until
from tests.e2e.warehouse import assert_same_messages, duckdb_reader

KILLS = 20
TOPICS = ("orders", "payments")
MESSAGES_PER_ROUND = 120
SUBSCRIPTION = "syncline"


@pytest.mark.timeout(600)
def test_twenty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(20)
    published: dict[str, dict[str, Any]] = {topic: {} for topic in TOPICS}
    warehouse = tmp_path / "warehouse.duckdb"
    # Small loads, so that a sync has many moments to be killed at.
    server = Server(tmp_path, {"SYNCLINE_BATCH_ROWS": "40"})
    with emulator_process(tmp_path, {topic: [SUBSCRIPTION] for topic in TOPICS}) as connection_string:
        server.start()
        try:
            _publish_more(connection_string, published)
            group_id = server.create_group("duckdb", {"path": str(warehouse)})
            body = connection_body(group_id, connection_string, "bus", subscriber_name=SUBSCRIPTION)
            connection_id = server.call("POST", "/v1/connections", body)["id"]
            interrupted = 0
            for _ in range(KILLS):
                server.call("POST", f"/v1/connections/{connection_id}/sync", {"force": False})
                wait_until(lambda: _state(server, connection_id) == "syncing", 60, "the sync to start")
                time.sleep(chance.uniform(0, 0.8))  # the shortest sync takes longer than most of that
                interrupted += _state(server, connection_id) == "syncing"
                server.kill()
                _publish_more(connection_string, published)
                server.start()
            assert interrupted > KILLS // 2, "most kills have to hit a sync under way"

            wait_until(lambda: _state(server, connection_id) != "syncing", 200, "the recovered sync")
            before = server.call("GET", f"/v1/connections/{connection_id}")["succeeded_at"]
            server.call("POST", f"/v1/connections/{connection_id}/sync", {"force": False})
            server.wait_for_sync(connection_id, since=before, timeout=200)
        finally:
            server.stop()
    read = duckdb_reader(warehouse)
    for topic in TOPICS:
        assert_same_messages(read("bus", topic), published[topic], "number")


def _publish_more(connection_string: str, published: dict[str, dict[str, Any]]) -> None:
    for topic, sent in published.items():
        start = len(sent)
        more = {
            f"{topic}-{number}": {"number": number, "text": f"message {number} of {topic}", "tags": ["a", "é"]}
            for number in range(start, start + MESSAGES_PER_ROUND)
        }
        publish(connection_string, topic, more)
        sent.update(more)


def _state(server: Server, connection_id: str) -> str:
    state: str = server.call("GET", f"/v1/connections/{connection_id}")["status"]["sync_state"]
    return state
