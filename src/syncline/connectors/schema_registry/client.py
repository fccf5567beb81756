"""Ask a schema registry over HTTP.

The servers of the registry are asked in the order they were given, and the first that has an answer wins. One that
cannot be reached, or says that it is in trouble, is asked again a few times with pauses between. A schema counts as
unknown only if every server says so: while one of them cannot be asked, that is an error, because messages would be
rejected that are good. What was fetched is kept for as long as the client lives, since schemas never change.
"""

import json
import random
import ssl
import threading
import time
from collections.abc import Callable, Generator, Hashable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import certifi
import httpx

from syncline.connectors.errors import (
    SourceConfigurationError,
    SourceError,
    SourceThrottled,
    SourceUnavailable,
    refused_host,
)
from syncline.connectors.schema_registry.schemas import (
    AzureSchemaId,
    RegisteredSchema,
    SchemaIdentifier,
    UnknownSchema,
    UnusableSchema,
)
from syncline.networking import HostPolicy, HostRefused, own_words
from syncline.networking.dialling import checked_transport

T = TypeVar("T")

ATTEMPTS = 4
"""How often the servers are asked before the registry counts as unavailable."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_MOST_BYTES = 16 * 1024 * 1024
"""Of an answer."""
_MOST_REFERENCES = 500
_UNKNOWN_CODES = (40401, 40402, 40403)
"""Error codes of the registry that say that it does not have a subject, a version or a schema."""
_MOST_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_BUSY = (408, 425, 429, 500, 502, 503, 504)


class _Trouble(Exception):  # noqa: N818 - not an error yet: asking again may help
    """A server that cannot answer now."""

    def __init__(self, failure: SourceError, pause: float | None = None, *, is_busy: bool = False) -> None:
        self.failure = failure
        self.pause = pause
        """Seconds for which the server asks to be left alone."""
        self.is_busy = is_busy
        """Whether the server answered that it has too much to do."""


class _BearerAuth(httpx.Auth):
    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class SchemaRegistry:
    """A client of one registry. May be used from several threads at once."""

    def __init__(
        self,
        urls: Sequence[str],
        key: str | None,
        secret: str | None,
        *,
        azure_token: Callable[[], str] | None = None,
        hosts: HostPolicy | None = None,
        timeout: float = 10.0,
        attempts: int = ATTEMPTS,
        first_pause: float = _FIRST_PAUSE,
        patience: float | None = None,
    ) -> None:
        """
        Args:
            urls: The servers, each a URL, or ``server:port``, which means HTTPS.
            key: The user name; None where the registry asks for none.
            secret: The password that goes with it.
            azure_token: Gives a token of Microsoft Entra, the only thing that Azure Schema Registry takes.
            hosts: Which hosts may be connected to; the default policy when absent.
            timeout: Seconds that one request may take.
            attempts: How often the servers are asked before the registry counts as unavailable.
            first_pause: Seconds before they are asked again; the pause doubles each time.
            patience: Seconds in which servers that are busy are asked again, however often that is, and that no
                question exceeds; without it `attempts` alone counts.
        """
        self._urls = [_url(address) for address in urls]
        self._auth = httpx.BasicAuth(key, secret or "") if key is not None else None
        self._azure_token = azure_token
        self._hosts = hosts or HostPolicy()
        self._timeout = timeout
        self._attempts = attempts
        self._first_pause = first_pause
        self._patience = patience
        self._client: httpx.Client | None = None
        self._lock = threading.RLock()
        self._kept: dict[Hashable, Any] = {}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def compiled(self, identifier: SchemaIdentifier, compile_schema: Callable[[RegisteredSchema], T]) -> T:
        """What `compile_schema` makes of a schema. It is fetched and compiled once.

        Raises:
            UnknownSchema: No server knows it.
            UnusableSchema: It cannot be compiled.
            SourceError: The registry cannot be asked.
        """
        place = (compile_schema, identifier)
        with self._lock:
            if place not in self._kept:
                try:
                    self._kept[place] = compile_schema(self.schema(identifier))
                except (UnknownSchema, UnusableSchema) as error:
                    self._kept[place] = error
            found = self._kept[place]
        if isinstance(found, UnknownSchema | UnusableSchema):
            raise found.with_traceback(None)
        return found  # type: ignore[no-any-return]

    def schema(self, identifier: SchemaIdentifier) -> RegisteredSchema:
        """A schema, with all that it refers to.

        Raises:
            UnknownSchema: No server knows it.
            UnusableSchema: It refers to too much, or to what is not there.
            SourceError: The registry cannot be asked.
        """
        if isinstance(identifier, AzureSchemaId):
            text = self._get(identifier.path, f"the schema {identifier}")
            return RegisteredSchema(text, "AVRO")
        entry = self._entry(identifier.path, f"the schema {identifier}")
        references: dict[str, str] = {}
        try:
            self._add_references(entry, references, frozenset())
        except UnknownSchema as error:
            raise UnusableSchema(f"The schema {identifier} refers to another that is not there. {error}") from None
        kind = str(entry.get("schemaType") or "AVRO").encode("ascii", "replace").decode()
        return RegisteredSchema(entry["schema"], kind, references)

    def check(self) -> list[str]:
        """The types of schemas that the registry keeps: a request that proves the address and the credentials.

        Raises:
            SourceError: It cannot be asked.
        """
        if all(_is_azure(url) for url in self._urls):
            self._get("/$schemaGroups?api-version=2023-07-01", "the groups of schemas")
            return ["AVRO"]
        try:
            kinds = json.loads(self._get("/schemas/types", "the types of schemas"))
        except (ValueError, RecursionError, UnknownSchema):
            kinds = None
        if not isinstance(kinds, list):
            raise _not_a_registry(self._urls[0], "it does not name the types of schemas that it keeps")
        return [str(kind) for kind in kinds]

    def _add_references(self, entry: dict[str, Any], found: dict[str, str], above: frozenset[str]) -> None:
        references = entry.get("references") or []
        for reference in references if isinstance(references, list) else [references]:
            try:
                name, subject, version = reference["name"], reference["subject"], int(reference["version"])
                subject_path = quote(subject, safe="")
                name.encode()
            except (TypeError, KeyError, ValueError, AttributeError, OverflowError):
                raise UnusableSchema("The schema has a reference without name, subject or version.") from None
            if name in found:
                continue
            if name in above or len(found) + len(above) >= _MOST_REFERENCES:
                raise UnusableSchema(f"The references of the schema go round in a circle, or too far, at {name!r}.")
            # Deleted versions are asked for too: a message written before the deletion still needs them.
            path = f"/subjects/{subject_path}/versions/{version}?deleted=true"
            referred = self._entry(path, f"version {version} of {subject}")
            self._add_references(referred, found, above | {name})
            found[name] = referred["schema"]

    def _entry(self, path: str, subject: str) -> dict[str, Any]:
        text = self._get(path, subject)
        try:
            entry = json.loads(text)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or not isinstance(entry.get("schema"), str):
            raise _not_a_registry(self._urls[0], "its answer has no schema")
        return entry

    def _get(self, path: str, subject: str) -> str:
        """The first good answer of a server, as text."""
        began = time.monotonic()
        for attempt in count(1):
            troubles: list[_Trouble] = []
            for url in self._urls:
                try:
                    answer = self._ask(url, path)
                except _Trouble as trouble:
                    troubles.append(trouble)
                else:
                    if answer is not None:
                        return answer
            if not troubles:
                asked = ", ".join(self._urls)
                raise UnknownSchema(f"The schema registry does not know {subject} (asked: {asked}).")
            transient = next((each for each in troubles if not _is_final(each.failure)), None)
            if transient is None:
                raise troubles[0].failure
            pause = self._first_pause * 2 ** min(attempt - 1, 16) * random.uniform(0.5, 1.5)  # noqa: S311
            pause = min(_LONGEST_PAUSE, max(pause, transient.pause or 0))
            if not self._asks_again(attempt, any(each.is_busy for each in troubles), time.monotonic() + pause - began):
                raise troubles[0].failure
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _asks_again(self, attempt: int, is_busy: bool, seconds: float) -> bool:
        """Whether the servers are asked again after so many attempts, so many seconds after the first."""
        if self._patience is None:
            return attempt < self._attempts
        return (is_busy or attempt < self._attempts) and seconds < self._patience

    def _ask(self, url: str, path: str) -> str | None:
        """The answer of one server; None when it does not know."""
        address = f"{url}{path}"
        for _ in range(_MOST_REDIRECTS):
            response, text = self._answer(url, address)
            if not response.has_redirect_location:
                break
            address = _redirected(url, address, response)
        if response.status_code == 200:
            return text
        if response.status_code == 404 and _says_unknown(text):
            return None
        raise _refusal(url, response, text)

    def _answer(self, url: str, address: str) -> tuple[httpx.Response, str]:
        """What a server answers at an address, and its text."""
        deadline = time.monotonic() + self._timeout
        content = bytearray()
        try:
            with self._opened().stream("GET", address, auth=self._auth_for(url)) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > _MOST_BYTES:
                        raise _Trouble(_not_a_registry(url, f"its answer is larger than {_MOST_BYTES:,} bytes"))
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("")
        except HostRefused as error:
            raise _Trouble(refused_host(error)) from error
        except httpx.HTTPError as error:
            raise _Trouble(
                SourceUnavailable(
                    f"The schema registry {url} cannot be reached: {_reason(error, self._timeout)}.",
                    "Check config.schema_registry_urls (server:port means HTTPS; write http:// where it speaks plain "
                    "HTTP), and that this machine reaches it.",
                )
            ) from error
        return response, content.decode("utf-8", "replace")

    def _auth_for(self, url: str) -> httpx.Auth | None:
        if self._azure_token is not None and _is_azure(url):
            return _BearerAuth(self._azure_token())
        return self._auth

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                context = ssl.create_default_context()
                context.load_verify_locations(certifi.where())
                self._client = httpx.Client(
                    timeout=self._timeout,
                    transport=checked_transport(self._hosts, context),
                    trust_env=False,
                    headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json"},
                )
            return self._client


def _url(address: str) -> str:
    return (address if "//" in address else f"https://{address}").rstrip("/")


def _is_azure(url: str) -> bool:
    """Whether it is a server of Microsoft's, which may have a token, and TLS shows that it is."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(".servicebus.windows.net")


