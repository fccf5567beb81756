"""`POST /v1/connections`: what is stored and answered, and what is refused."""

import asyncio
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from syncline.settings import Settings
from syncline.store.sealing import load_sealer
from tests.connections.conftest import CONNECTION_STRING, SECRET

DOCUMENT = {
    "service": "azure_service_bus",
    "trust_certificates": True,
    "trust_fingerprints": True,
    "run_setup_tests": False,
    "paused": False,
    "pause_after_trial": False,
    "sync_frequency": 1440,
    "data_delay_sensitivity": "NORMAL",
    "data_delay_threshold": 0,
    "daily_sync_time": "14:00",
    "schedule_type": "auto",
    "local_processing_agent_id": "local_processing_agent_id",
    "hybrid_deployment_agent_id": "hybrid_deployment_agent_id",
    "connect_card_config": {"redirect_uri": "https://your.site/path", "hide_setup_guide": True},
    "proxy_agent_id": "proxy_agent_id",
    "private_link_id": "private_link_id",
    "networking_method": "Directly",
    "config": {
        "has_manage_permissions": True,
        "host_ip": "string",
        "auth_type": "ConnectionString",
        "sync_type": "Unpacked",
        "topics": ["string"],
        "message_type": "Json",
        "connection_string": CONNECTION_STRING,
        "connection_method": "DIRECT",
        "namespace": "my_namespace",
        "schema_registry_secret": "schema_registry_secret",
        "subscriber_name": "subscriber_name",
        "host_user": "string",
        "asb_ip": "string",
        "schema_registry_key": "schema_registry_key",
        "schema_registry_urls": ["string:8081"],
        "schema": "schema_name",
    },
    "auth": {
        "refresh_token": "a-refresh-token",
        "client_access": {"client_secret": "a-client-secret", "client_id": "a-client-id"},
    },
}
"""A request with every field that there is."""

SECRETS = (SECRET, CONNECTION_STRING, "schema_registry_secret!", "a-refresh-token", "a-client-secret")


async def test_every_field_is_stored_and_answered(client: httpx.AsyncClient, group_id: str) -> None:
    request: dict[str, Any] = {**DOCUMENT, "group_id": group_id}
    created = await client.post("/v1/connections", json=request)
    assert created.status_code == 201, created.text
    assert created.json()["code"] == "Success"
    data = created.json()["data"]
    fetched = (await client.get(f"/v1/connections/{data['id']}")).json()["data"]

    for answered in (data, fetched):
        for name in (
            "service", "paused", "pause_after_trial", "sync_frequency", "data_delay_sensitivity",
            "data_delay_threshold", "daily_sync_time", "schedule_type", "local_processing_agent_id",
            "hybrid_deployment_agent_id", "connect_card_config", "proxy_agent_id", "private_link_id",
            "networking_method", "group_id",
        ):  # fmt: skip
            assert answered[name] == request[name], name
        assert answered["schema"] == "schema_name"
        assert answered["service_version"] == 1
        assert answered["succeeded_at"] is None
        assert answered["failed_at"] is None
        assert answered["setup_tests"] == []
        assert answered["source_sync_details"] == {}
        assert answered["status"] == {
            "tasks": [],
            "warnings": [],
            "schema_status": "blocked_on_capture",
            "update_state": "on_schedule",
            "setup_state": "incomplete",
            "sync_state": "scheduled",
            "is_historical_sync": True,
            "rescheduled_for": None,
        }
        assert "auth" not in answered
        public_key = answered["config"].pop("public_key")
        assert public_key.startswith("ssh-")
        expected = {name: value for name, value in request["config"].items() if name != "schema"}
        expected |= {"connection_string": "******", "schema_registry_secret": "******"}
        assert answered["config"] == expected
    assert not any(secret in created.text for secret in SECRETS)


