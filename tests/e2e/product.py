"""The product as people run it: server and emulator processes, driven from outside."""

import base64
import contextlib
import hmac
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
import orjson
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from syncline.cli import processes
from syncline.cli.processes import running
from syncline.connectors.azure_service_bus.connection_string import parse_connection_string


def topology(topics: dict[str, list[str]]) -> dict[str, Any]:
    """The emulator's config for topics and the names of their subscriptions."""
    return {
        "UserConfig": {
            "Namespaces": [
                {
                    "Name": "tests",
                    "Topics": [
                        {
                            "Name": topic,
                            "Subscriptions": [
                                {"Name": name, "Properties": {"DefaultMessageTimeToLive": "P7D"}}
                                for name in subscriptions
                            ],
                        }
                        for topic, subscriptions in topics.items()
                    ],
                }
            ]
        }
    }


@contextlib.contextmanager
def emulator_process(folder: Path, topics: dict[str, list[str]]) -> Iterator[str]:
    """Run `syncline emulator`; yield its connection string."""
    config = folder / "topology.json"
    config.write_bytes(orjson.dumps(topology(topics)))
    arguments = ["emulator", "--config", str(config), "--port", "0"]
    with running(arguments, ready_file=folder / "emulator.json", log_file=folder / "emulator.log") as state:
        yield state["connection_string"]


def publish(connection_string: str, topic: str, bodies: Mapping[str, Any], **properties: Any) -> None:
    """Send JSON bodies, keyed by message id, with the official SDK."""
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_topic_sender(topic) as sender,
    ):
        batch = sender.create_message_batch()
        for message_id, body in bodies.items():
            message = ServiceBusMessage(orjson.dumps(body), message_id=message_id, **properties)
            try:
                batch.add_message(message)
            except ValueError:
                sender.send_messages(batch)
                batch = sender.create_message_batch()
                batch.add_message(message)
        sender.send_messages(batch)


class Faults:
    """The emulator's faults, over its control API."""

    def __init__(self, connection_string: str) -> None:
        parsed = parse_connection_string(connection_string)
        self._url = f"http://{parsed.host}:{parsed.port}/$emulator/faults"
        expiry = int(time.time()) + 7 * 86_400
        signed = hmac.digest((parsed.key or "").encode(), f"{quote_plus(self._url)}\n{expiry}".encode(), "sha256")
        self._token = (
            f"SharedAccessSignature sr={quote_plus(self._url)}&sig={quote_plus(base64.b64encode(signed))}"
            f"&se={expiry}&skn={parsed.key_name}"
        )

    def apply(self, fault: Mapping[str, Any]) -> None:
        """Bring a fault about."""
        self._call("POST", fault)

    def clear(self) -> None:
        """End all faults."""
        self._call("DELETE", None)

    def _call(self, method: str, body: Any) -> None:
        response = httpx.request(method, self._url, json=body, headers={"Authorization": self._token}, timeout=30)
        response.raise_for_status()


@dataclass
class Server:
    """A `syncline up` process that can be killed and started again on the same home folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    api: httpx.Client | None = None
    responses: list[str] = field(default_factory=list)
    """Every response body so far."""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        environment = {
            "SYNCLINE_HOME": str(self.home),
            "SYNCLINE_LOG_FORMAT": "json",
            "SYNCLINE_SCHEDULER_INTERVAL": "0.1",
            # One sync at a time, so that one worker is started ahead and not two.
            "SYNCLINE_CONCURRENT_SYNCS": "1",
            **self.environment,
        }
        self.process, state = processes.start(
            ["up", "--port", "0"],
            ready_file=self.folder / "server.json",
            log_file=self.log_file,
            environment=environment,
        )
        key = orjson.loads((self.home / "api-key.json").read_bytes())
        self.api = httpx.Client(base_url=state["url"], auth=(key["key"], key["secret"]), timeout=90)

    def kill(self) -> None:
        """SIGKILL the server process; its workers have to end by themselves."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._close_client()

    def stop(self) -> None:
        """End the server as Ctrl-C would."""
        if self.process is not None:
            processes.stop(self.process)
        self._close_client()

    def _close_client(self) -> None:
        if self.api is not None:
            self.api.close()
            self.api = None

    def request(self, method: str, path: str, body: Any = None, **keywords: Any) -> httpx.Response:
        assert self.api is not None
        if body is not None:
            keywords["json"] = body
        response = self.api.request(method, path, **keywords)
        self.responses.append(response.text)
        return response

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Make a request that has to succeed; return its `data`."""
        response = self.request(method, path, body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        data: dict[str, Any] = response.json().get("data") or {}
        return data

    def create_group(self, service: str, config: dict[str, Any], name: str = "tests") -> str:
        """Create a group with a destination; return its id."""
        group_id: str = self.call("POST", "/v1/groups", {"name": name})["id"]
        self.call(
            "POST",
            "/v1/destinations",
            {
                "group_id": group_id,
                "service": service,
                "region": "LOCAL",
                "time_zone_offset": "0",
                "config": config,
            },
        )
        return group_id

    def wait_for_sync(self, connection_id: str, since: str | None = None, timeout: float = 90.0) -> dict[str, Any]:
        """Poll the connection, as orchestrators do, until `succeeded_at` is past `since`."""
        found: dict[str, Any] = {}

        def has_succeeded() -> bool:
            found.update(self.call("GET", f"/v1/connections/{connection_id}"))
            return found["succeeded_at"] not in (None, since)

        wait_until(has_succeeded, timeout, f"a sync of {connection_id} to succeed")
        return found


@contextlib.contextmanager
def server_process(folder: Path, **environment: str) -> Iterator[Server]:
    """Run `syncline up` until the block ends."""
    server = Server(folder, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def connection_body(group_id: str, connection_string: str, schema: str, **config: Any) -> dict[str, Any]:
    """A request for `POST /v1/connections` that reads JSON."""
    return {
        "group_id": group_id,
        "service": "azure_service_bus",
        "run_setup_tests": True,
        "paused": False,
        "sync_frequency": 1440,
        "config": {
            "schema": schema,
            "auth_type": "ConnectionString",
            "connection_string": connection_string,
            "connection_method": "DIRECT",
            "has_manage_permissions": True,
            "message_type": "Json",
            "sync_type": "Unpacked",
            **config,
        },
    }


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait for a condition, or fail saying what was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}")
        time.sleep(0.05)
