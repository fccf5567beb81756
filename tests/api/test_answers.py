"""Envelope, errors, request identifiers, older names and paths."""

import io
import json
import logging

import pytest

from syncline.logs import configure_logging
from syncline.settings import Settings
from tests.api.conftest import Api


async def test_success_stands_in_the_envelope(api: Api) -> None:
    answer = await api.client.post("/v1/connections", json={"name": "a"})
    body = answer.json()
    assert (body["code"], body["message"]) == ("Success", "Made.")
    assert body["data"]["at"] == "2026-01-02T03:04:05.000000Z"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nowhere", 404, "NotFound"),
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", "/v1/groups/missing", 404, "NotFound_Group"),
        ("GET", "/v1/groups/%00", 404, "NotFound"),
        ("GET", "/v1/groups/%ff", 404, "NotFound_Group"),
        ("GET", "/v1/groups/%0a", 404, "NotFound"),
        ("PUT", "/v1/groups/x", 405, "MethodNotAllowed"),
        ("PUT", "/v1/connections/x", 405, "MethodNotAllowed"),
        ("GET", "/v1/fail/state", 400, "IllegalState"),
        ("GET", "/v1/fail/slow-down", 429, "TooManyRequests"),
    ],
)
async def test_errors_stand_in_the_envelope(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = await api.client.request(method, path)
    assert answer.status_code == status
    assert answer.json().keys() == {"code", "message"}
    assert answer.json()["code"] == code


async def test_errors_carry_their_headers(api: Api) -> None:
    assert (await api.client.get("/v1/fail/slow-down")).headers["Retry-After"] == "7"
    assert (await api.client.put("/v1/groups")).headers["Allow"] == "GET, POST"


async def test_what_nobody_expected_is_logged_and_not_shown(api: Api, settings: Settings) -> None:
    before = logging.getLogger().handlers
    stream = io.StringIO()
    configure_logging(settings, stream)
    try:
        answer = await api.client.get("/v1/fail/badly")
    finally:
        logging.getLogger().handlers = before
    request_id = answer.headers["X-Request-Id"]
    assert answer.status_code == 500
    assert answer.json()["code"] == "InternalError"
    assert request_id in answer.json()["message"]
    assert "do-not-show" not in answer.text
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    failure = next(line for line in lines if line["event"] == "request failed unexpectedly")
    assert failure["request_id"] == request_id
    assert "RuntimeError" in failure["exception"]
    assert "do-not-show" not in stream.getvalue()
    access = next(line for line in lines if line["event"] == "request")
    assert (access["method"], access["path"], access["status"]) == ("GET", "/v1/fail/badly", 500)
    assert access["duration_ms"] >= 0


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/connections/abc/", "abc"),
        ("/v1/connectors/abc", "abc"),
        ("/v1/connectors/abc/", "abc"),
        ("/v1/connectors/connectors", "connectors"),
        ("/v1/groups/abc/connectors", "abc"),
        ("/v1/groups/abc/connections/", "abc"),
        ("/v1/metadata/connectors", "all types"),
        ("/v1/metadata/connectors/", "all types"),
        ("/v1/metadata/connectors/azure_service_bus", "azure_service_bus"),
    ],
)
async def test_older_names_and_trailing_slashes_are_served(api: Api, path: str, message: str) -> None:
    answer = await api.client.get(path, params={"unknown": "parameter"})
    assert answer.status_code == 200
    assert answer.json()["message"] == message


async def test_older_names_take_posts_without_a_redirect(api: Api) -> None:
    assert (await api.client.post("/v1/connectors", json={"name": "a"})).status_code == 201
    assert (await api.client.post("/v1/connectors/", json={"name": "a"})).status_code == 201


@pytest.mark.parametrize("path", ["/v1/connectors/abc/force", "/v1/connections/abc/force/"])
async def test_the_older_name_of_starting_a_sync_is_served(api: Api, path: str) -> None:
    headers = {"Content-Type": "application/json;version=2"}
    answer = await api.client.post(path, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (200, "no body")


async def test_names_that_only_begin_alike_are_not_rewritten(api: Api) -> None:
    assert (await api.client.get("/v1/connectors2/abc")).status_code == 404