async def test_the_defaults(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    data = (await client.post("/v1/connections", json=body)).json()["data"]
    assert data["paused"] is False
    assert data["pause_after_trial"] is False
    assert data["sync_frequency"] == 360
    assert data["schedule_type"] == "auto"
    assert data["networking_method"] == "Directly"
    assert data["data_delay_sensitivity"] == "NORMAL"
    assert data["data_delay_threshold"] == 0
    assert data["proxy_agent_id"] is None
    absent = {"daily_sync_time", "connect_card", "connect_card_config", "destination_schema_names"}
    assert not absent & data.keys()
    created_at = datetime.fromisoformat(data["created_at"])
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1)
    assert data["created_at"].endswith("Z")


@pytest.mark.parametrize("naming", ["FIVETRAN_NAMING", "SOURCE_NAMING"])
async def test_how_names_are_made_is_said_once(client: httpx.AsyncClient, body: dict[str, Any], naming: str) -> None:
    created = await client.post("/v1/connections", json=body | {"destination_schema_names": naming})
    assert created.status_code == 201, created.text
    data = created.json()["data"]
    assert data["destination_schema_names"] == naming
    answered = (await client.get(f"/v1/connections/{data['id']}")).json()["data"]
    assert answered["destination_schema_names"] == naming
    changed = await client.patch(f"/v1/connections/{data['id']}", json={"destination_schema_names": naming})
    assert (changed.status_code, changed.json()["code"]) == (400, "InvalidInput")
    assert "destination_schema_names" in changed.json()["message"]


