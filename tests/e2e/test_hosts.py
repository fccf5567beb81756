"""A server that is shared: what users name on its own machine is not connected to, by no request and by no sync."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.product import Server, connection_body, emulator_process, publish, server_process, wait_until


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator_process(tmp_path_factory.mktemp("emulator"), {"orders": []}) as connection_string:
        yield connection_string.replace("127.0.0.1", "localhost")


def of(server: Server, connection_id: str) -> dict[str, Any]:
    return server.call("GET", f"/v1/connections/{connection_id}")


def test_a_server_becomes_shared(tmp_path: Path, emulator: str) -> None:
    with server_process(tmp_path) as server:
        group = server.create_group("duckdb", {"path": str(tmp_path / "warehouse.duckdb")})
        made = server.call("POST", "/v1/connections", connection_body(group, emulator, "bus"))
        assert made["status"]["setup_state"] == "connected"
        publish(emulator, "orders", {"a": {"number": 1}})
        server.wait_for_sync(made["id"])
        server.stop()

        server.environment["SYNCLINE_PRIVATE_HOSTS"] = "false"
        server.start()
        server.call("POST", f"/v1/connections/{made['id']}/sync", {"force": True})
        wait_until(lambda: of(server, made["id"])["status"]["setup_state"] == "broken", 60, "the setup to break")
        (task,) = of(server, made["id"])["status"]["tasks"]
        assert "localhost is not connected to" in task["message"] + task.get("details", "")

        with socket.create_server(("127.0.0.1", 0)) as listener:
            place = f"{listener.getsockname()[1]};"
            elsewhere = emulator.partition("localhost:")[2].partition(";")[0] + ";"
            body = connection_body(group, emulator.replace(elsewhere, place), "other")
            tests = server.call("POST", "/v1/connections", body)["setup_tests"]
            (failed,) = [test for test in tests if test["status"] == "FAILED"]
            assert "localhost is not connected to" in failed["message"]
            assert "SYNCLINE_ALLOWED_HOSTS" in failed["details"]

            as_address = body["config"]["connection_string"].replace("localhost", "127.0.0.1")
            response = server.request("POST", "/v1/connections", connection_body(group, as_address, "third"))
            assert response.status_code == 400
            assert "`config.connection_string`" in response.json()["message"]
            assert "loopback" in response.json()["message"]

            listener.settimeout(0)
            with pytest.raises(BlockingIOError):
                listener.accept()
