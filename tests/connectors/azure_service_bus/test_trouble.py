"""What a namespace does to its readers in production: how each trouble is handled, browsing and draining."""

import dataclasses
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusQuotaExceededError

from syncline.connectors.azure_service_bus import drain, retries
from syncline.connectors.base import (
    RawBatch,
    ReadLimits,
    SourceConfigurationError,
    SourceContext,
    SourceThrottled,
    SourceUnavailable,
    Stream,
)
from syncline.emulator.descriptions import SubscriptionDescription
from syncline.emulator.emulator import EmulatorThread
from tests.connectors.azure_service_bus.conftest import SUBSCRIPTION, Publish, context_for, opened, rows

ORDERS = Stream("orders", "bus")
Fault = Callable[..., None]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "EMPTY_AFTER", 0.4)
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.01)


@pytest.fixture(params=["Browse", "Drain"])
def context(request: pytest.FixtureRequest, emulator: EmulatorThread) -> SourceContext:
    return context_for(
        emulator.connection_string("Listen"), topics=["orders"], subscriber_name=SUBSCRIPTION, read_mode=request.param
    )


@pytest.fixture
def fault(emulator: EmulatorThread) -> Fault:
    def bring_about(name: str, **values: Any) -> None:
        emulator.call(lambda namespace: namespace.faults.apply({"fault": name, **values}))

    return bring_about


def read(context: SourceContext, after_each: Callable[[], None] = lambda: None) -> list[RawBatch]:
    """Everything in batches of 10, each acknowledged."""
    batches = []
    with opened(context) as source:
        for batch in source.read(ORDERS, None, ReadLimits(rows=10), threading.Event()):
            batches.append(batch)
            after_each()
            if batch.receipt is not None:
                source.acknowledge(ORDERS, [batch.receipt])
    return batches


def ids(batches: list[RawBatch]) -> set[str]:
    return {row["message_id"] for row in rows(batches)}


def numbered(count: int) -> list[ServiceBusMessage]:
    return [ServiceBusMessage(b"{}", message_id=f"m{n}") for n in range(count)]


ALL = {f"m{n}" for n in range(30)}


@pytest.mark.parametrize("name", ["drop_connections", "detach_links", "expire_token"])
def test_what_passes_is_tried_again(
    context: SourceContext, publish: Publish, fault: Fault, emulator: EmulatorThread, name: str
) -> None:
    publish(numbered(30))
    assert ids(read(context, lambda: fault(name))) == ALL


def test_a_time_out_is_tried_again_and_then_told(
    context: SourceContext, publish: Publish, fault: Fault, emulator: EmulatorThread
) -> None:
    publish(numbered(5))
    fault("delay", milliseconds=1500)
    impatient = dataclasses.replace(context, request_timeout=0.3)
    with pytest.raises(SourceUnavailable):
        read(impatient)
    emulator.call(lambda namespace: namespace.faults.clear())
    assert len(ids(read(context))) == 5


def test_throttling_reschedules(context: SourceContext, publish: Publish, fault: Fault) -> None:
    publish(numbered(30))
    fault("throttle", entity="orders", count=1)
    with pytest.raises(SourceThrottled) as caught:
        read(context)
    assert caught.value.retry_after_seconds == 10
    assert ids(read(context)) == ALL


def test_a_disabled_entity_is_for_a_person_to_mend(context: SourceContext, publish: Publish, fault: Fault) -> None:
    publish(numbered(5))
    fault("disable", entity="orders")
    with pytest.raises(SourceConfigurationError, match="disabled") as caught:
        read(context)
    assert "Active" in caught.value.remedy


def test_a_subscription_disabled_in_azure_is_too(
    context: SourceContext, publish: Publish, emulator: EmulatorThread
) -> None:
    publish(numbered(5))
    disabled = SubscriptionDescription("orders", SUBSCRIPTION, status="Disabled")
    emulator.call(lambda namespace: namespace.update_subscription(disabled))
    with pytest.raises(SourceConfigurationError, match="disabled"):
        read(context)


def test_an_entity_that_is_deleted_meanwhile_is_too(
    context: SourceContext, publish: Publish, emulator: EmulatorThread
) -> None:
    publish(numbered(30))
    seen = []

    def delete() -> None:
        if not seen:
            emulator.call(lambda namespace: namespace.delete_topic("orders"))
        seen.append(1)

    with pytest.raises(SourceConfigurationError, match="does not know the subscription reader of the topic orders"):
        read(context, delete)
    assert seen


def test_a_full_topic_can_be_read(
    context: SourceContext, publish: Publish, fault: Fault, emulator: EmulatorThread
) -> None:
    publish(numbered(30))
    fault("fill", entity="orders")
    with (
        ServiceBusClient.from_connection_string(emulator.connection_string("Root"), retry_total=0) as client,
        client.get_topic_sender("orders") as sender,
        pytest.raises(ServiceBusQuotaExceededError),
    ):
        sender.send_messages(ServiceBusMessage(b"{}"))
    assert ids(read(context)) == ALL


def test_pauses_grow_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            return False

    namespace: Any = type("Namespace", (), {"scrub": staticmethod(lambda text: text), "address": "there"})()

    def fail() -> None:
        raise TimeoutError("late")

    resets: list[int] = []
    with pytest.raises(SourceUnavailable):
        retries.Retries(namespace, "the queue q", Stop(), lambda: resets.append(1)).call(fail)
    assert len(resets) == retries.ATTEMPTS
    assert len(pauses) == retries.ATTEMPTS - 1
    for number, pause in enumerate(pauses):
        middle = min(retries.LONGEST_PAUSE, retries.FIRST_PAUSE * 2**number)
        assert middle / 2 <= pause <= middle * 1.5
    assert timedelta(seconds=sum(pauses)) < timedelta(minutes=1)