async def test_other_ways_to_make_names_are_not_known(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    refused = await client.post("/v1/connections", json=body | {"destination_schema_names": "source_naming"})
    assert (refused.status_code, refused.json()["code"]) == (400, "InvalidInput")
    assert "destination_schema_names" in refused.json()["message"]


@pytest.mark.parametrize(("frequency", "answered"), [(1440, True), (720, False)])
async def test_the_daily_sync_time_is_answered_where_it_counts(
    client: httpx.AsyncClient, body: dict[str, Any], frequency: int, answered: bool
) -> None:
    body |= {"sync_frequency": frequency, "daily_sync_time": "09:00"}
    data = (await client.post("/v1/connections", json=body)).json()["data"]
    assert data.get("daily_sync_time") == ("09:00" if answered else None)


async def test_the_connect_card(client: httpx.AsyncClient, body: dict[str, Any], settings: Settings) -> None:
    body["connect_card_config"] = {"redirect_uri": "https://your.site/path?a=1&b=2", "hide_setup_guide": True}
    data = (await client.post("/v1/connections", json=body)).json()["data"]
    card = data["connect_card"]
    uri = urllib.parse.urlsplit(card["uri"])
    assert uri._replace(query="").geturl() == "http://127.0.0.1/connect-card/setup"
    assert dict(urllib.parse.parse_qsl(uri.query)) == {
        "redirect_uri": "https://your.site/path?a=1&b=2",
        "auth": card["token"],
        "hide_setup_guide": "true",
    }
    key = load_sealer(settings).derive_key("connect-card")
    claims = jwt.decode(card["token"], key, algorithms=["HS256"], audience="connect-card")
    assert claims["sub"] == data["id"]
    assert claims["exp"] - claims["iat"] == 24 * 3600


async def test_of_requests_for_one_schema_at_once_one_wins(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(client.post("/v1/connections", json=body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    conflict = next(answer.json() for answer in answers if answer.status_code == 409)
    assert conflict["code"] == "Conflict"
    assert "bus" in conflict["message"]


async def test_schemas_that_differ_by_case_alone_conflict(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/v1/connections", json=body)).status_code == 201
    body["config"]["schema"] = "BUS"
    assert (await client.post("/v1/connections", json=body)).status_code == 409


async def test_another_group_may_have_the_same_schema(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/v1/connections", json=body)).status_code == 201
    other = (await client.post("/v1/groups", json={"name": "other"})).json()["data"]["id"]
    assert (await client.post("/v1/connections", json={**body, "group_id": other})).status_code == 201


@pytest.mark.parametrize(
    ("change", "status", "code", "named"),
    [
        ({"group_id": ...}, 400, "InvalidInput", "group_id"),
        ({"service": ...}, 400, "InvalidInput", "service"),
        ({"config": ...}, 400, "InvalidInput", "config"),
        ({"group_id": "nowhere"}, 404, "NotFound_Group", "nowhere"),
        ({"service": "kafka"}, 404, "NotFound_Integration", "kafka"),
        ({"service": "azure_servce_bus"}, 404, "NotFound_Integration", "azure_service_bus"),
        ({"sync_frequncy": 5}, 400, "InvalidInput", "sync_frequency"),
        ({"paused": "true"}, 400, "InvalidInput", "paused"),
        ({"sync_frequency": 7}, 400, "InvalidInput", "sync_frequency"),
        ({"sync_frequency": "360"}, 400, "InvalidInput", "sync_frequency"),
        ({"sync_frequency": 360.0}, 400, "InvalidInput", "sync_frequency"),
        ({"sync_frequency": True}, 400, "InvalidInput", "sync_frequency"),
        ({"daily_sync_time": "14:30"}, 400, "InvalidInput", "daily_sync_time"),
        ({"daily_sync_time": "24:00"}, 400, "InvalidInput", "daily_sync_time"),
        ({"daily_sync_time": "9:00"}, 400, "InvalidInput", "daily_sync_time"),
        ({"data_delay_threshold": -1}, 400, "InvalidInput", "data_delay_threshold"),
        ({"data_delay_sensitivity": "low"}, 400, "InvalidInput", "data_delay_sensitivity"),
        ({"networking_method": "Pigeon"}, 400, "InvalidInput", "networking_method"),
        ({"schedule_type": "never"}, 400, "InvalidInput", "schedule_type"),
        ({"private_link_id": " "}, 400, "InvalidInput", "private_link_id"),
        ({"networking_method": ""}, 400, "InvalidInput", "networking_method"),
        ({"group_id": ""}, 400, "InvalidInput", "group_id"),
        ({"group_id": None}, 400, "InvalidInput", "group_id"),
        ({"frequency": None}, 400, "InvalidInput", "frequency"),
        ({"config.schema": ""}, 400, "InvalidInput", "config.schema"),
        ({"config.sync_type": ""}, 400, "InvalidInput", "config.sync_type"),
        ({"config.topics": [None]}, 400, "InvalidInput", "config.topics[0]"),
        ({"config.connection_string": ""}, 400, "InvalidInput", "`auth_type` is ConnectionString"),
        ({"private_link_id": 5}, 400, "InvalidInput", "private_link_id"),
        ({"connect_card_config": {}}, 400, "InvalidInput", "redirect_uri"),
        ({"connect_card_config": {"redirect_uri": "javascript:x"}}, 400, "InvalidInput", "redirect_uri"),
        ({"connect_card_config": {"redirect_uri": "https://"}}, 400, "InvalidInput", "redirect_uri"),
        ({"connect_card_config": {"redirect_uri": "https://[x"}}, 400, "InvalidInput", "redirect_uri"),
        ({"auth": {"token": "x"}}, 400, "InvalidInput", "auth.token"),
        ({"config.schema": ...}, 400, "InvalidInput", "config.schema"),
        ({"config.schema": None}, 400, "InvalidInput", "config.schema"),
        ({"config.topics": "orders"}, 400, "InvalidInput", "config.topics"),
        ({"config.public_key": "x"}, 400, "InvalidInput", "config.public_key"),
        ({"config.schema": "s" * 45}, 400, "InvalidInput", "config.subscriber_name"),
    ],
)
async def test_a_wrong_request_is_refused_and_explained(
    client: httpx.AsyncClient, body: dict[str, Any], change: dict[str, Any], status: int, code: str, named: str
) -> None:
    for path, value in change.items():
        *parents, name = path.split(".")
        target = body[parents[0]] if parents else body
        if value is ...:
            del target[name]
        else:
            target[name] = value
    response = await client.post("/v1/connections", json=body)
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    assert named in response.json()["message"]
    assert SECRET not in response.text
    listed = (await client.get("/v1/connections")).json()["data"]["items"]
    assert listed == []
