"""Which Accept and Content-Type headers are taken."""

import pytest

from tests.api.conftest import Api


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/json;version=1",
        "application/json;version=2",
        "application/json; version=2",
        "Application/JSON ; Version=2",
        "application/*",
        "",
        "text/html, application/json;q=0.9, */*;q=0.1",
        "application/json, text/plain, */*",
        "application/json;charset=utf-8",
    ],
)
async def test_acceptable(api: Api, accept: str) -> None:
    answer = await api.client.get("/v1/connections/x", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml",
        "application/json;version=3",
        "application/json;version=",
        "application/json;q=0",
        "text/html, application/json;version=9",
        "json",
        ";;;",
    ],
)
async def test_not_acceptable(api: Api, accept: str) -> None:
    answer = await api.client.get("/v1/connections/x", headers={"Accept": accept})
    assert answer.status_code == 406
    assert answer.json()["code"] == "NotAcceptable"
    assert accept in answer.json()["message"]


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json;version=2", "application/json; charset=utf-8", "APPLICATION/JSON"],
)
async def test_bodies_of_json(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert (await api.client.post("/v1/connections", content=b'{"name":"a"}', headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "application/merge-patch+json", "a"],
)
async def test_bodies_of_other_types(api: Api, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    answer = await api.client.post("/v1/connections", content=b'{"name":"a"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] == "UnsupportedMediaType"
