"""What happens to every request before an endpoint sees it, as plain ASGI.

From the outside in: :class:`RequestLog`, :class:`Paths`, :class:`~syncline.api.metrics.Measured`, :class:`Gate`.
Nothing under ``/v1`` is reached without passing the gate, so no endpoint can forget to authenticate.
"""

import asyncio
import re
import time
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncline.api.answers import add_error_handlers, error_response, internal_error, overloaded
from syncline.api.authentication import authenticate
from syncline.api.bodies import MOST_BYTES, parse_body, too_large, too_slow
from syncline.api.errors import ApiError, InvalidInput
from syncline.api.limits import RateLimits
from syncline.api.metrics import Measured, Metrics
from syncline.api.permissions import authorize
from syncline.api.versions import check_accept, check_content_type
from syncline.logs import bind
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import new_id
from syncline.store.turns import StoreUnavailableError, on_behalf_of

log = structlog.get_logger(__name__)

_OLDER_NAMES = (
    (re.compile(r"^/v1/connectors(?=/|$)"), "/v1/connections"),
    (re.compile(r"^/v1/groups/([^/]+)/connectors$"), r"/v1/groups/\1/connections"),
    (re.compile(r"^/v1/metadata/connectors(?=$|/[^/]+$)"), "/v1/metadata/connector-types"),
    # What orchestrators still call to start a sync.
    (re.compile(r"^/v1/connections/([^/]+)/force$"), r"/v1/connections/\1/sync"),
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def install(app: FastAPI, settings: Settings) -> None:
    """Give an app the error answers, the middleware and the metrics of the API. It must have ``state.database``."""
    add_error_handlers(app)
    app.state.metrics = Metrics()
    # The last one added is the outermost.
    app.add_middleware(Gate, limits=RateLimits(settings), body_timeout=settings.request_body_timeout)
    app.add_middleware(Measured, metrics=app.state.metrics)
    app.add_middleware(Paths)
    app.add_middleware(RequestLog)


class RequestLog:
    """Gives every request an identifier, logs it with its duration, and answers for what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = new_id()
        started = time.perf_counter()
        status = 0

        async def send_with_identifier(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with bind(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_identifier)
            except Exception:
                log.exception("request failed unexpectedly", method=scope["method"], path=scope["path"])
                if not status:
                    await error_response(internal_error(request_id))(scope, receive, send_with_identifier)
            finally:
                duration = round((time.perf_counter() - started) * 1000, 2)
                log.info("request", method=scope["method"], path=scope["path"], status=status, duration_ms=duration)


class Paths:
    """Serves older names of resources, and paths with a trailing slash, by the present ones."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (path := present_path(scope["path"])) != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape")}
        await self.app(scope, receive, send)


class Gate:
    """Lets a request to ``/v1`` through that may be answered: versions, API key, body, limits, then permission."""

    def __init__(self, app: ASGIApp, limits: RateLimits, body_timeout: float) -> None:
        self.app = app
        self.limits = limits
        self.body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_api_path(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        database: Database = scope["app"].state.database
        try:
            check_accept(",".join(headers.getlist("accept")))
            caller = await authenticate(database, headers.get("authorization", ""))
            if _UNPRINTABLE.search(path):
                raise ApiError(404, "NotFound", "The path holds characters that no resource's name has. Check it.")
            body = await _read_body(headers, receive, self.body_timeout)
            parsed: dict[str, Any] = {}
            if body:
                check_content_type(headers.get("content-type", ""))
                parsed = parse_body(body)
            self.limits.check(caller.account_id, method, path, parsed)
            await authorize(database, caller, method, path, QueryParams(scope["query_string"]), parsed)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        except StoreUnavailableError as error:
            await error_response(overloaded(error))(scope, receive, send)
            return
        # The state is the request's own: the server hands out one dictionary with the lifespan's state in it.
        scope["state"] = {**scope.get("state", {}), "caller": caller}
        with bind(user_id=caller.user_id), on_behalf_of(partial(_hung_up, receive)):
            await self.app(scope, _Replay(body, receive), send)


class _Replay:
    """A `receive` that hands out a body once more, then waits for what comes after it."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.message: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self.receive = receive

    async def __call__(self) -> Message:
        message, self.message = self.message, None
        return message if message is not None else await self.receive()


def is_api_path(path: str) -> bool:
    """Whether a path belongs to the REST API."""
    return path == "/v1" or path.startswith("/v1/")


def present_path(path: str) -> str:
    """The present name of an API path; other paths stay as they are."""
    if not is_api_path(path):
        return path
    path = path.rstrip("/")
    for older, present in _OLDER_NAMES:
        path = older.sub(present, path)
    return path


async def _read_body(headers: Headers, receive: Receive, seconds: float) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced[:20]) > MOST_BYTES:
        raise too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidInput("The connection closed before the whole request body had arrived.")
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise too_large()
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise too_slow(seconds) from None


async def _hung_up(receive: Receive) -> None:
    """Return once the client has closed the connection; the body has been received by then."""
    while (await receive())["type"] != "http.disconnect":
        pass
