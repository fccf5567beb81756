"""Groups over HTTP."""

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import Group
from syncline.store.sealing import load_sealer


async def test_a_new_group_is_answered_and_can_be_retrieved(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/groups", json={"name": "Sales Team"})
    assert answer.status_code == 201
    group = answer.json()["data"]
    assert group.keys() == {"id", "name", "created_at"}
    assert group["name"] == "Sales Team"
    assert group["created_at"].endswith("Z")
    retrieved = await client.get(f"/v1/groups/{group['id']}")
    assert retrieved.status_code == 200
    assert retrieved.json()["data"] == group


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "`name` is missing"),
        ({"name": ""}, "`name` is empty"),
        ({"name": "   "}, "`name` is empty"),
        ({"name": " a"}, "`name` begins or ends with white space"),
        ({"name": "a\nb"}, "`name` holds a character that cannot be printed"),
        ({"name": "a" * 201}, "`name`"),
        ({"name": 5}, "`name` must be text, not a number (got 5)"),
        ({"name": "a", "color": "red"}, "`color` is not a field of this request"),
    ],
)
async def test_a_bad_name_is_refused(client: httpx.AsyncClient, body: dict[str, object], named: str) -> None:
    answer = await client.post("/v1/groups", json=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "InvalidInput"
    assert named in answer.json()["message"]


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/groups", json={"name": "one"})).status_code == 201
    answer = await client.post("/v1/groups", json={"name": "one"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "Conflict"
    assert "'one'" in answer.json()["message"]


async def test_groups_are_listed_in_pages(client: httpx.AsyncClient) -> None:
    made = {(await client.post("/v1/groups", json={"name": f"group {n}"})).json()["data"]["id"] for n in range(5)}
    listed: list[str] = []
    parameters = {"limit": "2"}
    sizes = []
    while True:
        data = (await client.get("/v1/groups/", params=parameters)).json()["data"]
        sizes.append(len(data["items"]))
        listed += [group["id"] for group in data["items"]]
        if "next_cursor" not in data:
            break
        parameters["cursor"] = data["next_cursor"]
    assert sizes == [2, 2, 1]
    assert len(listed) == 5
    assert set(listed) == made
    assert len((await client.get("/v1/groups", params={"limit": 5})).json()["data"]["items"]) == 5


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "ten", "", "9" * 50, "٣"])
async def test_a_bad_limit_is_refused(client: httpx.AsyncClient, limit: str) -> None:
    answer = await client.get("/v1/groups", params={"limit": limit})
    assert answer.status_code == 400
    assert "`limit`" in answer.json()["message"]


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "eyJhZnRlciI6IDF9", "W1tbW1tbW1s", "é"])
async def test_a_bad_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/groups", params={"cursor": cursor})
    assert answer.status_code == 400
    assert "`cursor`" in answer.json()["message"]


async def test_an_unknown_group_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/groups/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == "NotFound_Group"


async def test_each_group_has_a_key_pair_with_its_private_half_sealed(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    identifier = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    public_line = (await client.get(f"/v1/groups/{identifier}/public-key")).json()["data"]["public_key"]
    assert public_line.startswith("ssh-ed25519 ")
    database = Database(settings.store_url)
    async with database.session(read_only=True) as session:
        sealed = (await session.get_one(Group, identifier)).sealed_private_key
    await database.close()
    assert "PRIVATE KEY" not in sealed
    private = load_ssh_private_key(load_sealer(settings).open(sealed).encode(), None)
    public = load_ssh_public_key(public_line.encode())
    assert private.public_key() == public
