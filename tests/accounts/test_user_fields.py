"""Every field of a user is looked at."""

import httpx

ANA = {"email": "ana@example.com", "given_name": "Ana", "family_name": "Diaz"}


BAD_FIELDS: list[tuple[dict[str, object], str]] = [
    ({"email": None}, "`email`"),
    ({"email": "ana"}, "`email` is not an e-mail address"),
    ({"email": "a b@example.com"}, "`email` is not an e-mail address"),
    ({"email": "a" * 250 + "@example.com"}, "`email`"),
    ({"given_name": " "}, "`given_name` is empty"),
    ({"family_name": 5}, "`family_name` must be text"),
    ({"phone": "1\n2"}, "`phone` holds a character"),
    ({"picture": "javascript:alert(1)"}, "`picture` is not a picture"),
    ({"role": "Owner"}, "`role` is not a role in the account"),
    ({"role": "Manage Destination"}, "`role` is not a role in the account"),
    ({"roll": "x"}, "`roll` is not a field of this request: did you mean `role`?"),
]


async def test_a_bad_invitation_is_refused(client: httpx.AsyncClient) -> None:
    for change, named in BAD_FIELDS:
        answer = await client.post("/v1/users", json={**ANA, **change})
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
        assert named in answer.json()["message"]


async def test_a_bad_change_is_refused(client: httpx.AsyncClient) -> None:
    user = (await client.post("/v1/users", json=ANA)).json()["data"]
    for body in ({"email": "new@example.com"}, {"given_name": ""}, {"role": ""}, {"active": False}):
        answer = await client.patch(f"/v1/users/{user['id']}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidInput")
    assert (await client.get(f"/v1/users/{user['id']}")).json()["data"] == user


async def test_a_role_in_a_group_must_be_one(client: httpx.AsyncClient) -> None:
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    body = {"email": "owner@localhost", "role": "Account Reviewer"}
    answer = await client.post(f"/v1/groups/{group_id}/users", json=body)
    assert answer.status_code == 400
    assert "Manage Destination" in answer.json()["message"]


async def test_a_user_without_a_role_in_the_account_is_answered_with_null(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/users", json=ANA)).json()["data"]["role"] is None


async def test_roles_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/roles", params={"limit": 5})).json()["data"]
    rest = (await client.get("/v1/roles", params={"cursor": first["next_cursor"]})).json()["data"]
    assert len(first["items"]) == 5
    assert "next_cursor" not in rest
    roles = {role["name"]: role for role in first["items"] + rest["items"]}
    assert {"Account Administrator", "Account Analyst", "Account Reviewer", "Manage Destination"} <= roles.keys()
    assert roles["Account Reviewer"]["scope"] == ["ACCOUNT"]
    assert roles["Destination Administrator"]["is_deprecated"]
    assert roles["Destination Administrator"]["replacement_role_name"] == "Manage Destination"
    assert roles["Manage Destination"]["replacement_role_name"] is None