def _says_unknown(text: str) -> bool:
    """Whether it is the registry itself that says so, and not some server that has no such page."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(answer, dict):
        return False
    error = answer.get("error")
    azure_code = error.get("code") if isinstance(error, dict) else None
    return answer.get("error_code") in _UNKNOWN_CODES or azure_code in ("ItemNotFound", 404, "404")


def _refusal(url: str, response: httpx.Response, text: str) -> _Trouble:
    status = response.status_code
    if status in (401, 403) and _is_azure(url):
        return _Trouble(
            SourceConfigurationError(
                f"{url} refused the credentials (status {status}).",
                "Azure Schema Registry takes tokens of Microsoft Entra alone: set config.auth_type to "
                "AzureActiveDirectory, and give the person or the application the role Schema Registry Reader.",
            )
        )
    if status in (401, 403):
        return _Trouble(
            SourceConfigurationError(
                f"The schema registry {url} refused the credentials (status {status}).",
                "Check config.schema_registry_key and config.schema_registry_secret, and that they may read schemas.",
            )
        )
    pause = _seconds(response.headers.get("Retry-After"))
    if status == 429:
        failure = SourceThrottled(
            f"The schema registry {url} is busy and asks to be left alone.",
            "The sync goes on by itself in a moment.",
            retry_after_seconds=max(pause, 10.0),
        )
        return _Trouble(failure, pause, is_busy=True)
    if status in _BUSY:
        return _Trouble(
            SourceUnavailable(
                f"The schema registry {url} failed (status {status}).",
                "The sync tries again by itself; if this repeats, look into the registry's own log.",
            ),
            pause,
            is_busy=status == 503,
        )
    return _Trouble(_not_a_registry(url, f"status {status}"))


def _not_a_registry(url: str, finding: str) -> SourceConfigurationError:
    return SourceConfigurationError(
        f"{url} does not answer as a schema registry does: {finding}.",
        "Check config.schema_registry_urls: name the address that has /subjects and /schemas under it.",
    )


def _is_final(failure: SourceError) -> bool:
    return isinstance(failure, SourceConfigurationError)


def _seconds(text: str | None) -> float:
    """The seconds that a `Retry-After` says, in either of its forms (RFC 9110, section 10.2.3)."""
    if not text:
        return 0.0
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), _LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), _LONGEST_PAUSE)


def _redirected(url: str, address: str, response: httpx.Response) -> str:
    """Where a server sends its caller on to, which has to be a place of its own: the credentials go along."""
    here = urlsplit(address)
    try:
        there = urlsplit(urljoin(address, response.headers["Location"]))
        same_port = (there.port or _PORTS.get(there.scheme)) == (here.port or _PORTS.get(here.scheme))
        is_own = there.scheme == here.scheme and there.hostname == here.hostname and same_port
    except ValueError:  # no address at all
        is_own = False
    if not is_own:
        raise _Trouble(
            SourceConfigurationError(
                f"{url} does not answer as a schema registry does: it sends its callers on to another server (status "
                f"{response.status_code}).",
                "Name the server that has the schemas in config.schema_registry_urls: the key and the secret go to no "
                "other.",
            )
        )
    return urlunsplit(there._replace(fragment=""))


def _reason(error: httpx.HTTPError, timeout: float) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no complete answer within {timeout:g} seconds"
    return own_words(error, "it does not answer in HTTP")
