"""Nothing under /v1 answers without a good API key."""

import base64

import pytest

from syncline.accounts.service import create_api_key, revoke_api_key
from tests.api.conftest import Api


def _basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


async def test_a_good_key_is_known_by_its_user(api: Api) -> None:
    answer = await api.client.post("/v1/connections", json={"name": "a"})
    assert answer.status_code == 201
    assert answer.json()["data"]["user_id"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Bearer abc",
        "Basic " + base64.b64encode(b"no colon").decode(),
        _basic("unknown:secret"),
        _basic(":"),
        _basic(b"\xff\xfe:x"),
        _basic("key\x00:secret"),
        _basic("k" * 5000 + ":secret"),
        _basic("' OR 1=1 --:x"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/connections/x", "/v1/nowhere", "/v1", "/v1/connectors/x/"])
async def test_anything_else_is_401_with_a_challenge(api: Api, header: str | None, path: str) -> None:
    api.client.auth = None  # type: ignore[assignment]
    answer = await api.client.get(path, headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["code"] == "Unauthorized"
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_wrong_secret_and_an_unknown_key_answer_the_same(api: Api) -> None:
    wrong = await api.client.get("/v1/groups", auth=(api.key.key, "wrong"))
    unknown = await api.client.get("/v1/groups", auth=("A" * 16, api.key.secret))
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_a_revoked_key_is_refused_at_once_and_others_go_on(api: Api) -> None:
    other = await create_api_key(api.database, "second")
    assert (await api.client.get("/v1/groups", auth=(other.key, other.secret))).status_code == 200
    await revoke_api_key(api.database, other.key)
    assert (await api.client.get("/v1/groups", auth=(other.key, other.secret))).status_code == 401
    assert (await api.client.get("/v1/groups")).status_code == 200


async def test_the_key_is_checked_before_the_body_is_looked_at(api: Api) -> None:
    answer = await api.client.post("/v1/connections", content=b"{", auth=("A", "B"))
    assert answer.status_code == 401


async def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    header = _basic(f"{api.key.key}:{api.key.secret}").replace("Basic", "bASIC")
    api.client.auth = None  # type: ignore[assignment]
    assert (await api.client.get("/v1/groups", headers={"Authorization": header})).status_code == 200


async def test_paths_outside_the_api_need_no_key(api: Api) -> None:
    assert (await api.client.get("/outside", auth=None)).status_code == 200
