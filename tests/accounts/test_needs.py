"""Every operation, with every kind of key: the answers are those that the table of permissions says."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from syncline.api.authentication import Caller
from syncline.api.errors import Forbidden
from syncline.api.needs import NEEDS, Need, check_operations
from syncline.api.permissions import authorize
from syncline.api.roles import ACCOUNT_ROLES, GROUP_ROLES, Level, Resource
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Account, ApiKey, GroupUser, User
from syncline.store.secrets import digest, new_api_key
from tests.accounts.conftest import ClientFor

ClientWith = Callable[[str, str], httpx.AsyncClient]
OPERATIONS = [(*key.split(" ", 1), need) for key, need in NEEDS.items()]
EITHER = "/v1/certificates"
BODY_OF_A_CERTIFICATE = {"hash": "x", "encoded_cert": "x"}


def _path(template: str, **values: str) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "unknown"), template)


def _body(method: str) -> dict[str, Any]:
    """A body that no operation takes, so that a request that may pass changes nothing."""
    return {"json": {"nothing": 1}} if method in {"POST", "PATCH"} else {}


def _key(*permissions: tuple[str, str], **limits: list[str]) -> list[dict[str, Any]]:
    filters = {"resource_filter": limits} if limits else {}
    return [{"resource_type": name, "access_level": level, **filters} for name, level in permissions]


async def _system_key(client: httpx.AsyncClient, client_with: ClientWith, permissions: list[Any]) -> httpx.AsyncClient:
    answer = await client.post("/v1/system-keys", json={"name": "key", "permissions": permissions})
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    return client_with(made["key"], made["secret"])


async def _things(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    group_id = (await client.post("/v1/groups", json={"name": name})).json()["data"]["id"]
    destination = {"group_id": group_id, "service": "duckdb", "time_zone_offset": "0", "run_setup_tests": False}
    assert (await client.post("/v1/destinations", json=destination)).status_code == 201
    body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}, "run_setup_tests": False}
    connection_id = (await client.post("/v1/connections", json=body)).json()["data"]["id"]
    return {"group_id": group_id, "destination_id": group_id, "connection_id": connection_id}


def test_an_operation_without_an_entry_is_refused_at_the_start() -> None:
    there = [(method, path) for method, path, _ in OPERATIONS]
    check_operations(there)
    with pytest.raises(RuntimeError, match="POST /v1/forgotten"):
        check_operations([*there, ("POST", "/v1/forgotten")])
    with pytest.raises(RuntimeError, match="GET /v1/account/info"):
        check_operations(there[1:])


async def test_the_table_has_what_the_document_describes(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    described = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        if path.startswith("/v1/")
        for method in operations
    }
    assert described == {re.sub(r":\w+\}", "}", key) for key in NEEDS}


@pytest.mark.parametrize("kind", ["none", "malformed", "wrong secret", "revoked", "expired"])
async def test_without_a_good_key_nothing_is_answered(
    client: httpx.AsyncClient, client_with: ClientWith, settings: Settings, kind: str
) -> None:
    data = (await client.post("/v1/system-keys", json={"name": "k", "permissions": _key(("ACCOUNT", "READ"))})).json()
    key, secret = data["data"]["key"], data["data"]["secret"]
    caller = client_with(key, "wrong" if kind == "wrong secret" else secret)
    if kind in {"none", "malformed"}:
        caller.auth = None  # type: ignore[assignment]
        caller.headers.update({"Authorization": "Basic nothing"} if kind == "malformed" else {})
    column = {"revoked": "revoked_at", "expired": "expires_at"}.get(kind)
    if column is not None:
        database = Database(settings.store_url)
        async with database.session() as session:
            past = datetime(2020, 1, 1, tzinfo=UTC)
            await session.execute(update(ApiKey).where(ApiKey.key == key).values({column: past}))
        await database.close()
    for method, path, _ in OPERATIONS:
        answer = await caller.request(method, _path(path), **_body(method))
        assert (answer.status_code, answer.json()["code"]) == (401, "Unauthorized"), f"{method} {path}"


async def test_over_http_a_key_with_one_permission_does_what_that_allows(
    client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    keys = {
        (resource, level): await _system_key(client, client_with, _key((resource, level.name)))
        for resource in ("ACCOUNT", "USER", "ROLES", "DESTINATION", "CONNECTOR", "WEBHOOK")
        for level in (Level.READ, Level.MANAGE)
    }
    for method, path, need in OPERATIONS:
        right = need.resource or Resource.WEBHOOK
        wrong = "WEBHOOK" if right != "WEBHOOK" else "ACCOUNT"
        for (resource, level), caller in keys.items():
            if resource not in {right, wrong}:
                continue
            answer = await caller.request(method, _path(path), **_body(method))
            may = need.resource is None or (resource == need.resource and level >= need.level)
            assert (answer.status_code != 403) == may, f"{resource} {level.name}: {method} {path} {answer.text}"
            assert answer.status_code < 500


async def _allowed(database: Database, caller: Caller, needs: list[tuple[str, str, Need]], **things: str) -> set[str]:
    allowed = set()
    for method, path, need in needs:
        given = {need.at: things[need.at]} if need.at in things else {}
        try:
            await authorize(database, caller, method, _path(path, **things), given, given)
        except Forbidden:
            continue
        allowed.add(f"{method} {path}")
    return allowed


def _expected(may: Callable[[Resource], Level]) -> set[str]:
    return {
        f"{method} {path}"
        for method, path, need in OPERATIONS
        if need.resource is None or may(need.resource) >= need.level
    }


@pytest.mark.usefixtures("first_key")
async def test_every_single_permission_and_every_role_in_the_account(settings: Settings) -> None:
    database = Database(settings.store_url)
    for resource in Resource:
        for level in (Level.NONE, Level.READ, Level.MANAGE):
            robot = Caller("account", "user", "", "key", _key((resource.value, level.name)))
            expected = _expected(lambda wanted, own=resource, level=level: level if wanted is own else Level.NONE)
            assert await _allowed(database, robot, OPERATIONS) == expected
    for name, role in ACCOUNT_ROLES.items():
        user = Caller("account", "user", name)
        assert await _allowed(database, user, OPERATIONS) == _expected(lambda wanted, role=role: role.levels[wanted])
    await database.close()


def _in_groups() -> Iterator[tuple[str, str, Need]]:
    for method, path, need in OPERATIONS:
        if need.at and path != EITHER:
            yield method, path, need


async def test_what_is_limited_to_a_group_counts_there_alone(
    client: httpx.AsyncClient, client_for: ClientFor, settings: Settings
) -> None:
    here, elsewhere = await _things(client, "here"), await _things(client, "elsewhere")
    database = Database(settings.store_url)
    needs = list(_in_groups())
    everything = {f"{method} {path}" for method, path, _ in needs}
    both = _key(("CONNECTOR", "MANAGE"), ("DESTINATION", "MANAGE"), group_ids=[here["group_id"]])
    robot = Caller("account", "user", "", "key", both)
    assert await _allowed(database, robot, needs, **here) == everything
    assert await _allowed(database, robot, needs, **elsewhere) == set()
    assert await _allowed(database, robot, needs) == set()

    ana = await client_for("ana@example.com", "")
    user_id = (await ana.get("/v1/account/info")).json()["data"]["user_id"]
    user = Caller("account", user_id, "")
    for name, role in GROUP_ROLES.items():
        async with database.session() as session:
            await session.merge(GroupUser(group_id=here["group_id"], user_id=user_id, role=name))
        may = {
            f"{method} {path}"
            for method, path, need in needs
            if need.resource and role.levels[need.resource] >= need.level
        }
        assert await _allowed(database, user, needs, **here) == may
        assert await _allowed(database, user, needs, **elsewhere) == set()
    await database.close()


async def test_things_of_another_account_are_not_there(
    client: httpx.AsyncClient, client_with: ClientWith, settings: Settings
) -> None:
    things = await _things(client, "mine")
    things["user_id"] = (await client.get("/v1/account/info")).json()["data"]["user_id"]
    made = await client.post("/v1/system-keys", json={"name": "k", "permissions": _key(("ACCOUNT", "READ"))})
    things["key_id"] = made.json()["data"]["id"]
    key, secret = new_api_key()
    database = Database(settings.store_url)
    async with database.session() as session:
        session.add(Account(id="other", name="Other"))
        await session.flush()
        session.add(User(id="stranger", account_id="other", email="stranger@example.com"))
        await session.flush()
        session.add(ApiKey(key=key, user_id="stranger", secret_digest=digest(secret)))
    await database.close()
    stranger = client_with(key, secret)
    mine = [f"/v1/{name}" for name in ("groups", "destinations", "connections", "users", "system-keys")]
    before = [(await client.get(path)).json()["data"] for path in mine]
    for method, path, _ in OPERATIONS:
        if "{" not in path or "connector-types" in path:
            continue
        bodies = [{"json": {}}, {"json": {"nothing": 1}}] if method in {"POST", "PATCH"} else [{}]
        for body in bodies:
            answer = await stranger.request(method, _path(path, **things), **body)  # type: ignore[arg-type]
            assert answer.status_code in ({404, 400} if "json" in body else {404}), f"{method} {path} {answer.text}"
    assert [(await client.get(path)).json()["data"] for path in mine] == before
    for path in mine:
        items = (await stranger.get(path)).json()["data"]["items"]
        assert [item["id"] for item in items] == (["stranger"] if path == "/v1/users" else [])


async def test_a_key_does_not_take_over_a_fuller_key(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    own = _key(("ACCOUNT", "MANAGE"), ("CONNECTOR", "READ"))
    robot = await _system_key(client, client_with, own)
    fuller = (
        await client.post("/v1/system-keys", json={"name": "f", "permissions": _key(("CONNECTOR", "MANAGE"))})
    ).json()["data"]["id"]
    lesser = (
        await client.post("/v1/system-keys", json={"name": "l", "permissions": _key(("CONNECTOR", "READ"))})
    ).json()["data"]["id"]
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/rotate", {}),
        ("PATCH", "", {"json": {"name": "mine"}}),
        ("PATCH", "", {"json": {"permissions": _key(("CONNECTOR", "READ"))}}),
        ("DELETE", "", {}),
    ]
    for method, path, body in changes:
        assert (await robot.request(method, f"/v1/system-keys/{fuller}{path}", **body)).status_code == 403
        assert (await robot.request(method, f"/v1/system-keys/{lesser}{path}", **body)).status_code == 200
    itself = (await robot.get("/v1/account/info")).json()["data"]["system_key_id"]
    assert (await robot.post(f"/v1/system-keys/{itself}/rotate")).status_code == 200


async def test_roles_in_groups_are_given_and_taken_by_those_who_have_as_much_there(
    client: httpx.AsyncClient, client_for: ClientFor, client_with: ClientWith
) -> None:
    here, elsewhere = await _things(client, "here"), await _things(client, "elsewhere")
    ana = await client_for("ana@example.com", "")
    user_id = (await ana.get("/v1/account/info")).json()["data"]["user_id"]
    by_group, by_user = f"/v1/groups/{here['group_id']}/users", f"/v1/users/{user_id}/groups"
    full = {"email": "ana@example.com", "role": "Manage Destination"}
    view = {"email": "ana@example.com", "role": "View Destination"}

    of_destinations = await _system_key(
        client, client_with, _key(("DESTINATION", "MANAGE"), ("USER", "MANAGE")) + _key(("CONNECTOR", "READ"))
    )
    limited = _key(("DESTINATION", "MANAGE"), ("CONNECTOR", "MANAGE"), group_ids=[here["group_id"]])
    of_group = await _system_key(client, client_with, limited)

    assert (await of_destinations.post(by_group, json=full)).status_code == 403
    membership = {"id": here["group_id"], "role": "Manage Destination"}
    assert (await of_destinations.post(by_user, json=membership)).status_code == 403
    assert (await of_destinations.post(by_group, json=view)).status_code == 200
    change = {"role": "Edit Destination"}
    assert (await of_destinations.patch(f"{by_user}/{here['group_id']}", json=change)).status_code == 403
    assert (await of_destinations.delete(f"{by_group}/{user_id}")).status_code == 200

    assert (await of_group.post(by_group, json=full)).status_code == 200
    assert (await of_group.post(f"/v1/groups/{elsewhere['group_id']}/users", json=full)).status_code == 403
    for path in (f"{by_group}/{user_id}", f"{by_user}/{here['group_id']}", f"/v1/users/{user_id}"):
        assert (await of_destinations.delete(path)).status_code == 403
    assert (
        await of_destinations.patch(f"{by_user}/{here['group_id']}", json={"role": view["role"]})
    ).status_code == 403
    assert (await of_group.delete(f"{by_group}/{user_id}")).status_code == 200


async def test_certificates_need_the_permission_of_what_they_are_for(
    client: httpx.AsyncClient, client_with: ClientWith
) -> None:
    things = await _things(client, "one")
    of_connections = await _system_key(client, client_with, _key(("CONNECTOR", "MANAGE")))
    of_destinations = await _system_key(client, client_with, _key(("DESTINATION", "MANAGE")))
    for_connection = BODY_OF_A_CERTIFICATE | {"connection_id": things["connection_id"]}
    for_destination = BODY_OF_A_CERTIFICATE | {"destination_id": things["destination_id"]}
    for path in (EITHER, f"{EITHER}/"):
        for caller, body, may in [
            (of_connections, for_connection, True),
            (of_connections, for_destination, False),
            (of_connections, {**for_destination, "connection_id": None}, False),
            (of_destinations, for_destination, True),
            (of_destinations, for_connection, False),
            (of_destinations, {**for_connection, "destination_id": None}, False),
        ]:
            answer = await caller.post(path, json=body)
            assert (answer.status_code == 403) != may, answer.text
        both = await of_destinations.post(path, json={**for_connection, **for_destination})
        assert both.status_code in {400, 403}


async def test_older_names_and_slashes_open_no_door(client: httpx.AsyncClient, client_with: ClientWith) -> None:
    things = await _things(client, "one")
    robot = await _system_key(client, client_with, _key(("DESTINATION", "MANAGE")))
    connection, group = things["connection_id"], things["group_id"]
    for method, path in [
        ("GET", "/v1/connectors"),
        ("GET", f"/v1/connectors/{connection}/"),
        ("PATCH", f"/v1/connectors/{connection}"),
        ("POST", f"/v1/connectors/{connection}/force"),
        ("DELETE", f"/v1/connections/{connection}/"),
        ("GET", f"/v1/groups/{group}/connectors/"),
        ("GET", f"/v1/groups/{group}%2Fconnections"),
        ("GET", f"/v1//connections/{connection}"),
        ("HEAD", f"/v1/connections/{connection}"),
    ]:
        answer = await robot.request(method, path, **_body(method))
        assert answer.status_code == 403, f"{method} {path}"
