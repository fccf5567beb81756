"""`POST /v1/connections` answers every wrong request with the status, the code and the field that is at fault."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.e2e.product import Server, connection_body, server_process

GROUP = "<group>"
DEAD_END = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=k;SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true"


@dataclass
class Wrong:
    """A request that is wrong in one way, and the answer it gets."""

    name: str
    change: dict[str, Any] = field(default_factory=dict)
    """Top-level fields to set; `...` removes the field."""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of `config` to set; `...` removes the field."""
    status: int = 400
    code: str = "InvalidInput"
    named: str = ""
    """What the message has to name."""
    raw: bytes | None = None
    """The whole body, instead of a JSON object."""
    headers: dict[str, str | None] = field(default_factory=dict)


WRONG = [
    # Not a JSON object
    Wrong("empty body", raw=b"", named="body"),
    Wrong("not JSON", raw=b"{group_id: 1", named="JSON"),
    Wrong("cut off", raw=b'{"group_id": "x", ', named="JSON"),
    Wrong("not UTF-8", raw=b'{"group_id": "\xff\xfe"}', named="UTF-8"),
    Wrong("an array", raw=b"[]", named="object"),
    Wrong("a string", raw=b'"connection"', named="object"),
    Wrong("null", raw=b"null", named="object"),
    Wrong("nested 100,000 deep", raw=b"[" * 100_000, named="levels deep"),
    Wrong("huge", raw=b'{"group_id": "' + b"x" * 3_000_000 + b'"}', status=413, named="bytes"),
    # Headers
    Wrong("no credentials", headers={"Authorization": None}, status=401, code="Unauthorized"),
    Wrong("credentials that are not Basic", headers={"Authorization": "Bearer x"}, status=401, code="Unauthorized"),
    Wrong("credentials that are not base64", headers={"Authorization": "Basic %%%"}, status=401, code="Unauthorized"),
    Wrong(
        "an unknown key",
        headers={"Authorization": "Basic " + base64.b64encode(b"nobody:nothing").decode()},
        status=401,
        code="Unauthorized",
    ),
    Wrong("a media type that is not JSON", headers={"Content-Type": "text/plain"}, status=415, named="text/plain"),
    Wrong("an Accept that is not JSON", headers={"Accept": "text/html"}, status=406, named="text/html"),
    Wrong("an unknown version", headers={"Accept": "application/json;version=9"}, status=406, named="version"),
    # Missing and unknown
    Wrong("no group_id", {"group_id": ...}, named="group_id"),
    Wrong("no service", {"service": ...}, named="service"),
    Wrong("no config", {"config": ...}, named="config"),
    Wrong("no schema", config={"schema": ...}, named="config.schema"),
    Wrong("unknown field", {"grp_id": "x"}, named="grp_id"),
    Wrong("unknown field of config", config={"conection_string": "x"}, named="config.conection_string"),
    Wrong("unknown field of auth", {"auth": {"token": "x"}}, named="auth.token"),
    Wrong("unknown group", {"group_id": "nowhere"}, status=404, code="NotFound_Group", named="nowhere"),
    Wrong("unknown service", {"service": "kafka_bus"}, status=404, code="NotFound_Integration", named="kafka_bus"),
    # Types
    Wrong("group_id a number", {"group_id": 7}, named="group_id"),
    Wrong("group_id null", {"group_id": None}, named="group_id"),
    Wrong("paused a string", {"paused": "true"}, named="paused"),
    Wrong("run_setup_tests a number", {"run_setup_tests": 1}, named="run_setup_tests"),
    Wrong("trust_certificates null", {"trust_certificates": "no"}, named="trust_certificates"),
    Wrong("sync_frequency a string", {"sync_frequency": "1440"}, named="sync_frequency"),
    Wrong("sync_frequency a fraction", {"sync_frequency": 5.5}, named="sync_frequency"),
    Wrong("config a string", {"config": "x"}, named="config"),
    Wrong("config an array", {"config": []}, named="config"),
    Wrong("auth an array", {"auth": []}, named="auth"),
    Wrong("has_manage_permissions a string", config={"has_manage_permissions": "yes"}, named="has_manage_permissions"),
    Wrong("topics a string", config={"topics": "orders,payments"}, named="config.topics"),
    Wrong("a topic that is a number", config={"topics": ["orders", 5]}, named="config.topics"),
    Wrong("schema a number", config={"schema": 5}, named="config.schema"),
    Wrong("connect_card_config a string", {"connect_card_config": "x"}, named="connect_card_config"),
    # Choices and ranges
    Wrong("sync_frequency not offered", {"sync_frequency": 7}, named="sync_frequency"),
    Wrong("sync_frequency negative", {"sync_frequency": -60}, named="sync_frequency"),
    Wrong("daily_sync_time not on the hour", {"daily_sync_time": "14:30"}, named="daily_sync_time"),
    Wrong("daily_sync_time not a time", {"daily_sync_time": "25:00"}, named="daily_sync_time"),
    Wrong("schedule_type unknown", {"schedule_type": "hourly"}, named="schedule_type"),
    Wrong("data_delay_sensitivity unknown", {"data_delay_sensitivity": "MEDIUM"}, named="data_delay_sensitivity"),
    Wrong("data_delay_threshold negative", {"data_delay_threshold": -1}, named="data_delay_threshold"),
    Wrong("networking_method unknown", {"networking_method": "Carrier pigeon"}, named="networking_method"),
    Wrong("redirect_uri without http", {"connect_card_config": {"redirect_uri": "ftp://x"}}, named="redirect_uri"),
    Wrong("auth_type unknown", config={"auth_type": "Password"}, named="config.auth_type"),
    Wrong("auth_type in the wrong case", config={"auth_type": "connectionstring"}, named="config.auth_type"),
    Wrong("message_type unknown", config={"message_type": "Yaml"}, named="config.message_type"),
    Wrong("sync_type unknown", config={"sync_type": "Flat"}, named="config.sync_type"),
    Wrong("connection_method unknown", config={"connection_method": "VPN"}, named="config.connection_method"),
    # Values
    Wrong("schema empty", config={"schema": ""}, named="config.schema"),
    Wrong("schema with a quote", config={"schema": 'a"; drop'}, named="config.schema"),
    Wrong("topic name empty", config={"topics": [""]}, named="config.topics"),
    Wrong("topic name too long", config={"topics": ["t" * 261]}, named="config.topics"),
    Wrong("topic twice", config={"topics": ["orders", "orders"]}, named="config.topics"),
    Wrong("subscriber_name too long", config={"subscriber_name": "s" * 51}, named="config.subscriber_name"),
    Wrong("subscriber_name with a space", config={"subscriber_name": "my sub"}, named="config.subscriber_name"),
    Wrong("default subscriber too long", config={"schema": "s" * 45}, named="config.subscriber_name"),
    Wrong("connection string without endpoint", config={"connection_string": "x=y"}, named="config.connection_string"),
    Wrong("public_key is not ours to set", config={"public_key": "ssh-rsa x"}, named="config.public_key"),
    # Combinations
    Wrong("Text unpacked", config={"message_type": "Text", "sync_type": "Unpacked"}, named="config.sync_type"),
    Wrong("Xml unpacked", config={"message_type": "Xml", "sync_type": "Unpacked"}, named="config.sync_type"),
    Wrong("Avro packed", config={"message_type": "Avro", "sync_type": "Packed"}, named="config.sync_type"),
    Wrong("Protobuf packed", config={"message_type": "Protobuf", "sync_type": "Packed"}, named="config.sync_type"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server_process(tmp_path_factory.mktemp("bad-input")) as server:
        yield server


@pytest.fixture(scope="module")
def group_id(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    return server.create_group("duckdb", {"path": str(path)})


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_request_is_explained(wrong: Wrong, server: Server, group_id: str) -> None:
    assert server.api is not None
    request = server.api.build_request("POST", "/v1/connections", **_body(wrong, group_id))
    for name, value in wrong.headers.items():
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value
    follows_own_header = "Authorization" in wrong.headers
    response = server.api.send(request, auth=None if follows_own_header else server.api.auth)

    assert response.status_code == wrong.status, response.text
    answer = response.json()
    assert answer.keys() >= {"code", "message"}
    if wrong.status in (400, 401, 404):
        assert answer["code"] == wrong.code
    assert wrong.named in answer["message"]
    assert "c2VjcmV0" not in response.text, "an error repeated a secret"
    assert "Traceback" not in response.text
    if wrong.status == 401:
        assert response.headers["WWW-Authenticate"].startswith("Basic")


def _body(wrong: Wrong, group_id: str) -> dict[str, Any]:
    if wrong.raw is not None:
        return {"content": wrong.raw, "headers": {"Content-Type": "application/json"}}
    body = connection_body(group_id, DEAD_END, "wrong_requests")
    body["run_setup_tests"] = False
    _apply(body["config"], wrong.config)
    _apply(body, wrong.change)
    return {"json": body}


def _apply(target: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if value is ...:
            target.pop(name, None)
        else:
            target[name] = value


def test_the_schema_of_another_connection_of_the_group_is_a_conflict(server: Server, group_id: str) -> None:
    body = connection_body(group_id, DEAD_END, "taken")
    body["run_setup_tests"] = False
    assert server.request("POST", "/v1/connections", body).status_code == 201
    second = server.request("POST", "/v1/connections", body)
    assert second.status_code == 409
    assert second.json()["code"] == "Conflict"
    assert "taken" in second.json()["message"]


def test_what_is_merely_missing_makes_an_incomplete_connection(server: Server, group_id: str) -> None:
    body = connection_body(group_id, DEAD_END, "incomplete")
    del body["config"]["connection_string"]
    response = server.request("POST", "/v1/connections", body)
    assert response.status_code == 201, response.text
    data = response.json()["data"]
    assert data["status"]["setup_state"] == "incomplete"
    failed = [test for test in data["setup_tests"] if test["status"] == "FAILED"]
    assert any("connection_string" in test["message"] + test["details"] for test in failed)
