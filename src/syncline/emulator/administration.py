"""The administration API over HTTP: what `ServiceBusAdministrationClient` of every language speaks.

Atom XML below `/`, with the Manage claim; and, for tests in other processes, the emulator's own
`/$emulator/health` (open) and `/$emulator/faults` (with the Manage claim), in JSON.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

from syncline.emulator.addresses import Address
from syncline.emulator.administration_resources import Collection, Resource, Resources
from syncline.emulator.atom import (
    ENTRY_TYPE,
    ERROR_TYPE,
    FEED_TYPE,
    parse_content,
    write_entry,
    write_error,
    write_feed,
)
from syncline.emulator.errors import (
    EmulatorError,
    EntityExistsError,
    EntityNotFoundError,
    InvalidEntityError,
    UnauthorizedError,
)
from syncline.emulator.http import HttpRequest, HttpResponse, serve_http
from syncline.emulator.namespace import Namespace
from syncline.emulator.tokens import SAS_PREFIX, Authorization, JsonWebTokenVerifier, verify_sas_token

PAGE_SIZE = 100
"""The most entities in one page of a list, as in the service."""

_STATUSES: tuple[tuple[type[EmulatorError], int], ...] = (
    (UnauthorizedError, 401),
    (EntityNotFoundError, 404),
    (EntityExistsError, 409),
    (EmulatorError, 400),
)


def _now() -> datetime:
    return datetime.now(UTC)


class AdministrationApi:
    """Serves the administration API of one namespace on connections that a listener accepts."""

    def __init__(
        self,
        namespace: Namespace,
        *,
        json_web_tokens: JsonWebTokenVerifier | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._namespace = namespace
        self._json_web_tokens = json_web_tokens
        self._clock = clock

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, initial: bytes) -> None:
        """Answer one HTTP/1.1 connection whose first bytes are in `initial`, and close it at its end."""
        await serve_http(reader, writer, initial, self.handle, _failure)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; every error of the emulator becomes its status code and detail."""
        try:
            return self._route(request)
        except EmulatorError as error:
            status = next(status for kind, status in _STATUSES if isinstance(error, kind))
            return _failure(status, error.message)

    def _route(self, request: HttpRequest) -> HttpResponse:
        path = request.path.strip("/")
        if path.lower() == "$emulator/health" and request.method == "GET":
            return _json({"status": "ok", "namespace": self._namespace.name})
        self._authorize(request, path)
        if path.lower() == "$emulator/faults":
            return self._control_faults(request)
        resource = Resources(self._namespace, _host(request)).find(path)
        if isinstance(resource, Collection):
            return _list(request, resource) if request.method == "GET" else _not_allowed(request, "GET")
        return _answer(request, resource)

    def _authorize(self, request: HttpRequest, path: str) -> None:
        authorization = self._authenticate(request, path)
        if not authorization.allows("Manage"):
            raise UnauthorizedError(
                f"The policy {authorization.policy_name!r} lacks the Manage claim that this request needs."
                if authorization.policy_name
                else "The token's roles lack the Manage claim that this request needs."
            )

    def _authenticate(self, request: HttpRequest, path: str) -> Authorization:
        token = request.headers.get("authorization", "")
        if token.startswith(SAS_PREFIX):
            audience = f"https://{_host(request)}{request.target}"
            policies = self._namespace.policies_for(Address(_entity_of(path)))
            return verify_sas_token(token, audience, policies, self._clock())
        if token.startswith("Bearer "):
            if self._json_web_tokens is None:
                raise UnauthorizedError("JSON web tokens are accepted only when the emulator is given an issuer.")
            return self._json_web_tokens.verify(token, self._clock())
        raise UnauthorizedError("The request has no Authorization header with a SharedAccessSignature or a Bearer.")

    def _control_faults(self, request: HttpRequest) -> HttpResponse:
        match request.method:
            case "DELETE":
                self._namespace.faults.clear()
            case "POST":
                try:
                    spec = json.loads(request.body)
                except (ValueError, RecursionError) as error:
                    raise InvalidEntityError(f"The body is not JSON: {error}.") from error
                if not isinstance(spec, dict):
                    raise InvalidEntityError('The body must be an object such as {"fault": "drop_connections"}.')
                self._namespace.faults.apply(spec)
            case _:
                return _not_allowed(request, "POST", "DELETE")
        return _json({"status": "ok"})


def _answer(request: HttpRequest, resource: Resource) -> HttpResponse:
    match request.method:
        case "GET":
            return HttpResponse(200, write_entry(resource.get()), ENTRY_TYPE)
        case "PUT":
            description = parse_content(request.body)
            if "if-match" in request.headers:
                return HttpResponse(200, write_entry(resource.update(description)), ENTRY_TYPE)
            return HttpResponse(201, write_entry(resource.create(description)), ENTRY_TYPE)
        case "DELETE":
            resource.delete()
            return HttpResponse(200)
        case _:
            return _not_allowed(request, "GET", "PUT", "DELETE")


def _list(request: HttpRequest, collection: Collection) -> HttpResponse:
    skip = _count(request, "$skip", 0)
    top = min(_count(request, "$top", PAGE_SIZE), PAGE_SIZE)
    entries, more = collection.page(skip, top)
    address = f"https://{_host(request)}{request.target.partition('?')[0]}"
    version = request.query.get("api-version", "2021-05")
    following = f"{address}?$skip={skip + top}&$top={top}&api-version={version}" if more and top else None
    return HttpResponse(200, write_feed(address, collection.title, entries, following), FEED_TYPE)


def _count(request: HttpRequest, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidEntityError(f"{name} is {text!r}; it must be a whole number from 0.")
    return int(text)


def _entity_of(path: str) -> str:
    lowered = path.lower()
    at = lowered.find("/subscriptions")
    return path if at < 0 else path[:at]


def _host(request: HttpRequest) -> str:
    return request.headers.get("host") or "localhost"


def _failure(status: int, detail: str) -> HttpResponse:
    return HttpResponse(status, write_error(status, detail), ERROR_TYPE)


def _not_allowed(request: HttpRequest, *methods: str) -> HttpResponse:
    failure = _failure(405, f"{request.method} is not possible here; use {', '.join(methods)}.")
    return HttpResponse(failure.status, failure.body, failure.content_type, {"Allow": ", ".join(methods)})


def _json(content: dict[str, str]) -> HttpResponse:
    return HttpResponse(200, json.dumps(content).encode(), "application/json")
