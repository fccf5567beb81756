"""System keys over HTTP, on either store."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import time_machine

from syncline.accounts.system_keys import end_of
from syncline.settings import Settings
from tests.accounts.conftest import ClientFor

ClientWith = Callable[[str, str], httpx.AsyncClient]
ALL = [{"resource_type": name, "access_level": "MANAGE"} for name in ("CONNECTOR", "DESTINATION")]


@pytest.fixture
def settings(either_settings: Settings) -> Settings:
    return either_settings


async def _create(client: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await client.post("/v1/system-keys", json={"name": "for Terraform", "permissions": ALL, **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()["data"]
    return created


async def test_a_system_key_acts_for_the_account(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    made = await _create(client)
    assert made.keys() == {"id", "name", "key", "secret", "permissions", "created_at", "expired_at"}
    assert made["permissions"] == ALL
    robot = client_with(made["key"], made["secret"])
    info = (await robot.get("/v1/account/info")).json()["data"]
    assert info["system_key_id"] == made["id"]
    assert "user_id" not in info
    group_id = (await robot.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}, "run_setup_tests": False}
    connection = (await robot.post("/v1/connections", json=body)).json()["data"]
    owner = (await client.get("/v1/account/info")).json()["data"]["user_id"]
    assert connection["connected_by"] == owner
    assert (await robot.get("/v1/users")).status_code == 403
    assert (await robot.get("/v1/system-keys")).status_code == 403


async def test_a_system_key_is_listed_without_its_secret_and_changed(
    client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    made = await _create(client)
    robot = client_with(made["key"], made["secret"])
    path = f"/v1/system-keys/{made['id']}"
    without_secret = {name: value for name, value in made.items() if name != "secret"}
    assert (await client.get(path)).json()["data"] == without_secret
    assert (await client.get("/v1/system-keys")).json()["data"]["items"] == [without_secret]
    permissions = [{"resource_type": "CONNECTOR", "access_level": "READ"}]
    changed = (await client.patch(path, json={"name": "new name", "permissions": permissions})).json()["data"]
    assert (changed["name"], changed["permissions"]) == ("new name", permissions)
    assert "updated_at" in changed
    assert (await robot.get("/v1/connections")).status_code == 200
    assert (await robot.get("/v1/groups")).status_code == 403
    assert (await client.patch(path, json={})).json()["data"]["name"] == "new name"


async def test_rotating_gives_another_secret(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    made = await _create(client)
    rotated = (await client.post(f"/v1/system-keys/{made['id']}/rotate")).json()["data"]
    assert rotated["key"] == made["key"]
    assert rotated["secret"] != made["secret"]
    assert (await client_with(made["key"], made["secret"]).get("/v1/groups")).status_code == 401
    assert (await client_with(rotated["key"], rotated["secret"]).get("/v1/groups")).status_code == 200
    forever = await client.post(f"/v1/system-keys/{made['id']}/rotate", json={"expiration_period": "INFINITE"})
    assert "expired_at" not in forever.json()["data"]
    assert "expired_at" not in (await client.post(f"/v1/system-keys/{made['id']}/rotate")).json()["data"]


async def test_a_deleted_key_is_refused(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    made = await _create(client)
    answer = await client.delete(f"/v1/system-keys/{made['id']}")
    assert answer.json()["message"] == f"System key with id '{made['id']}' has been deleted"
    assert (await client_with(made["key"], made["secret"]).get("/v1/groups")).status_code == 401
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")):
        body: dict[str, Any] = {"json": {}} if method in {"PATCH", "POST"} else {}
        gone = await client.request(method, f"/v1/system-keys/{made['id']}{path}", **body)
        assert (gone.status_code, gone.json()["code"]) == (404, "NotFound_SystemKey")


async def test_a_key_ends(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False) as clock:
        made = await _create(client, expiration_period="ONE_MONTH")
        assert made["expired_at"] == "2026-02-28T12:00:00.000000Z"
        robot = client_with(made["key"], made["secret"])
        assert (await robot.get("/v1/groups")).status_code == 200
        clock.move_to(datetime(2026, 2, 28, 12, tzinfo=UTC))
        assert (await robot.get("/v1/groups")).status_code == 401


async def test_a_key_outlives_the_user_who_made_it(
    client: httpx.AsyncClient, client_for: ClientFor, client_with: ClientWith
) -> None:
    ana = await client_for("ana@example.com", "Account Administrator")
    made = await _create(ana)
    identifier = (await ana.get("/v1/account/info")).json()["data"]["user_id"]
    assert (await client.delete(f"/v1/users/{identifier}")).status_code == 200
    assert (await client_with(made["key"], made["secret"]).get("/v1/groups")).status_code == 200


async def test_a_key_grants_no_more_than_it_may_do(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    permissions = [
        {"resource_type": "ACCOUNT", "access_level": "MANAGE"},
        {"resource_type": "USER", "access_level": "MANAGE"},
    ]
    made = await _create(client, permissions=permissions)
    robot = client_with(made["key"], made["secret"])
    wanted = {"name": "more", "permissions": ALL}
    assert (await robot.post("/v1/system-keys", json=wanted)).status_code == 403
    assert (await robot.patch(f"/v1/system-keys/{made['id']}", json=wanted)).status_code == 403
    assert (await robot.post("/v1/system-keys", json={**wanted, "permissions": permissions})).status_code == 201
    user = {"email": "eve@example.com", "given_name": "Eve", "family_name": "Doe", "role": "Account Administrator"}
    assert (await robot.post("/v1/users", json=user)).status_code == 403


async def test_permissions_can_be_limited_to_groups_and_things(
    client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    groups = [(await client.post("/v1/groups", json={"name": name})).json()["data"]["id"] for name in ("a", "b")]
    connections = []
    for group_id in groups:
        for schema in ("one", "two"):
            body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": schema}}
            answer = await client.post("/v1/connections", json={**body, "run_setup_tests": False})
            connections.append(answer.json()["data"]["id"])
    in_group = {"group_ids": [groups[0]]}
    permissions = [
        {"resource_type": "CONNECTOR", "access_level": "MANAGE", "resource_filter": in_group},
        {"resource_type": "CONNECTOR", "access_level": "NONE", "resource_filter": {"ids": [connections[1]]}},
        {"resource_type": "CONNECTOR", "access_level": "READ", "resource_filter": {"ids": [connections[2]]}},
    ]
    made = await _create(client, permissions=permissions)
    assert made["permissions"] == permissions
    robot = client_with(made["key"], made["secret"])
    statuses = [(await robot.get(f"/v1/connections/{identifier}")).status_code for identifier in connections]
    assert statuses == [200, 403, 200, 403]
    assert (await robot.get("/v1/connections")).status_code == 403
    assert (await robot.get(f"/v1/groups/{groups[0]}/connections")).status_code == 403, "it would show a hidden one"
    assert (await robot.delete(f"/v1/connections/{connections[2]}")).status_code == 403
    assert (await robot.delete(f"/v1/connections/{connections[0]}")).status_code == 200
    for group_id, expected in zip(groups, (201, 403), strict=True):
        body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "new"}}
        answer = await robot.post("/v1/connections", json={**body, "run_setup_tests": False})
        assert answer.status_code == expected


async def test_a_bad_request_is_refused(client: httpx.AsyncClient) -> None:
    bodies: list[tuple[dict[str, object], str]] = [
        ({"permissions": ALL}, "`name` is missing"),
        ({"name": "a"}, "`permissions` is missing"),
        ({"name": "a", "permissions": []}, "`permissions`"),
        (
            {"name": "a", "permissions": [{"resource_type": "X", "access_level": "READ"}]},
            "permissions[0].resource_type",
        ),
        ({"name": "a", "permissions": ALL, "expiration_period": "NEVER"}, "`expiration_period`"),
    ]
    for body, named in bodies:
        answer = await client.post("/v1/system-keys", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
        assert named in answer.json()["message"]


def test_months_end_with_the_calendar() -> None:
    start = datetime(2025, 11, 30, tzinfo=UTC)
    assert end_of("THREE_MONTHS", start) == datetime(2026, 2, 28, tzinfo=UTC)
    assert end_of("SIX_MONTHS", start) == datetime(2026, 5, 30, tzinfo=UTC)
    assert end_of("ONE_WEEK", start) == datetime(2025, 12, 7, tzinfo=UTC)
    assert end_of("INFINITE", start) is None
