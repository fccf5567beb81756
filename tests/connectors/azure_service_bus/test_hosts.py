"""Which hosts a connection leads to: what the policy forbids is not dialled, and what it checked is what is dialled."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from syncline.connectors.azure_service_bus import retries
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.base import SetupTestResult, SourceConfigurationError, SourceContext
from syncline.connectors.registry import connector_for
from syncline.emulator.emulator import EmulatorThread
from syncline.networking import HostPolicy
from syncline.settings import Settings
from tests.connectors.azure_service_bus.conftest import (
    POLICIES,
    SUBSCRIPTION,
    Publish,
    context_for,
    opened,
    read_all,
    rows,
)
from tests.support.schema_registry import KEY, SECRET, Fault, SchemaRegistryServer
from tests.support.sockets import untouched_port

NO_PRIVATE = HostPolicy(allows_private=False)
KEYS = f"SharedAccessKeyName=Root;SharedAccessKey={POLICIES[0]['Key']}"


def under(policy: HostPolicy, context: SourceContext) -> SourceContext:
    return dataclasses.replace(context, hosts=policy)


def named(host: str, port: int, *, plain: bool = True, manage: bool = True, **values: Any) -> SourceContext:
    """A connection to a namespace at that host."""
    text = f"Endpoint=sb://{host}:{port};{KEYS}" + (";UseDevelopmentEmulator=true" if plain else "")
    return context_for(
        text, has_manage_permissions=manage, topics=["orders"], subscriber_name=SUBSCRIPTION, **values
    )  # fmt: skip


def leading_to(*answers: Sequence[str]) -> HostPolicy:
    """A policy with no private host but 127.0.0.1, for which names lead to these addresses one time after another."""
    left = list(answers)

    def resolver(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    allowed = HostPolicy.of(Settings(allowed_hosts="127.0.0.1, ::1")).allowed
    return HostPolicy(allowed, allows_private=False, resolver=resolver)


async def failure_of(context: SourceContext) -> SetupTestResult:
    results = await connector_for("azure_service_bus").run_setup_tests(context)
    return next(result for result in results if result.status == "FAILED")


@pytest.fixture
def untouched() -> Iterator[int]:
    """The port of a server that nobody may connect to."""
    with untouched_port() as port:
        yield port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("manage", [True, False])
async def test_a_forbidden_namespace_fails_its_setup_test(untouched: int, host: str, plain: bool, manage: bool) -> None:
    failure = await failure_of(under(NO_PRIVATE, named(host, untouched, plain=plain, manage=manage)))
    assert failure.title == "Namespace"
    assert f"{host} is not connected to" in failure.message
    assert "loopback" in failure.message
    assert "SYNCLINE_ALLOWED_HOSTS" in failure.details


async def test_another_address_of_the_namespace_is_looked_at_too(untouched: int) -> None:
    context = named("bus.example.com", 5671, plain=False, asb_ip=f"127.0.0.1:{untouched}")
    assert "127.0.0.1 is not connected to" in (await failure_of(under(NO_PRIVATE, context))).message


@pytest.mark.parametrize("manage", [True, False])
@pytest.mark.parametrize("read_mode", ["Browse", "Drain"])
def test_a_forbidden_namespace_ends_a_sync_at_once_and_for_a_person_to_mend(
    untouched: int, manage: bool, read_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE", 60)  # so that one retry would show
    context = under(NO_PRIVATE, named("localhost", untouched, manage=manage, read_mode=read_mode))
    with pytest.raises(SourceConfigurationError, match="localhost is not connected to"):
        read_all(context)
    if manage:
        with pytest.raises(SourceConfigurationError, match="localhost is not connected to"), opened(context) as source:
            source.streams()


async def test_a_name_that_leads_elsewhere_after_the_test_is_refused_then(emulator: EmulatorThread) -> None:
    rebinding = leading_to(["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"])
    context = under(rebinding, named("bus.example.com", emulator.port, manage=False))
    failure = await failure_of(context)
    assert failure.title != "Namespace"
    assert "it leads to 127.0.0.2" in failure.message + failure.details


@pytest.mark.parametrize("manage", [True, False])
async def test_a_namespace_is_reached_by_its_name_at_the_address_that_was_checked(
    emulator: EmulatorThread, publish: Publish, manage: bool
) -> None:
    publish([b"{}"])
    context = under(leading_to(["127.0.0.1"]), named("bus.example.com", emulator.port, manage=manage))
    results = await connector_for("azure_service_bus").run_setup_tests(context)
    assert {result.status for result in results} == {"PASSED"}, results
    assert len(rows(read_all(context))) == 1


def test_addresses_that_do_not_answer_are_passed_over(emulator: EmulatorThread, publish: Publish) -> None:
    publish([b"{}"])
    policy = HostPolicy(resolver=lambda host, port: ["::1", "127.0.0.2", "127.0.0.1"])
    assert len(rows(read_all(under(policy, named("bus.example.com", emulator.port, manage=False))))) == 1


class TestTls:
    def context(self, secure: EmulatorThread, host: str) -> SourceContext:
        text = secure.connection_string(tls=True).replace("127.0.0.1", host)
        return under(leading_to(["127.0.0.1"]), context_for(text, has_manage_permissions=True))

    async def test_the_name_is_expected_of_the_checked_address(self, secure: EmulatorThread) -> None:
        context = self.context(secure, "bus.example.com")
        with Namespace(context).administration() as client:
            client.create_topic("orders")
        results = await connector_for("azure_service_bus").run_setup_tests(context)
        assert {result.status for result in results} == {"PASSED"}, results

    async def test_another_name_is_not_taken_for_it(self, secure: EmulatorThread) -> None:
        context = self.context(secure, "other.example.com")
        assert "not trusted for other.example.com" in (await failure_of(context)).message
        with pytest.raises(Exception, match="other.example.com"), opened(context) as source:  # noqa: RUF043
            source.streams()


class TestSchemaRegistry:
    async def failure(self, context: SourceContext) -> SetupTestResult:
        failure = await failure_of(context)
        assert failure.title == "Schema registry"
        return failure

    def context(self, url: str, **values: Any) -> SourceContext:
        return named(
            "127.0.0.1", 1, message_type="Avro", schema_registry_urls=[url], schema_registry_key=KEY,
            schema_registry_secret=SECRET, **values,
        )  # fmt: skip

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_a_forbidden_one_is_not_asked(self, untouched: int, host: str) -> None:
        context = under(NO_PRIVATE, self.context(f"http://{host}:{untouched}"))
        assert f"{host} is not connected to" in (await self.failure(context)).message

    async def test_it_leads_nowhere_else(self, untouched: int) -> None:
        with SchemaRegistryServer() as server:
            for location in (f"http://127.0.0.1:{untouched}/", f"http://localhost:{untouched}/schemas/types"):
                server.broken = Fault(302, headers={"Location": location})
                failure = await self.failure(self.context(server.url))
                assert "does not answer as a schema registry" in failure.message

    @pytest.mark.parametrize("status", [200, 400, 403, 404, 418, 500, 503])
    @pytest.mark.parametrize("body", [b"<h1>TOP SECRET page</h1>", b'{"error_code": 1, "message": "TOP SECRET"}'])
    async def test_what_another_server_answers_is_not_repeated(self, status: int, body: bytes) -> None:
        with SchemaRegistryServer() as server:
            server.broken = Fault(status, body, headers={"X-Secret": "TOP SECRET"})
            failure = await self.failure(self.context(server.url))
        assert "SECRET" not in str(failure)


class _Intranet(BaseHTTPRequestHandler):
    """A page that is not for whoever makes connections."""

    status = 500

    def do_GET(self) -> None:
        self.send_response(self.status, "TOP SECRET")
        self.send_header("WWW-Authenticate", "TOP SECRET")
        self.end_headers()
        self.wfile.write(b"TOP SECRET")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 409, 500])
def test_what_another_server_answers_to_the_administration_api_is_not_repeated(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Intranet, "status", status)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Intranet)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        with (
            pytest.raises(Exception) as caught,  # noqa: PT011 - whatever it is, it is looked at
            opened(named("127.0.0.1", server.server_address[1])) as source,
        ):
            source.streams()
        assert "SECRET" not in str(caught.value)
    finally:
        server.shutdown()
        server.server_close()
