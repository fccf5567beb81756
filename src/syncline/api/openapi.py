"""The OpenAPI document: what FastAPI knows of the endpoints, and what the gate adds to each of them."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from syncline.api.envelope import Failure
from syncline.api.middleware import is_api_path

_DESCRIPTION = """\
Send an API key and its secret with HTTP Basic authentication. Every answer is an envelope: `code` is `Success` or says
what went wrong, `message` says it for people, `data` is what was asked for.

Older names of the same resources work too: `/v1/connectors` for `/v1/connections`, `/v1/groups/{id}/connectors` for
`/v1/groups/{id}/connections`, `/v1/metadata/connectors` for `/v1/metadata/connector-types` and
`/v1/connectors/{id}/force` for `/v1/connections/{id}/sync`; so does a slash at the end of a path.
"""
_FAILURES: dict[int, tuple[str, str]] = {
    400: ("InvalidInput", "A field or parameter is wrong, or the call makes no sense in the thing's present state."),
    401: ("Unauthorized", "The API key is missing, malformed, wrong, revoked or has expired."),
    403: ("Forbidden", "The role of the key's user, or the key, does not allow this."),
    404: ("NotFound", "There is no such thing. The code names its kind, such as `NotFound_Connection`."),
    406: ("NotAcceptable", "`Accept` asks for something other than JSON of version 1 or 2."),
    408: ("RequestTimeout", "The request took too long to arrive."),
    409: ("Conflict", "A name is taken, or something else is in the way."),
    413: ("InvalidInput", "The body is too large."),
    415: ("UnsupportedMediaType", "The body is not `application/json`."),
    429: ("TooManyRequests", "The account has made too many requests. Wait as long as `Retry-After` says."),
    500: ("InternalError", "Something broke in the server. Its log says what."),
    503: (
        "ServiceUnavailable",
        "The server has more to do than it can, or its store does not answer; with the code `SecretsUnavailable`, the "
        "call needs stored secrets and the server's sealing keys do not open them.",
    ),
}
_HEADERS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}
_METHODS = ("get", "post", "patch", "put", "delete")


def operation_id(route: APIRoute) -> str:
    """The identifier of an operation: the function's name after that of its resource."""
    resource = str(route.tags[0]).lower().replace(" ", "_") if route.tags else "other"
    return f"{resource}_{route.name}"


def use_document(app: FastAPI) -> None:
    """Make the app describe itself with :func:`describe`, once it is first asked."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an app."""
    document = get_openapi(
        title=app.title,
        version=version("syncline"),
        summary=app.description,
        description=_DESCRIPTION,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        "apiKey": {
            "type": "http",
            "scheme": "basic",
            "description": "The API key is the user name, its secret the password.",
        }
    }
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Failure"] = Failure.model_json_schema()
    components["responses"] = {str(status): _failure(status) for status in _FAILURES}
    document["security"] = [{"apiKey": []}]
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                _complete(path, operations[method])
    return document


def _failure(status: int) -> dict[str, Any]:
    code, description = _FAILURES[status]
    example = {"code": code, "message": "..."}
    schema = {"$ref": "#/components/schemas/Failure"}
    response: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
    if status in _HEADERS:
        response["headers"] = _HEADERS[status]
    return response


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Put into an operation what FastAPI does not know: who may call it, and which failures there are."""
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["schema"] = _without_null(content["schema"])
    responses = operation["responses"]
    responses.pop("422", None)  # FastAPI's own, which ours replaces
    if is_api_path(path):
        for status in _FAILURES:
            responses.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
    else:
        operation["security"] = []
        responses.setdefault("500", {"$ref": "#/components/responses/500"})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter or body that may be left out: that does not mean that it may be null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**{name: part for name, part in schema.items() if name not in {"anyOf", "description"}}, **choices[0]}
