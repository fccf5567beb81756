"""The setup tests: what they find, what they advise, and that nothing makes them hang or raise."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import trustme
from azure.servicebus import ServiceBusMessage
from azure.servicebus._pyamqp.utils import generate_sas_token

from syncline.connectors.base import SetupTestResult, SourceContext
from syncline.connectors.registry import connector_for
from syncline.emulator.descriptions import SubscriptionDescription, TopicDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, Publish, context_for, without_manage
from tests.support.schema_registry import KEY, SECRET, Fault, SchemaRegistryServer

TITLES = [
    "Configuration",
    "Connection method",
    "Message type",
    "Namespace",
    "Credentials",
    "Topics",
    "Subscriptions",
    "Messages",
]
WRONG_KEY = "d3Jvbmcta2V5LXdyb25nLWtleS13cm9uZy1rZXktMTIzNDU="


def titles(context: SourceContext) -> list[str]:
    has_registry = getattr(context.config, "message_type", None) in ("Avro", "Protobuf")
    return [*TITLES[:3], *(["Schema registry"] if has_registry else []), *TITLES[3:]]


async def run(context: SourceContext) -> dict[str, SetupTestResult]:
    results = await connector_for("azure_service_bus").run_setup_tests(context)
    assert [result.title for result in results] == titles(context)
    return {result.title: result for result in results}


async def failure_of(context: SourceContext, title: str) -> SetupTestResult:
    """The failure of that test; all before it passed, all after it are skipped."""
    results = await run(context)
    index = titles(context).index(title)
    wanted = ["PASSED"] * index + ["FAILED"] + ["SKIPPED"] * (len(results) - index - 1)
    assert [result.status for result in results.values()] == wanted, results
    assert results[title].message
    return results[title]


def with_manage(emulator: EmulatorThread, **values: Any) -> SourceContext:
    return context_for(emulator.connection_string("Root"), has_manage_permissions=True, **values)


def at(host: str, port: int, *, plain: bool = True) -> SourceContext:
    end = "UseDevelopmentEmulator=true" if plain else ""
    text = f"Endpoint=sb://{host}:{port};SharedAccessKeyName=a;SharedAccessKey={WRONG_KEY};{end}"
    return context_for(text, topics=["orders"], subscriber_name=SUBSCRIPTION)


class TestPassing:
    async def test_all_pass_with_manage(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b'{"a": 1}'], to="payments")
        results = await run(with_manage(emulator, subscriber_name=SUBSCRIPTION))
        assert {result.status for result in results.values()} == {"PASSED"}
        assert results["Topics"].message == "3 topics found."
        assert results["Subscriptions"].details == "Created for: shipments."
        assert results["Messages"].message == "A message of the topic payments was read and decoded."
        made = emulator.call(lambda namespace: namespace.get_subscription("shipments", SUBSCRIPTION))
        assert made.default_message_time_to_live == timedelta(days=7)

    async def test_all_pass_without_manage(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b'{"a": 1}'])
        results = await run(without_manage(emulator, "orders", "payments"))
        assert {result.status for result in results.values()} == {"PASSED"}

    async def test_an_empty_subscription_passes(self, emulator: EmulatorThread) -> None:
        results = await run(without_manage(emulator))
        assert results["Messages"].status == "PASSED"
        assert results["Messages"].message == "There are no messages yet."

    async def test_an_empty_namespace_passes(self) -> None:
        with EmulatorThread() as empty:
            results = await run(context_for(empty.connection_string(), has_manage_permissions=True))
        assert {result.status for result in results.values()} == {"PASSED"}
        assert "no topics yet" in results["Topics"].message

    async def test_the_entity_path_limits_the_topics(self, emulator: EmulatorThread) -> None:
        text = emulator.connection_string("Root", "orders")
        results = await run(context_for(text, has_manage_permissions=True, subscriber_name=SUBSCRIPTION))
        assert {result.status for result in results.values()} == {"PASSED"}
        assert results["Topics"].details == "orders"

    async def test_a_signature_is_taken(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b"{}"])
        results = await run(signed(emulator, "Listen", topics=["orders"], subscriber_name=SUBSCRIPTION))
        assert {result.status for result in results.values()} == {"PASSED"}
        results = await run(signed(emulator, "Root", has_manage_permissions=True, subscriber_name=SUBSCRIPTION))
        assert {result.status for result in results.values()} == {"PASSED"}

    async def test_one_good_message_among_bad_ones_is_enough(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b"not json", b'{"a": 1}'])
        assert (await run(without_manage(emulator)))["Messages"].status == "PASSED"


def signed(emulator: EmulatorThread, policy: str, seconds: int = 600, **values: Any) -> SourceContext:
    host = f"127.0.0.1:{emulator.port}"
    key = emulator.emulator._policy(policy).key
    signature = generate_sas_token(f"sb://{host}", policy, key, int(time.time()) + seconds)
    text = f"Endpoint=sb://{host};SharedAccessSignature={signature};UseDevelopmentEmulator=true"
    return context_for(text, **values)


class TestConfiguration:
    async def test_what_is_missing_is_named(self) -> None:
        failure = await failure_of(context_for(None), "Configuration")
        assert failure.message == ("Missing: config.connection_string, config.topics, config.subscriber_name.")
        assert "needed when `auth_type` is ConnectionString" in failure.details

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"connection_method": "SSH_TUNNEL", "host_ip": "h", "host_user": "u"}, "SSH tunnel is not available yet"),
            ({"connection_method": "PRIVATE_LINK"}, "private link is not available yet"),
        ],
    )
    async def test_methods_that_are_not_available_say_so(
        self, emulator: EmulatorThread, values: dict[str, Any], words: str
    ) -> None:
        failure = await failure_of(with_manage(emulator, **values), "Connection method")
        assert words in failure.message
        assert "DIRECT" in failure.details


class TestSchemaRegistry:
    async def test_one_that_answers(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b"\0\0\0\0\x01\x02"])
        with SchemaRegistryServer() as server:
            server.register("s", {"schema": '"int"'})
            results = await run(with_registry(emulator, server.url))
        assert {result.status for result in results.values()} == {"PASSED"}
        assert results["Schema registry"].message == "It answers, and accepts the key and the secret."
        assert "was read and decoded" in results["Messages"].message

    async def test_a_wrong_secret_is_told_without_being_shown(self, emulator: EmulatorThread) -> None:
        with SchemaRegistryServer() as server:
            context = with_registry(emulator, server.url, schema_registry_secret="wrong-secret")
            failure = await failure_of(context, "Schema registry")
        assert "refused the credentials" in failure.message
        assert "wrong-secret" not in failure.message + failure.details

    async def test_one_that_does_not_answer(self, emulator: EmulatorThread) -> None:
        failure = await failure_of(with_registry(emulator, "http://127.0.0.1:1"), "Schema registry")
        assert "cannot be reached" in failure.message
        assert "schema_registry_urls" in failure.details

    async def test_one_in_trouble_while_messages_are_decoded(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([b"\0\0\0\0\x01\x02"])
        with SchemaRegistryServer() as server:
            server.faults.append(Fault(200, b'["AVRO"]'))
            server.broken = Fault(503)
            failure = await failure_of(with_registry(emulator, server.url), "Messages")
        assert "status 503" in failure.message


def with_registry(emulator: EmulatorThread, url: str, **values: Any) -> SourceContext:
    settings = {
        "message_type": "Avro",
        "subscriber_name": SUBSCRIPTION,
        "topics": ["orders"],
        "schema_registry_urls": [url],
        "schema_registry_key": KEY,
        "schema_registry_secret": SECRET,
    }
    return with_manage(emulator, **{**settings, **values})


class TestNamespace:
    async def test_a_name_that_does_not_exist(self) -> None:
        failure = await failure_of(at("no-such-host.invalid", 5672), "Namespace")
        assert "no-such-host.invalid" in failure.message
        assert "DNS" in failure.details

    async def test_a_port_where_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        failure = await failure_of(at("127.0.0.1", port), "Namespace")
        assert f"127.0.0.1:{port} refused" in failure.message

    @pytest.mark.parametrize("plain", [True, False])
    async def test_a_server_that_keeps_silent(self, plain: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            context = at("127.0.0.1", server.getsockname()[1], plain=plain)
            object.__setattr__(context, "setup_test_timeout", 0.5)
            began = time.monotonic()
            failure = await failure_of(context, "Namespace")
        assert time.monotonic() - began < 3
        assert "No answer within" in failure.message
        assert "firewall" in failure.details

    async def test_a_server_that_speaks_something_else(self) -> None:
        async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
            failure = await failure_of(at("127.0.0.1", port), "Namespace")
        assert "not in AMQP" in failure.message

    async def test_a_server_that_hangs_up(self) -> None:
        async with answering(b"") as port:
            failure = await failure_of(at("127.0.0.1", port), "Namespace")
        assert "not in AMQP" in failure.message

    async def test_a_server_without_tls(self, emulator: EmulatorThread) -> None:
        failure = await failure_of(at("127.0.0.1", emulator.port, plain=False), "Namespace")
        assert "TLS" in failure.message or "refused" in failure.message

    async def test_a_certificate_that_is_not_trusted(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("localhost").configure_cert(tls)
        with EmulatorThread(tls=tls) as secure:
            failure = await failure_of(at("localhost", secure.tls_port, plain=False), "Namespace")
        assert "not trusted" in failure.message


@contextlib.asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server that reads a little, answers that, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class TestCredentials:
    @pytest.mark.parametrize("manage", [True, False])
    async def test_a_wrong_key(self, emulator: EmulatorThread, manage: bool) -> None:
        text = emulator.connection_string("Root").replace(emulator.emulator._policy("Root").key, WRONG_KEY)
        context = context_for(text, has_manage_permissions=manage, topics=["orders"], subscriber_name=SUBSCRIPTION)
        failure = await failure_of(context, "Credentials")
        assert "refused" in failure.message
        assert WRONG_KEY not in failure.message + failure.details

    async def test_a_key_without_manage(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Listen"), has_manage_permissions=True)
        failure = await failure_of(context, "Credentials")
        assert "Manage claim" in failure.details
        assert "has_manage_permissions" in failure.details

    async def test_a_key_without_listen(self, emulator: EmulatorThread) -> None:
        context = context_for(emulator.connection_string("Send"), topics=["orders"], subscriber_name=SUBSCRIPTION)
        failure = await failure_of(context, "Credentials")
        assert "Listen claim" in failure.details

    async def test_an_expired_signature(self, emulator: EmulatorThread) -> None:
        context = signed(emulator, "Listen", -60, topics=["orders"], subscriber_name=SUBSCRIPTION)
        failure = await failure_of(context, "Credentials")
        assert "expired at" in failure.message


class TestTopicsAndSubscriptions:
    async def test_missing_topics_are_named(self, emulator: EmulatorThread) -> None:
        failure = await failure_of(with_manage(emulator, topics=["orders", "refunds", "returns"]), "Topics")
        assert "refunds, returns" in failure.message

    async def test_without_manage_a_missing_subscription_is_named(self, emulator: EmulatorThread) -> None:
        failure = await failure_of(without_manage(emulator, "orders", "shipments", "nothing"), "Subscriptions")
        assert "2 of 3 topics: shipments, nothing" in failure.message
        assert "Create it" in failure.details

    async def test_a_subscription_with_sessions_is_told(self, emulator: EmulatorThread) -> None:
        emulator.call(
            lambda namespace: namespace.create_subscription(
                SubscriptionDescription("orders", "sessions", requires_session=True)
            )
        )
        context = with_manage(emulator, topics=["orders"], subscriber_name="sessions")
        failure = await failure_of(context, "Subscriptions")
        assert "requires sessions" in failure.message

    async def test_many_topics_are_looked_at_side_by_side(self, emulator: EmulatorThread) -> None:
        names = [f"topic-{n}" for n in range(20)]

        def create(namespace: Any) -> None:
            for name in names:
                namespace.create_topic(TopicDescription(name))
                namespace.create_subscription(SubscriptionDescription(name, SUBSCRIPTION))

        emulator.call(create)
        results = await run(without_manage(emulator, *names))
        assert {result.status for result in results.values()} == {"PASSED"}


class TestMessages:
    async def test_messages_that_cannot_be_decoded_are_explained(
        self, emulator: EmulatorThread, publish: Publish
    ) -> None:
        publish([b"<xml/>", b"nonsense"])
        failure = await failure_of(without_manage(emulator), "Messages")
        assert "could be decoded as Json" in failure.message
        assert "orders:" in failure.details
        assert "config.message_type" in failure.details

    async def test_throttling_is_told(self, emulator: EmulatorThread, publish: Publish) -> None:
        publish([ServiceBusMessage(b"{}")])
        throttle = {"fault": "throttle", "entity": "orders", "seconds": 30}
        emulator.call(lambda namespace: namespace.faults.apply(throttle))
        failure = await failure_of(with_manage(emulator, topics=["orders"], subscriber_name=SUBSCRIPTION), "Messages")
        assert "busy" in failure.message


class TestLimits:
    @pytest.fixture
    def slow(self, emulator: EmulatorThread) -> Iterator[EmulatorThread]:
        emulator.call(lambda namespace: namespace.faults.apply({"fault": "delay", "seconds": 30}))
        yield emulator
        emulator.call(lambda namespace: namespace.faults.clear())

    @pytest.mark.parametrize("manage", [True, False])
    async def test_a_namespace_that_answers_too_late_fails_in_time(self, slow: EmulatorThread, manage: bool) -> None:
        context = with_manage(slow) if manage else without_manage(slow)
        object.__setattr__(context, "setup_test_timeout", 1.0)
        began = time.monotonic()
        results = await run(context)
        assert time.monotonic() - began < 4
        assert "FAILED" in {result.status for result in results.values()}

    async def test_the_loop_stays_free_meanwhile(self, slow: EmulatorThread) -> None:
        context = without_manage(slow)
        object.__setattr__(context, "setup_test_timeout", 1.0)
        task = asyncio.create_task(run(context))
        longest = 0.0
        while not task.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        await task
        assert longest < 0.5

    async def test_no_thread_is_left_behind(self, emulator: EmulatorThread) -> None:
        before = threading.active_count()
        await run(without_manage(emulator))
        deadline = time.monotonic() + 5
        while threading.active_count() > before and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert threading.active_count() <= before
