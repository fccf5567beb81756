"""Bodies that are not what they should be, and what the answer says about them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.api.bodies import MOST_BYTES, parse_body
from syncline.api.errors import InvalidInput
from tests.api.conftest import Api

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "body"),
        (b"   ", "JSON"),
        (b"{", "JSON"),
        (b'{"name": "a",}', "JSON"),
        (b"{'name': 'a'}", "JSON"),
        (b'{"name": "a"} x', "JSON"),
        (b"[]", "a list"),
        (b'"text"', "text"),
        (b"12", "a number"),
        (b"true", "true or false"),
        (b"null", "null"),
        (b'{"name": "a", "name": "b"}', "`name`"),
        (b'{"name": "a", "config": {"x": 1, "x": 2}}', "`x`"),
        (b'{"name": "a", "ratio": NaN}', "NaN"),
        (b'{"name": "a", "ratio": -Infinity}', "-Infinity"),
        (b'{"name": "a", "ratio": 1e999}', "1e999"),
        (b'{"name": "a", "count": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"name": "a"}', "BOM"),
        ('{"name": "a"}'.encode("utf-16"), "UTF-8"),
        (b'{"name": "\\ud800"}', "`name`"),
        (b'{"name": "a", "config": {"x": ["\\u0000"]}}', "`config.x[0]`"),
        (b'{"name": "a", "config": {"\\u0000": 1}}', "`config.(a field's name)`"),
        (b'{"name": "a", "config": ' + b'{"a":' * 100 + b"1" + b"}" * 101, "levels deep"),
        (b"[" * 100_000, "levels deep"),
        (b'{"a":' * 100_000, "levels deep"),
        (b'{"config": {}}', "`name` is missing"),
        (b'{"name": 1}', "`name` must be text, not a number (got 1)"),
        (b'{"name": null}', "`name` must be text, not null"),
        (b'{"name": {"password": "hidden"}}', "`name` must be text, not an object"),
        (b'{"name": "a", "count": "1"}', "`count` must be a whole number, not text"),
        (b'{"name": "a", "count": 1.5}', "`count` must be a whole number"),
        (b'{"name": "a", "active": "true"}', "`active` must be true or false, not text"),
        (b'{"name": "a", "active": 1}', "`active` must be true or false"),
        (b'{"name": "a", "color": "blue"}', "`color` must be one of red, green"),
        (b'{"name": "a", "color": "RED"}', "did you mean red?"),
        (b'{"name": "a", "tags": "x"}', "`tags` must be a list, not text"),
        (b'{"name": "a", "tags": ["x", 2]}', "`tags[1]` must be text"),
        (b'{"name": "a", "config": []}', "`config` must be an object of fields, not a list"),
        (b'{"name": "a", "colour": "hidden"}', "`colour` is not a field of this request: did you mean `color`?"),
        (b'{"name": "a", "zzz": "hidden"}', "its fields are name, count"),
    ],
)
async def test_a_bad_body_is_400_and_named(api: Api, body: bytes, named: str) -> None:
    answer = await api.client.post("/v1/connections", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "InvalidInput"
    assert named in answer.json()["message"]
    assert "hidden" not in answer.text


async def test_several_findings_are_told_at_once(api: Api) -> None:
    answer = await api.client.post("/v1/connections", json={"count": "x", "active": 3})
    assert {"`name`", "`count`", "`active`"} <= set(answer.json()["message"].split())


async def test_a_body_over_the_limit_is_413_announced_or_not(api: Api) -> None:
    body = b'{"name": "' + b"a" * MOST_BYTES + b'"}'

    async def in_parts():  # type: ignore[no-untyped-def]
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for content in (body, in_parts()):
        answer = await api.client.post("/v1/connections", content=content, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["code"] == "InvalidInput"


async def test_a_call_that_needs_no_body_takes_none(api: Api) -> None:
    assert (await api.client.post("/v1/connections/x/sync")).json()["message"] == "no body"
    assert (await api.client.post("/v1/connections/x/sync", headers=JSON)).json()["message"] == "no body"
    assert (await api.client.post("/v1/connections/x/sync", json={"name": "a"})).json()["message"] == "a"


async def test_unicode_goes_through(api: Api) -> None:
    name = "żółw 🐢 \u2028"
    answer = await api.client.post("/v1/connections", json={"name": name})
    assert answer.json()["data"]["values"]["name"] == name


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_bytes_of_any_kind_are_an_object_or_invalid_input(body: bytes) -> None:
    try:
        assert isinstance(parse_body(body), dict)
    except InvalidInput as error:
        error.message.encode()


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
def test_what_parses_is_what_json_says(value: dict[str, object]) -> None:
    try:
        assert parse_body(json.dumps(value).encode()) == value
    except InvalidInput:
        assert "\\u0000" in json.dumps(value)
