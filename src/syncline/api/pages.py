"""The readable pages at ``/docs``: the OpenAPI document and the settings of services as one page of plain HTML.

It needs no script and nothing from another server.
"""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from syncline.api.schema_fields import Field, fields_of, name_of
from syncline.connectors.registry import services as sources
from syncline.declarations import ServiceDeclaration
from syncline.declarations.json_schema import json_schema
from syncline.warehouses.registry import services as warehouses

router = APIRouter(include_in_schema=False)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: light-dark(#0b57d0, #8ab4f8); }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 17rem 1fr; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; box-sizing: border-box;
  border-right: 1px solid var(--line); }
nav ul { list-style: none; padding: 0; margin: 0 0 1rem; } nav h2 { font-size: 1rem; margin: .5rem 0 0; }
main { padding: 1rem 2rem; max-width: 60rem; min-width: 0; } a { color: var(--link); text-decoration: none; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
code { font: .9em ui-monospace, monospace; background: var(--soft); padding: 0 .25em; border-radius: 3px; }
h3 code { font-size: 1em; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td:first-child { white-space: nowrap; }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } }
"""


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The documentation of this server's API."""
    state = request.app.state
    if not hasattr(state, "docs_page"):
        state.docs_page = render(request.app.openapi(), sources(), warehouses())
    return HTMLResponse(state.docs_page, headers={"Content-Security-Policy": _POLICY})


def render(
    document: dict[str, Any], sources: Iterable[ServiceDeclaration], warehouses: Iterable[ServiceDeclaration]
) -> str:
    """The page of a document and of the services whose settings it leaves open."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    services = {"Sources": list(sources), "Destination services": list(warehouses)}
    title = f"{document['info']['title']} API {document['info']['version']}"
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            *_navigation(groups, services),
            f"<main><h1>{escape(title)}</h1>",
            *(f"<p>{_text(paragraph)}</p>" for paragraph in document["info"]["description"].strip().split("\n\n")),
            '<p>For programs: <a href="/openapi.json">/openapi.json</a>.</p>',
            *(part for tag, operations in groups.items() for part in _group(document, tag, operations)),
            *(part for title, known in services.items() for part in _services(title, known)),
            "</main></body></html>",
        ]
    )


def _navigation(
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]], services: dict[str, list[ServiceDeclaration]]
) -> Iterator[str]:
    yield "<nav>"
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>"
        for _, _, operation in operations:
            yield f'<li><a href="#{escape(operation["operationId"])}">{escape(operation["summary"])}</a></li>'
        yield "</ul>"
    for title, known in services.items():
        yield f"<h2>{escape(title)}</h2><ul>"
        for declaration in known:
            yield f'<li><a href="#{escape(declaration.service)}">{escape(declaration.name)}</a></li>'
        yield "</ul>"
    yield "</nav>"


def _group(document: dict[str, Any], tag: str, operations: list[tuple[str, str, dict[str, Any]]]) -> Iterator[str]:
    yield f"<h2>{escape(tag)}</h2>"
    for method, path, operation in operations:
        yield f'<section id="{escape(operation["operationId"])}"><h3><code>{method} {escape(path)}</code></h3>'
        yield f"<p>{_text(operation.get('description') or operation['summary'])}</p>"
        parameters = [
            Field(
                parameter["name"],
                name_of(parameter["schema"], document),
                parameter.get("required", False),
                parameter.get("description", ""),
            )
            for parameter in operation.get("parameters", [])
        ]
        yield from _table("Parameters", parameters)
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if body:
            yield from _table("Body", fields_of(body, document))
        yield from _responses(document, operation["responses"])
        yield "</section>"


def _responses(document: dict[str, Any], responses: dict[str, Any]) -> Iterator[str]:
    failures = []
    for status, response in sorted(responses.items()):
        if "$ref" in response:
            failures.append(status)
            continue
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            fields = fields_of(schema, document)
            # The envelope is the same everywhere; what is in it is not.
            yield from _table(f"Answer {status}", [field for field in fields if field.path[:4] == "data"] or fields)
    if failures:
        yield f"<p>Failures: {', '.join(failures)}, each with <code>code</code> and <code>message</code>.</p>"


def _services(title: str, known: list[ServiceDeclaration]) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    for declaration in known:
        yield f'<section id="{escape(declaration.service)}"><h3>{escape(declaration.name)}</h3>'
        yield f"<p><code>{escape(declaration.service)}</code>: {_text(declaration.description)}</p>"
        yield from _table("config", fields_of(json_schema(declaration.config), {}))
        if declaration.auth is not None:
            yield from _table("auth", fields_of(json_schema(declaration.auth), {}))
        yield "</section>"


def _table(title: str, fields: list[Field]) -> Iterator[str]:
    if not fields:
        return
    yield f"<table><caption><b>{escape(title)}</b></caption><tr><th>Name<th>Type<th>Meaning</tr>"
    for field in fields:
        needed = " <small>required</small>" if field.required else ""
        yield f"<tr><td><code>{escape(field.path)}</code>{needed}"
        yield f"<td>{escape(field.kind)}<td>{_text(field.meaning)}</tr>"
    yield "</table>"


def _text(text: str) -> str:
    """Text with `code` marked."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
