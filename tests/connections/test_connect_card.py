"""Connect Cards: the link and its token."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.fernet import Fernet

from syncline.connections.connect_card import ConnectCardTokenError, make_connect_card, verify_connect_card_token
from syncline.settings import Settings
from syncline.store.models import Connection
from syncline.store.sealing import Sealer, load_sealer
from tests.connections.support import create

CONFIG = {"redirect_uri": "https://your.site/path?a=b", "hide_setup_guide": True}
CONNECTION = Connection(id="conn", account_id="acc")


def sealer() -> Sealer:
    return Sealer([Fernet.generate_key().decode()])


async def test_a_card_is_made_for_one_connection(
    client: httpx.AsyncClient, body: dict[str, Any], settings: Settings
) -> None:
    data = await create(client, body)
    assert "connect_card" not in data
    url = f"/v1/connections/{data['id']}/connect-card"
    response = await client.post(url, json={"connect_card_config": CONFIG | {"all_fields": True}})
    assert response.status_code == 200, response.text
    card = response.json()["data"]
    assert card["connector_id"] == data["id"]
    assert card["connect_card_config"] == CONFIG | {"all_fields": True}
    uri = urlsplit(card["connect_card"]["uri"])
    assert (uri.path, uri.hostname) == ("/connect-card/setup", "127.0.0.1")
    assert parse_qs(uri.query) == {
        "auth": [card["connect_card"]["token"]],
        "redirect_uri": [CONFIG["redirect_uri"]],
        "hide_setup_guide": ["true"],
    }
    grant = verify_connect_card_token(card["connect_card"]["token"], load_sealer(settings))
    assert (grant.connection_id, grant.redirect_uri) == (data["id"], CONFIG["redirect_uri"])
    assert grant.hide_setup_guide
    assert grant.all_fields
    assert timedelta(hours=23, minutes=59) < grant.expires_at - datetime.now(UTC) <= timedelta(days=1)
    older = await client.post(f"/v1/connectors/{data['id']}/connect-card", json={"connect_card_config": CONFIG})
    assert older.json()["data"]["connect_card_config"] == CONFIG


@pytest.mark.parametrize(
    ("request_body", "words"),
    [
        ({}, "connect_card_config"),
        ({"connect_card_config": {}}, "redirect_uri"),
        ({"connect_card_config": {"redirect_uri": "javascript:alert(1)"}}, "https://"),
        ({"connect_card_config": CONFIG | {"colour": "red"}}, "colour"),
        ({"connect_card_config": CONFIG, "user": "me"}, "user"),
    ],
)
async def test_a_card_needs_a_place_to_go_back_to(
    client: httpx.AsyncClient, body: dict[str, Any], request_body: dict[str, Any], words: str
) -> None:
    data = await create(client, body)
    response = await client.post(f"/v1/connections/{data['id']}/connect-card", json=request_body)
    assert response.status_code == 400
    assert words in response.json()["message"]


async def test_no_card_for_a_connection_that_is_not_there(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/connections/nowhere/connect-card", json={"connect_card_config": CONFIG})
    assert (response.status_code, response.json()["code"]) == (404, "NotFound_Connection")


def test_only_a_token_of_this_server_within_its_day_is_believed() -> None:
    ours, now = sealer(), datetime.now(UTC)
    token = make_connect_card(CONNECTION, CONFIG, ours, "http://h", now - timedelta(hours=23, minutes=59)).token
    assert verify_connect_card_token(token, ours).account_id == "acc"
    with pytest.raises(ConnectCardTokenError, match="not valid"):
        verify_connect_card_token(token, sealer())
    head, claims, signature = token.split(".")
    for forged in (f"{head}.{claims}x.{signature}", f"{head}.{claims}.", "", "x", token[:-4] + "AAAA"):
        with pytest.raises(ConnectCardTokenError, match="not valid"):
            verify_connect_card_token(forged, ours)
    unsigned = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "", algorithm="none")
    with pytest.raises(ConnectCardTokenError, match="not valid"):
        verify_connect_card_token(unsigned, ours)
    late = make_connect_card(CONNECTION, CONFIG, ours, "http://h", now - timedelta(days=1, seconds=1)).token
    with pytest.raises(ConnectCardTokenError, match="expired"):
        verify_connect_card_token(late, ours)


def test_a_token_made_for_something_else_is_not_believed() -> None:
    ours = sealer()
    claims = jwt.decode(
        make_connect_card(CONNECTION, CONFIG, ours, "http://h", datetime.now(UTC)).token,
        options={"verify_signature": False},
    )
    other = jwt.encode(claims | {"aud": "something-else"}, ours.derive_key("connect-card"), algorithm="HS256")
    incomplete = jwt.encode({"aud": "connect-card", "sub": "c"}, ours.derive_key("connect-card"), algorithm="HS256")
    for token in (other, incomplete):
        with pytest.raises(ConnectCardTokenError):
            verify_connect_card_token(token, ours)
