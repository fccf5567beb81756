"""An emulator in the background for the tests of one module, and clients of it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from azure.servicebus import ServiceBusClient

from syncline.emulator.descriptions import (
    AccessPolicy,
    CorrelationFilter,
    QueueDescription,
    RuleDescription,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.emulator import EmulatorThread
from syncline.emulator.topology import Topology

SHORT_LOCK = timedelta(seconds=2)


def topology() -> Topology:
    """Entities for the tests; each test uses those that fit and empties what it used."""
    return Topology(
        namespace_name="tests",
        queues=[
            QueueDescription("plain"),
            QueueDescription("short-lock", lock_duration=SHORT_LOCK, max_delivery_count=2),
            QueueDescription("with-sessions", requires_session=True),
            QueueDescription("short-sessions", requires_session=True, lock_duration=SHORT_LOCK),
            QueueDescription(
                "short-lived",
                default_message_time_to_live=timedelta(seconds=0.3),
                dead_lettering_on_message_expiration=True,
            ),
            QueueDescription("unique", requires_duplicate_detection=True),
            QueueDescription("forwarding", forward_to="plain"),
            QueueDescription("small", max_size_in_megabytes=1),
        ],
        topics=[
            (
                TopicDescription("orders"),
                [
                    (SubscriptionDescription("orders", "everything"), []),
                    (
                        SubscriptionDescription("orders", "large"),
                        [RuleDescription("large", SqlFilter("amount > 100 AND sys.Label LIKE 'order%'"))],
                    ),
                    (
                        SubscriptionDescription("orders", "berlin"),
                        [RuleDescription("berlin", CorrelationFilter(label="order", properties={"city": "Berlin"}))],
                    ),
                ],
            ),
            (TopicDescription("events"), [(SubscriptionDescription("events", "audit"), [])]),
        ],
        policies=[
            AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE"),
            AccessPolicy("listen-only", "bGlzdGVu", frozenset({"Listen"})),
            AccessPolicy("send-only", "c2VuZA==", frozenset({"Send"})),
        ],
    )


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorThread]:
    with EmulatorThread(topology()) as running:
        yield running


@pytest.fixture
def client(emulator: EmulatorThread) -> Iterator[ServiceBusClient]:
    # Without keep-alive the SDK has no thread to wait for, a second each, when something is closed.
    with ServiceBusClient.from_connection_string(emulator.connection_string(), retry_total=0, keep_alive=0) as opened:
        yield opened
