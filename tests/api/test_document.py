"""The OpenAPI document and the readable pages are about what the server does."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from syncline.connectors.registry import services as sources
from syncline.server import create_app
from syncline.settings import Settings
from syncline.warehouses.registry import services as warehouses


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture
async def visitor(app: FastAPI) -> Any:
    """A client without a key, on an app that was not started: pages need neither."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        yield client


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


async def test_the_document_is_served_without_a_key(visitor: httpx.AsyncClient, document: dict[str, Any]) -> None:
    answer = await visitor.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.json() == document
    assert document["openapi"].startswith("3.1")


def test_all_of_the_api_needs_a_key_and_may_fail_in_the_envelope(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "basic"
    assert document["security"] == [{"apiKey": []}]
    for _, path, operation in _operations(document):
        if path.startswith("/v1"):
            assert "security" not in operation
            assert {"400", "401", "403", "406", "415", "429", "500"} <= operation["responses"].keys()
        else:
            assert operation["security"] == []
        assert "422" not in operation["responses"]
    for response in document["components"]["responses"].values():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Failure"}
    assert "Retry-After" in document["components"]["responses"]["429"]["headers"]


def test_every_operation_is_told_apart_described_and_has_an_answer(document: dict[str, Any]) -> None:
    identifiers = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(identifiers)) == len(identifiers)
    for method, path, operation in _operations(document):
        assert operation.get("description"), f"{method} {path}"
        successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert len(successes) == 1
        (content,) = successes[0]["content"].values()
        assert content["schema"], f"{method} {path}"
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("properties") or "enum" in schema, f"{name} says nothing"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in _references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "$ref":
                yield part
            else:
                yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


async def test_answers_fit_the_document(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    group_id = (await client.post("/v1/groups", json={"name": "one"})).json()["data"]["id"]
    connection = {"group_id": group_id, "service": "azure_service_bus", "config": {"schema": "bus"}}
    made = (await client.post("/v1/connections", json={**connection, "run_setup_tests": False})).json()["data"]
    permissions = [{"resource_type": "CONNECTOR", "access_level": "READ"}]
    key = (await client.post("/v1/system-keys", json={"name": "a", "permissions": permissions})).json()["data"]
    user = {"email": "ana@example.com", "given_name": "Ana", "family_name": "Diaz"}
    user_id = (await client.post("/v1/users", json=user)).json()["data"]["id"]
    await client.post(f"/v1/groups/{group_id}/users", json={"email": user["email"]})
    values = {
        "group_id": group_id,
        "connection_id": made["id"],
        "key_id": key["id"],
        "user_id": user_id,
        "service": "azure_service_bus",
    }
    checked = []
    for method, path, operation in _operations(document):
        if method != "get" or path == "/metrics":
            continue
        answer = await client.get(path.format_map(_OrUnknown(values)))
        described = operation["responses"][str(answer.status_code)]
        if "$ref" in described:
            described = document["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        schema = {**described["content"]["application/json"]["schema"], "components": document["components"]}
        jsonschema_rs.validate(schema, answer.json())
        if answer.status_code == 200:
            checked.append(path)
    assert len(checked) >= 18


class _OrUnknown(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "unknown"


class _Page(HTMLParser):
    """The anchors of a page, and the tags that fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.fetching: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if "id" in attributes:
            self.identifiers.append(attributes["id"] or "")
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        if tag in {"script", "link", "img", "iframe"} or "src" in attributes:
            self.fetching.append(tag)


async def test_the_pages_show_every_operation_and_service_and_fetch_nothing(
    visitor: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    answer = await visitor.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = _Page()
    page.feed(answer.text)
    assert page.fetching == []
    operations = {operation["operationId"] for _, _, operation in _operations(document)}
    services = {declaration.service for declaration in (*sources(), *warehouses())}
    assert set(page.identifiers) == operations | services
    assert len(page.identifiers) == len(set(page.identifiers))
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} == set(page.identifiers)
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    for declaration in (*sources(), *warehouses()):
        for field in declaration.config.declared_fields():
            assert f"<code>{field.name}</code>" in answer.text


async def test_text_in_the_pages_is_escaped(app: FastAPI, visitor: httpx.AsyncClient, tmp_path: Path) -> None:
    app.openapi()["info"]["title"] = "<script>alert(1)</script>"
    assert "<script>" not in (await visitor.get("/docs")).text
