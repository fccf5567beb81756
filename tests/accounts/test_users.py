"""The account and its users over HTTP, on either store."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from syncline.settings import Settings
from tests.accounts.conftest import ClientFor

ANA = {"email": "ana@example.com", "given_name": "Ana", "family_name": "Diaz"}


@pytest.fixture
def settings(either_settings: Settings) -> Settings:
    return either_settings


async def _owner(client: httpx.AsyncClient) -> str:
    return str((await client.get("/v1/account/info")).json()["data"]["user_id"])


async def test_a_key_tells_whom_it_stands_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/account/info")
    assert answer.status_code == 200
    info = answer.json()["data"]
    assert info.keys() == {"account_id", "account_name", "user_id"}
    owner = (await client.get(f"/v1/users/{info['user_id']}")).json()["data"]
    assert owner["role"] == "Account Administrator"
    assert (owner["verified"], owner["invited"], owner["active"]) == (True, False, True)
    assert owner["logged_in_at"] is None
    assert [user["id"] for user in (await client.get("/v1/users")).json()["data"]["items"]] == [info["user_id"]]


async def test_an_invited_user_is_answered_listed_and_changed(client: httpx.AsyncClient) -> None:
    body = {**ANA, "phone": "+34 600", "picture": "https://example.com/ana.png", "role": "Account Reviewer"}
    answer = await client.post("/v1/users", json=body)
    assert answer.status_code == 201
    user = answer.json()["data"]
    assert answer.json()["message"] == "User has been created"
    assert {name: user[name] for name in body} == body
    assert (user["verified"], user["invited"], user["active"]) == (False, True, True)
    assert (await client.get(f"/v1/users/{user['id']}")).json()["data"] == user
    assert user in (await client.get("/v1/users?active=true")).json()["data"]["items"]
    assert (await client.get("/v1/users?active=false")).json()["data"]["items"] == []

    changes = {"family_name": "Ruiz", "phone": None, "role": "Account Analyst"}
    changed = await client.patch(f"/v1/users/{user['id']}", json=changes)
    assert changed.status_code == 200
    assert changed.json()["data"] == {**user, **changes}
    assert (await client.get(f"/v1/users/{user['id']}")).json()["data"] == {**user, **changes}


async def test_an_address_is_taken_once_in_any_case(client: httpx.AsyncClient) -> None:
    await client.post("/v1/users", json=ANA)
    answer = await client.post("/v1/users", json={**ANA, "email": "ANA@example.com"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "Conflict"
    several = [client.post("/v1/users", json={**ANA, "email": "bob@example.com"}) for _ in range(4)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*several))
    assert statuses == [201, 409, 409, 409]


async def test_a_deleted_user_is_gone_and_what_was_made_names_them_still(
    client: httpx.AsyncClient, client_for: ClientFor
) -> None:
    ana = await client_for("ana@example.com", "Account Analyst")
    identifier = await _owner(ana)
    group_id = (await ana.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    connection = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}}
    made = (await ana.post("/v1/connections", json={**connection, "run_setup_tests": False})).json()["data"]
    assert made["connected_by"] == identifier
    assert await _roles(client, group_id) == {"ana@example.com": "Manage Destination"}

    answer = await client.delete(f"/v1/users/{identifier}")
    assert answer.status_code == 200
    assert answer.json() == {"code": "Success", "message": f"User with id '{identifier}' has been deleted"}
    assert (await client.get(f"/v1/users/{identifier}")).status_code == 404
    assert (await client.delete(f"/v1/users/{identifier}")).json()["code"] == "NotFound_User"
    assert (await ana.get("/v1/account/info")).status_code == 401
    assert len((await client.get("/v1/users")).json()["data"]["items"]) == 1
    assert (await client.get(f"/v1/groups/{group_id}/users")).json()["data"]["items"] == []
    assert (await client.get(f"/v1/connections/{made['id']}")).json()["data"]["connected_by"] == identifier
    again = await client.post("/v1/users", json=ANA)
    assert again.status_code == 201
    assert again.json()["data"]["id"] != identifier


async def _roles(client: httpx.AsyncClient, group_id: str) -> dict[str, str]:
    users = (await client.get(f"/v1/groups/{group_id}/users")).json()["data"]["items"]
    return {user["email"]: user["role"] for user in users}


async def test_who_makes_a_group_is_a_user_of_it_but_a_system_key_is_not(
    client: httpx.AsyncClient, client_with: Callable[[str, str], httpx.AsyncClient]
) -> None:
    made = (await client.post("/v1/groups", json={"name": "by a person"})).json()["data"]
    assert await _roles(client, made["id"]) == {"owner@localhost": "Manage Destination"}
    permissions = [{"resource_type": "DESTINATION", "access_level": "MANAGE"}]
    key = (await client.post("/v1/system-keys", json={"name": "k", "permissions": permissions})).json()["data"]
    system = client_with(key["key"], key["secret"])
    made = (await system.post("/v1/groups", json={"name": "by a key"})).json()["data"]
    assert await _roles(client, made["id"]) == {}


async def test_an_administrator_stays(client: httpx.AsyncClient, client_for: ClientFor) -> None:
    owner = await _owner(client)
    answer = await client.delete(f"/v1/users/{owner}")
    assert (answer.status_code, answer.json()["code"]) == (400, "IllegalState")
    own = await client.patch(f"/v1/users/{owner}", json={"role": "Account Reviewer"})
    assert (own.status_code, own.json()["code"]) == (400, "InvalidInput")
    other = await client_for("ana@example.com", "Account Administrator")
    both = [client.delete(f"/v1/users/{await _owner(other)}"), other.delete(f"/v1/users/{owner}")]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*both))
    assert statuses[0] == 200
    assert statuses[1] in {400, 401, 404}


async def test_an_unknown_user_is_not_found(client: httpx.AsyncClient) -> None:
    answers = [
        await client.get("/v1/users/nobody"),
        await client.patch("/v1/users/nobody", json={}),
        await client.delete("/v1/users/nobody"),
    ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "NotFound_User")}


async def test_users_of_a_group_are_added_listed_in_pages_and_removed(client: httpx.AsyncClient) -> None:
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    path = f"/v1/groups/{group_id}/users"
    for number in range(3):
        await client.post("/v1/users", json={**ANA, "email": f"user{number}@example.com"})
        body = {"email": f"USER{number}@example.com", "role": "Destination Administrator"}
        answer = await client.post(path, json=body)
        assert answer.json() == {"code": "Success", "message": "User has been added to the group"}
    first = (await client.get(path, params={"limit": 2})).json()["data"]
    rest = (await client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()["data"]
    assert "next_cursor" not in rest
    items = first["items"] + rest["items"]
    added = {f"user{number}@example.com": "Destination Administrator" for number in range(3)}
    assert {item["email"]: item["role"] for item in items} == {"owner@localhost": "Manage Destination"} | added

    again = await client.post(path, json={"email": "user0@example.com"})
    assert (again.status_code, again.json()["code"]) == (409, "Conflict")
    stranger = await client.post(path, json={"email": "stranger@example.com"})
    assert (stranger.status_code, stranger.json()["code"]) == (404, "NotFound_User")
    nowhere = await client.post("/v1/groups/nothing/users", json={"email": "user0@example.com"})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "NotFound_Group")
    assert (await client.get("/v1/groups/nothing/users")).status_code == 404

    removed = items[0]["id"]
    answer = await client.delete(f"{path}/{removed}")
    assert answer.json()["message"] == f"User with id '{removed}' has been removed from the group"
    assert len((await client.get(path)).json()["data"]["items"]) == 3
    assert (await client.delete(f"{path}/{removed}")).json()["code"] == "NotFound_User"
    assert (await client.get(f"/v1/users/{removed}")).status_code == 200
    assert (await client.delete(f"/v1/groups/{group_id}")).status_code == 200


async def test_groups_of_a_user_are_added_changed_and_removed(client: httpx.AsyncClient, client_for: ClientFor) -> None:
    ana = await client_for("ana@example.com", "")
    user_id = await _owner(ana)
    path = f"/v1/users/{user_id}/groups"
    group_ids = [(await client.post("/v1/groups", json={"name": name})).json()["data"]["id"] for name in ("a", "b")]
    for group_id in group_ids:
        answer = await client.post(path, json={"id": group_id, "role": "View Destination"})
        assert answer.status_code == 201
        assert answer.json()["message"] == "Group membership has been created"
        assert (await client.get(f"{path}/{group_id}")).json()["data"] == answer.json()["data"]
    listed = (await client.get(path, params={"limit": 1})).json()["data"]
    rest = (await client.get(path, params={"cursor": listed["next_cursor"]})).json()["data"]
    assert {item["id"] for item in listed["items"] + rest["items"]} == set(group_ids)
    assert (await ana.patch(f"/v1/groups/{group_ids[0]}", json={"name": "new"})).status_code == 403

    changed = await client.patch(f"{path}/{group_ids[0]}", json={"role": "Manage Destination"})
    assert changed.json() == {"code": "Success", "message": "Group membership has been updated"}
    assert (await ana.patch(f"/v1/groups/{group_ids[0]}", json={"name": "new"})).status_code == 200
    assert (await client.patch(f"{path}/{group_ids[0]}", json={})).status_code == 200
    removed = await client.delete(f"{path}/{group_ids[0]}")
    assert removed.json()["message"] == "Group membership has been deleted"
    assert (await ana.get(f"/v1/groups/{group_ids[0]}")).status_code == 403

    again = await client.post(path, json={"id": group_ids[1], "role": "View Destination"})
    assert (again.status_code, again.json()["code"]) == (409, "Conflict")
    for answer, code in [
        (await client.get(f"{path}/{group_ids[0]}"), "NotFound_Group"),
        (await client.patch(f"{path}/{group_ids[0]}", json={}), "NotFound_Group"),
        (await client.delete(f"{path}/{group_ids[0]}"), "NotFound_User"),
        (await client.post(path, json={"id": "nothing", "role": "View Destination"}), "NotFound_Group"),
        (await client.get("/v1/users/nobody/groups"), "NotFound_User"),
        (
            await client.post("/v1/users/nobody/groups", json={"id": group_ids[0], "role": "View Destination"}),
            "NotFound_User",
        ),
    ]:
        assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_a_role_in_the_account_is_taken_away(client: httpx.AsyncClient, client_for: ClientFor) -> None:
    ana = await client_for("ana@example.com", "Account Analyst")
    user_id = await _owner(ana)
    answer = await client.delete(f"/v1/users/{user_id}/role")
    assert answer.json() == {"code": "Success", "message": "User role in account has been removed"}
    assert (await client.get(f"/v1/users/{user_id}")).json()["data"]["role"] is None
    assert (await ana.get("/v1/groups")).status_code == 403
    assert (await client.delete("/v1/users/nobody/role")).json()["code"] == "NotFound_User"
    assert (await client.delete(f"/v1/users/{await _owner(client)}/role")).status_code == 400
