"""Where a stored secret goes is not changed without the secret: over HTTP, and in what every service declares."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from syncline.connectors import registry as sources
from syncline.declarations import DeclaredField, ServiceDeclaration
from syncline.warehouses import registry as warehouses
from tests.connections.support import create

SERVICES = [*sources.services(), *warehouses.services()]
ADDRESS = re.compile(r"(^|_)(host|port|urls?|uri|ip|endpoint|server|namespace|tenant)(_|$)")
NO_ADDRESSES = {"host_user"}


def _secrets(fields: list[DeclaredField] | tuple[DeclaredField, ...]) -> Iterator[DeclaredField]:
    for field in fields:
        yield from _secrets(field.fields) if field.fields else [field] if field.secret else []


def _all_secrets(declaration: ServiceDeclaration) -> list[DeclaredField]:
    parts = [declaration.config, *([declaration.auth] if declaration.auth is not None else [])]
    return [secret for part in parts for secret in _secrets(part.declared_fields())]


@pytest.mark.parametrize("declaration", SERVICES, ids=lambda declaration: declaration.service)
def test_every_secret_says_where_it_goes_or_why_it_stays(declaration: ServiceDeclaration) -> None:
    public = {field.name for field in declaration.config.declared_fields() if not field.secret}
    for secret in _all_secrets(declaration):
        assert bool(secret.addressed_by) != bool(secret.stays), f"{secret.name}: one of addressed_by and stays"
        assert set(secret.addressed_by) <= public


@pytest.mark.parametrize("declaration", SERVICES, ids=lambda declaration: declaration.service)
def test_every_address_belongs_to_a_secret(declaration: ServiceDeclaration) -> None:
    known = {name for secret in _all_secrets(declaration) for name in secret.addressed_by}
    looking = {
        field.name
        for field in declaration.config.declared_fields()
        if ADDRESS.search(field.name) and "has no effect" not in field.description
    }
    assert looking - NO_ADDRESSES <= known


async def _refused(client: httpx.AsyncClient, url: str, change: dict[str, Any]) -> str:
    before = (await client.get(url)).json()["data"]
    answer = await client.patch(url, json={**change, "run_setup_tests": True})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput"), answer.text
    assert (await client.get(url)).json()["data"] == before
    message: str = answer.json()["message"]
    return message


CONNECTION_MOVES = [
    ({"asb_ip": "203.0.113.9"}, "config.connection_string"),
    ({"host_ip": "203.0.113.9", "connection_string": "******"}, "config.connection_string"),
    ({"connection_method": "SSH_TUNNEL"}, "config.connection_string"),
    (
        {"schema_registry_urls": ["registry.example.com:443", "elsewhere.example.com:443"]},
        "config.schema_registry_secret",
    ),
    ({"namespace": "elsewhere.example.com"}, "auth.refresh_token"),
]


async def test_a_connection_keeps_its_secrets_to_its_addresses(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    secrets = {"connection_string": body["config"]["connection_string"], "schema_registry_secret": "registry-secret"}
    registry = {"schema_registry_urls": ["registry.example.com:443"], "schema_registry_key": "k"}
    body["config"] |= {**registry, **secrets, "namespace": "mine"}
    auth = {"refresh_token": "token", "client_access": {"client_id": "id", "client_secret": "secret"}}
    url = f"/v1/connections/{(await create(client, body, auth=auth))['id']}"
    for config, named in CONNECTION_MOVES:
        message = await _refused(client, url, {"config": config})
        assert message.startswith(f"`{named}` is needed again")
    moved = {"namespace": "elsewhere.example.com", "asb_ip": "203.0.113.9"}
    again = {"config": {**moved, **secrets}, "auth": {"refresh_token": "token"}, "run_setup_tests": False}
    answer = await client.patch(url, json=again)
    assert answer.status_code == 200, answer.text
    assert moved.items() <= answer.json()["data"]["config"].items()


DESTINATION_MOVES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("postgres_warehouse", {"host": "a", "password": "pw"}, {"host": "b"}, "password"),
    ("postgres_warehouse", {"host": "a", "password": "pw"}, {"port": 6432}, "password"),
    ("postgres_warehouse", {"host": "a", "password": "pw"}, {"tunnel_host": "b"}, "password"),
    ("postgres_warehouse", {"password": "pw"}, {"host": "b"}, "password"),
    ("redshift", {"host": "a", "password": "pw"}, {"host": "b", "password": "******"}, "password"),
    ("azure_sql_database", {"host": "a", "password": "pw"}, {"always_encrypted": False}, "password"),
    ("clickhouse", {"host": "a", "password": "pw"}, {"http_port": 9000}, "password"),
    ("snowflake", {"host": "a", "private_key": "pk", "passphrase": "pp"}, {"host": "b"}, "private_key"),
    ("databricks", {"server_host_name": "a", "oauth2_secret": "s"}, {"server_host_name": "b"}, "oauth2_secret"),
    (
        "managed_data_lake",
        {"storage_provider": "ADLS", "secret_value": "s"},
        {"storage_account_name": "b"},
        "secret_value",
    ),
    ("managed_data_lake", {"storage_provider": "ADLS", "secret_value": "s"}, {"tenant_id": "b"}, "secret_value"),
]


async def test_a_destination_keeps_its_secrets_to_its_addresses(client: httpx.AsyncClient) -> None:
    for number, (service, stored, change, named) in enumerate(DESTINATION_MOVES):
        group_id = (await client.post("/v1/groups", json={"name": f"group {number}"})).json()["data"]["id"]
        request = {"group_id": group_id, "service": service, "time_zone_offset": "0", "run_setup_tests": False}
        answer = await client.post("/v1/destinations", json={**request, "config": stored})
        assert answer.status_code == 201, answer.text
        url = f"/v1/destinations/{group_id}"
        message = await _refused(client, url, {"config": change})
        assert message.startswith(f"`config.{named}` is needed again")
        given = {**change, named: stored[named]}
        answer = await client.patch(url, json={"config": given, "run_setup_tests": False})
        assert answer.status_code == 200, answer.text


async def test_a_name_of_a_database_cannot_hold_settings_that_move_the_token(
    client: httpx.AsyncClient, group_id: str
) -> None:
    config = {"database": "mine?motherduck_host=elsewhere.example.com&x=", "token": "token"}
    request = {"group_id": group_id, "service": "motherduck", "time_zone_offset": "0", "config": config}
    answer = await client.post("/v1/destinations", json=request)
    assert answer.status_code == 400
    assert "`config.database`" in answer.json()["message"]
