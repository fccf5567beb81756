"""What a key may do follows from its user's roles."""

import httpx
import pytest

from tests.accounts.conftest import ClientFor

READING = [
    ("GET", "/v1/groups"),
    ("GET", "/v1/groups/{group}"),
    ("GET", "/v1/groups/{group}/users"),
    ("GET", "/v1/groups/{group}/connections"),
    ("GET", "/v1/connections"),
    ("GET", "/v1/connections/{connection}"),
    ("GET", "/v1/metadata/connectors/{connection}/tables"),
    ("GET", "/v1/users"),
    ("GET", "/v1/roles"),
    ("GET", "/v1/system-keys"),
]
OPERATING = [
    ("POST", "/v1/groups"),
    ("PATCH", "/v1/groups/{group}"),
    ("POST", "/v1/groups/{group}/users"),
    ("POST", "/v1/destinations"),
    ("DELETE", "/v1/groups/{group}"),
    ("POST", "/v1/connections"),
    ("POST", "/v1/connections/{connection}/sync"),
    ("POST", "/v1/connectors/{connection}/test"),
    ("DELETE", "/v1/connections/{connection}"),
]
ADMINISTERING = [
    ("POST", "/v1/users"),
    ("PATCH", "/v1/users/x"),
    ("DELETE", "/v1/users/x"),
    ("POST", "/v1/system-keys"),
    ("POST", "/v1/system-keys/x/rotate"),
    ("DELETE", "/v1/system-keys/x"),
    ("GET", "/v1/something-new"),
]


async def _things(client: httpx.AsyncClient) -> dict[str, str]:
    """A group with a connection, made by the administrator."""
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    body = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}, "run_setup_tests": False}
    connection = (await client.post("/v1/connections", json=body)).json()["data"]
    return {"group": group_id, "connection": connection["id"]}


async def _refused(client: httpx.AsyncClient, requests: list[tuple[str, str]], things: dict[str, str]) -> list[str]:
    """The requests that are forbidden. None carries a good body, so that those that may pass change little."""
    refused = []
    for method, path in requests:
        body = {"json": {"nothing": 1}} if method in {"POST", "PATCH"} else {}
        answer = await client.request(method, path.format(**things), **body)  # type: ignore[arg-type]
        if answer.status_code == 403:
            assert answer.json()["code"] == "Forbidden"
            refused.append(f"{method} {path}")
    return refused


def _named(requests: list[tuple[str, str]]) -> list[str]:
    return [f"{method} {path}" for method, path in requests]


@pytest.mark.parametrize(
    ("role", "allowed", "forbidden"),
    [
        ("Account Administrator", [*READING, *OPERATING, *ADMINISTERING], []),
        ("Account Analyst", [*READING, *OPERATING], ADMINISTERING[:-1]),
        ("Account Reviewer", READING, [*OPERATING, *ADMINISTERING[:-1]]),
        ("", [], [*READING, *OPERATING, *ADMINISTERING]),
    ],
)
async def test_roles_in_the_account(
    client: httpx.AsyncClient,
    client_for: ClientFor,
    role: str,
    allowed: list[tuple[str, str]],
    forbidden: list[tuple[str, str]],
) -> None:
    things = await _things(client)
    user = await client_for("ana@example.com", role)
    assert await _refused(user, allowed, things) == []
    if allowed != [*READING, *OPERATING, *ADMINISTERING]:
        assert await _refused(user, forbidden, things) == _named(forbidden)
    assert (await user.get("/v1/account/info")).status_code == 200


async def test_what_is_forbidden_says_why_and_changes_nothing(client: httpx.AsyncClient, client_for: ClientFor) -> None:
    things = await _things(client)
    user = await client_for("ana@example.com", "Account Reviewer")
    answer = await user.delete(f"/v1/connections/{things['connection']}")
    assert answer.status_code == 403
    message = answer.json()["message"]
    assert "Account Reviewer" in message
    assert "manage CONNECTOR" in message
    assert (await client.get(f"/v1/connections/{things['connection']}")).json()["data"]["paused"] is False


