"""A Service Bus on this machine for each test, and what is needed to use it."""

import importlib
import ssl
import threading
import time
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
import trustme
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from syncline.connectors.azure_service_bus.config import AzureServiceBusAuth, AzureServiceBusConfig
from syncline.connectors.base import RawBatch, ReadLimits, Source, SourceContext, Stream
from syncline.connectors.registry import connector_for
from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.topology import load_topology

SUBSCRIPTION = "reader"
POLICIES = [
    {"KeyName": "Root", "Key": "cm9vdC1rZXktcm9vdC1rZXktcm9vdC1rZXktMTIzNDU2Nzg=", "Claims": ["Manage"]},
    {"KeyName": "Listen", "Key": "bGlzdGVuLWtleS1saXN0ZW4ta2V5LWxpc3Rlbi1rZXktMTI=", "Claims": ["Listen"]},
    {"KeyName": "Send", "Key": "c2VuZC1rZXktc2VuZC1rZXktc2VuZC1rZXktc2VuZC1rZXk=", "Claims": ["Send"]},
]  # fmt: skip


def topic(name: str, *subscriptions: str) -> dict[str, Any]:
    made = [{"Name": subscription, "Properties": {}, "Rules": []} for subscription in subscriptions]
    return {"Name": name, "Properties": {}, "Subscriptions": made}


@pytest.fixture(autouse=True)
def _impatient_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sleeps in steps of 50 ms while it opens a link, and of a second before it lets a thread end."""
    impatient = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(min(seconds, 0.002))})
    for module in ("_servicebus_receiver", "_servicebus_sender", "_pyamqp.client"):
        monkeypatch.setattr(importlib.import_module(f"azure.servicebus.{module}"), "time", impatient)


@pytest.fixture
def emulator() -> Iterator[EmulatorThread]:
    """Topics orders and payments, both with the subscription `reader`, and shipments without one."""
    topics = [topic("orders", SUBSCRIPTION), topic("payments", SUBSCRIPTION), topic("shipments")]
    namespace = {"Name": "test", "Queues": [], "Topics": topics, "SharedAccessPolicies": POLICIES}
    with EmulatorThread(load_topology({"UserConfig": {"Namespaces": [namespace]}})) as running:
        yield running


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatorThread]:
    """An emulator that calls itself bus.example.com, with a certificate of a CA that is trusted for the test."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("bus.example.com").configure_cert(tls)
    with authority.cert_pem.tempfile() as path, EmulatorThread(tls=tls) as running:
        monkeypatch.setattr("certifi.where", lambda: path)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", path)
        yield running


Publish = Callable[..., None]


@pytest.fixture
def publish(emulator: EmulatorThread) -> Iterator[Publish]:
    """Send messages to a topic with the official SDK."""
    with ServiceBusClient.from_connection_string(emulator.connection_string("Root")) as client:

        def send(messages: Sequence[ServiceBusMessage | bytes | Any], to: str = "orders") -> None:
            with client.get_topic_sender(to) as sender:
                sender.send_messages(
                    [ServiceBusMessage(each) if isinstance(each, bytes) else each for each in messages]
                )

        yield send


def context_for(connection_string: str | None, *, auth: dict[str, Any] | None = None, **values: Any) -> SourceContext:
    """The context of a connection with these settings, with limits that suit a test."""
    settings: dict[str, Any] = {"schema": "bus", "message_type": "Json"}
    if connection_string is not None:
        settings["connection_string"] = connection_string
    config = AzureServiceBusConfig.parse({**settings, **values})
    return SourceContext(
        connection_id="c1",
        schema="bus",
        config=config,
        auth=AzureServiceBusAuth.parse(auth or {}, path="auth"),
        setup_test_timeout=5,
        setup_tests_timeout=20,
        request_timeout=5,
    )


def opened(context: SourceContext) -> AbstractContextManager[Source]:
    return connector_for("azure_service_bus").open_source(context)


def without_manage(emulator: EmulatorThread, *topics: str) -> SourceContext:
    """Someone who may only listen, and names topics and subscription."""
    return context_for(
        emulator.connection_string("Listen"), topics=list(topics or ("orders",)), subscriber_name=SUBSCRIPTION
    )


def read_all(context: SourceContext, stream: str = "orders", position: Any = None, **limits: int) -> list[RawBatch]:
    with opened(context) as source:
        return list(source.read(Stream(stream, "bus"), position, ReadLimits(**limits), threading.Event()))


def rows(batches: Sequence[RawBatch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.table.to_pylist()]
