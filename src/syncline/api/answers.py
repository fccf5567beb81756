"""Error answers in the envelope, for whatever goes wrong at whichever layer."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from syncline.api.errors import ApiError, InvalidInput, SecretsUnavailable, ServiceUnavailable
from syncline.api.validation import explain_findings
from syncline.declarations import InvalidField
from syncline.store.sealing import SealingError
from syncline.store.turns import StoreUnavailableError

log = structlog.get_logger(__name__)

_CODES = {404: "NotFound", 405: "MethodNotAllowed"}


def error_response(error: ApiError) -> Response:
    """The answer for an error."""
    return JSONResponse({"code": error.code, "message": error.message}, error.status, headers=error.headers)


def internal_error(request_id: str) -> ApiError:
    """What a client is told when something broke that should not. The log has the rest."""
    message = f"Something went wrong in Syncline. The server's log says what, under request {request_id}."
    return ApiError(500, "InternalError", message)


def overloaded(error: StoreUnavailableError) -> ApiError:
    """What a client is told when the store has too much to do or does not answer. The log has the reason."""
    log.warning("request refused, the store is not available", reason=str(error))
    return ServiceUnavailable("The server's store is busy or cannot be reached.")


def add_error_handlers(app: FastAPI) -> None:
    """Make the app answer errors of every kind in the envelope."""

    @app.exception_handler(ApiError)
    async def api_error(_request: Request, error: ApiError) -> Response:
        return error_response(error)

    @app.exception_handler(StoreUnavailableError)
    async def store_unavailable(_request: Request, error: StoreUnavailableError) -> Response:
        return error_response(overloaded(error))

    @app.exception_handler(InvalidField)
    async def invalid_field(_request: Request, error: InvalidField) -> Response:
        return error_response(InvalidInput(f"{error}."))

    @app.exception_handler(SealingError)
    async def sealed_secrets(_request: Request, error: SealingError) -> Response:
        return error_response(SecretsUnavailable(str(error)))

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        return error_response(InvalidInput(explain_findings(error.errors(), _body_model(request))))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return error_response(_from_http(request, error.status_code, str(error.detail), error.headers))


def _from_http(request: Request, status: int, detail: str, headers: Mapping[str, str] | None) -> ApiError:
    path = request.url.path[:200]
    if status == 404:
        detail = f"There is no resource at {path}. Check the path."
    elif status == 405:
        allowed = _methods_of(request) or (headers or {}).get("Allow", "")
        headers = {**(headers or {}), "Allow": allowed}
        detail = f"{request.method} does not work on {path}. It takes {allowed or 'other methods'}."
    code = _CODES.get(status, "InvalidInput" if status < 500 else "InternalError")
    return ApiError(status, code, detail, headers=headers)


def _methods_of(request: Request) -> str:
    """All methods of a path. The router itself names those of the first endpoint alone."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = {
        method.upper()
        for template, operations in paths.items()
        if compile_path(template)[0].match(request.url.path)
        for method in operations
    }
    return ", ".join(sorted(found))


def _body_model(request: Request) -> type[BaseModel] | None:
    """The model of the body of the route that was called."""
    field = getattr(request.scope.get("route"), "body_field", None)
    annotation = getattr(getattr(field, "field_info", None), "annotation", None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