async def test_a_new_role_counts_at_once(client: httpx.AsyncClient, client_for: ClientFor) -> None:
    user = await client_for("ana@example.com", "Account Reviewer")
    identifier = (await user.get("/v1/account/info")).json()["data"]["user_id"]
    assert (await user.post("/v1/groups", json={"name": "one"})).status_code == 403
    await client.patch(f"/v1/users/{identifier}", json={"role": "Account Analyst"})
    assert (await user.post("/v1/groups", json={"name": "one"})).status_code == 201


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("Manage Destination", {"see", "create", "sync", "delete", "edit", "users"}),
        ("Destination Administrator", {"see", "create", "sync", "delete", "edit", "users"}),
        ("Edit Destination", {"see", "create", "sync", "delete", "edit"}),
        ("Create Connection", {"see", "create"}),
        ("View Destination", {"see"}),
    ],
)
async def test_roles_in_a_group_count_there_alone(
    client: httpx.AsyncClient, client_for: ClientFor, role: str, may: set[str]
) -> None:
    things = await _things(client)
    other = (await client.post("/v1/groups", json={"name": "other"})).json()["data"]["id"]
    user = await client_for("ana@example.com", "")
    body = {"email": "ana@example.com", "role": role}
    assert (await client.post(f"/v1/groups/{things['group']}/users", json=body)).status_code == 200

    new = {"group_id": things["group"], "service": "azure_service_bus", "run_setup_tests": False}
    answers = {
        "see": await user.get(f"/v1/connections/{things['connection']}"),
        "create": await user.post("/v1/connections", json={**new, "config": {"schema": "another"}}),
        "edit": await user.patch(f"/v1/groups/{things['group']}", json={"name": "renamed"}),
        "users": await user.post(f"/v1/groups/{things['group']}/users", json={"email": "owner@localhost"}),
        "sync": await user.post(f"/v1/connections/{things['connection']}/sync"),
        "delete": await user.delete(f"/v1/connections/{things['connection']}"),
    }
    assert {name for name, answer in answers.items() if answer.status_code != 403} == may
    listed = await user.get("/v1/connections", params={"group_id": things["group"]})
    assert listed.status_code == 200

    elsewhere = [
        await user.get(f"/v1/groups/{other}"),
        await user.get(f"/v1/groups/{other}/connections"),
        await user.post("/v1/connections", json={**new, "group_id": other, "config": {"schema": "another"}}),
        await user.get("/v1/connections"),
        await user.get("/v1/groups"),
        await user.get("/v1/connections/unknown"),
    ]
    assert {answer.status_code for answer in elsewhere} == {403}


async def test_naming_an_own_group_beside_the_point_opens_nothing(
    client: httpx.AsyncClient, client_for: ClientFor
) -> None:
    things = await _things(client)
    own = (await client.post("/v1/groups", json={"name": "own"})).json()["data"]["id"]
    user = await client_for("ana@example.com", "")
    await client.post(f"/v1/groups/{own}/users", json={"email": "ana@example.com", "role": "Manage Destination"})
    assert (await user.get("/v1/connections", params={"group_id": own})).status_code == 200
    header = {"Content-Type": "application/json"}
    body = f'{{"group_id": "{own}"}}'
    stranger = {"hash": "x", "encoded_cert": "x", "destination_id": own, "connection_id": things["connection"]}
    answers = [
        await user.request("GET", "/v1/connections", content=body, headers=header),
        await user.request("GET", f"/v1/connections?group_id={things['group']}", content=body, headers=header),
        await user.get(f"/v1/connections?group_id={own}&group_id={things['group']}"),
        await user.get(f"/v1/destinations?group_id={own}"),
        await user.get(f"/v1/groups?group_id={own}"),
        await user.post("/v1/groups", json={"name": "more", "group_id": own}),
        await user.request("DELETE", f"/v1/connections/{things['connection']}", content=body, headers=header),
        await user.get(f"/v1/connections/{things['connection']}?group_id={own}"),
        await user.post("/v1/certificates", json=stranger),
    ]
    assert [answer.status_code for answer in answers] == [403] * len(answers)
    both = await user.get(f"/v1/connections?group_id={things['group']}&group_id={own}")
    assert both.json()["data"]["items"] == []
