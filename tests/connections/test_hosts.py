"""Addresses that a connection may not lead to are refused when they are sent."""

from typing import Any

import httpx
import pytest

from syncline.settings import Settings

KEYS = "SharedAccessKeyName=k;SharedAccessKey=aHVudGVyMg=="


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"private_hosts": False})


@pytest.fixture
def body(body: dict[str, Any]) -> dict[str, Any]:
    body["config"]["connection_string"] = f"Endpoint=sb://bus.example.com;{KEYS}"
    return body


FORBIDDEN = [
    ({"connection_string": f"Endpoint=sb://169.254.169.254;{KEYS}"}, "config.connection_string"),
    ({"connection_string": f"Endpoint=sb://[::ffff:10.0.0.1]:5671;{KEYS}"}, "config.connection_string"),
    ({"connection_string": f"Endpoint=sb://0x7f.1;{KEYS}"}, "config.connection_string"),
    ({"auth_type": "AzureActiveDirectory", "namespace": "10.1.2.3"}, "config.namespace"),
    ({"asb_ip": "192.168.0.1"}, "config.asb_ip"),
    ({"asb_ip": "sb://127.0.0.1:5671"}, "config.asb_ip"),
    ({"host_ip": "10.0.0.1"}, "config.host_ip"),
    (
        {"message_type": "Avro", "schema_registry_urls": ["registry.example.com:80", "http://100.100.100.200/"]},
        "config.schema_registry_urls[1]",
    ),
]


@pytest.mark.parametrize(("values", "field"), FORBIDDEN)
async def test_in_a_new_connection(
    client: httpx.AsyncClient, body: dict[str, Any], values: dict[str, Any], field: str
) -> None:
    body["config"] |= values
    body["config"].pop("sync_type", None)
    response = await client.post("/v1/connections", json=body)
    assert response.status_code == 400, response.text
    assert f"`{field}` names a host that is not connected to" in response.json()["message"]
    assert "aHVudGVyMg==" not in response.text


@pytest.mark.parametrize(("values", "field"), FORBIDDEN)
async def test_in_a_change(client: httpx.AsyncClient, body: dict[str, Any], values: dict[str, Any], field: str) -> None:
    connection = (await client.post("/v1/connections", json=body)).json()["data"]["id"]
    update = {"config": {**values, "connection_string": values.get("connection_string", f"Endpoint=sb://x.y;{KEYS}")}}
    update["config"] |= {"sync_type": "Unpacked"}
    response = await client.patch(f"/v1/connections/{connection}", json={**update, "run_setup_tests": False})
    assert response.status_code == 400, response.text
    assert f"`{field}` names a host that is not connected to" in response.json()["message"]


async def test_what_was_stored_before_does_not_forbid_other_changes(
    client: httpx.AsyncClient, body: dict[str, Any], settings: Settings
) -> None:
    object.__setattr__(settings, "private_hosts", True)
    body["config"]["connection_string"] = f"Endpoint=sb://10.0.0.1;{KEYS}"
    connection = (await client.post("/v1/connections", json=body)).json()["data"]["id"]
    object.__setattr__(settings, "private_hosts", False)
    update = {"config": {"topics": ["orders"]}, "run_setup_tests": False}
    response = await client.patch(f"/v1/connections/{connection}", json=update)
    assert response.status_code == 200, response.text
