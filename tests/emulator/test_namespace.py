"""Entities and how messages go between them, without a network."""

import pytest

from syncline.amqp import Data, Message, Properties, Timestamp
from syncline.emulator.addresses import Address, SubQueue, parse_address
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import InvalidOperationError, MessageNotFoundError
from syncline.emulator.descriptions import (
    FalseFilter,
    QueueDescription,
    RuleDescription,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.errors import EntityExistsError, EntityNotFoundError, InvalidEntityError
from syncline.emulator.message_store import MessageStore
from syncline.emulator.namespace import Namespace
from syncline.emulator.timeline import Timeline

from .test_message_store import START, Clock


class Broker:
    """A namespace with a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.timeline = Timeline(self.clock)
        self.namespace = Namespace(timeline=self.timeline)

    def pass_time(self, milliseconds: int) -> None:
        self.clock.now += milliseconds
        self.timeline.run_due()


@pytest.fixture
def broker() -> Broker:
    return Broker()


def message(body: str, *, session: str | None = None, scheduled_at: int | None = None) -> BrokeredMessage:
    annotations = None if scheduled_at is None else {"x-opt-scheduled-enqueue-time": Timestamp(scheduled_at)}
    properties = Properties(message_id=body, group_id=session)
    return BrokeredMessage(
        Message(message_annotations=annotations, properties=properties, body=Data(body.encode())).encode()
    )


def contents(store: MessageStore) -> list[str]:
    return [str(stored.content.message_id) for stored in store.peek(1, 250, max_bytes=10**6)]


def delivered(store: MessageStore) -> Message:
    (stored,) = store.peek(1, 1, max_bytes=10**6)
    return Message.decode(stored.encode())


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("orders", Address("orders")),
        ("/orders/", Address("orders")),
        ("amqps://host:5671/a/b", Address("a/b")),
        ("sb://host/orders/subscriptions/s", Address("orders", "s")),
        ("orders/Subscriptions/s/$DeadLetterQueue", Address("orders", "s", SubQueue.DEAD_LETTER)),
        ("orders/$deadletterqueue/$management", Address("orders", None, SubQueue.DEAD_LETTER, True)),
        ("orders/$Transfer/$DeadLetterQueue", Address("orders", None, SubQueue.TRANSFER_DEAD_LETTER)),
        ("orders/$management", Address("orders", is_management=True)),
        ("sb://host", Address("")),
    ],
)
def test_an_address_means(text: str, meaning: Address) -> None:
    assert parse_address(text) == meaning


def test_names_are_one_whatever_their_case(broker: Broker) -> None:
    broker.namespace.create_queue(QueueDescription("Orders"))
    assert broker.namespace.get_queue("oRDERS").name == "Orders"
    with pytest.raises(EntityExistsError, match="orders"):
        broker.namespace.create_topic(TopicDescription("orders"))
    broker.namespace.delete_queue("ORDERS")
    with pytest.raises(EntityNotFoundError, match="Orders"):
        broker.namespace.get_queue("Orders")


def test_a_subscription_starts_with_the_default_rule_and_sees_what_comes_after(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_topic(TopicDescription("t"))
    namespace.topic("t").send([message("before")])
    namespace.create_subscription(SubscriptionDescription("t", "s"))
    assert [rule.name for rule in namespace.rules("t", "s")] == ["$Default"]
    namespace.topic("t").send([message("after")])
    store = namespace.topic("t").subscription("s").store
    assert contents(store) == ["after"]
    annotations = delivered(store).message_annotations
    assert annotations is not None
    assert (annotations["x-opt-sequence-number"], annotations["x-opt-enqueue-sequence-number"]) == (1, 2)


def test_rules_may_change_while_messages_come(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_topic(TopicDescription("t"))
    namespace.create_subscription(SubscriptionDescription("t", "s"), [RuleDescription("none", FalseFilter())])
    namespace.topic("t").send([message("a")])
    namespace.create_rule("t", "s", RuleDescription("b", SqlFilter("sys.MessageId = 'b'")))
    namespace.topic("t").send([message("b"), message("c")])
    namespace.delete_rule("t", "s", "B")
    namespace.topic("t").send([message("b")])
    assert contents(namespace.topic("t").subscription("s").store) == ["b"]
    with pytest.raises(InvalidEntityError):
        namespace.create_rule("t", "s", RuleDescription("bad", SqlFilter("sys.MessageId =")))


def test_a_topic_keeps_scheduled_messages_until_their_time(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_topic(TopicDescription("t"))
    namespace.create_subscription(SubscriptionDescription("t", "s"))
    topic = namespace.topic("t")
    first, second = topic.send([message(name, scheduled_at=START + 1000) for name in ("first", "second")])
    assert namespace.topic_counts("t").scheduled == 2
    assert [stored.sequence_number for stored in topic.peek_scheduled(1, 10)] == [first, second]
    topic.cancel_scheduled([second])
    with pytest.raises(MessageNotFoundError):
        topic.cancel_scheduled([first, second])
    broker.pass_time(1000)
    assert contents(topic.subscription("s").store) == ["first"]
    assert namespace.topic_counts("t").scheduled == 0


def test_what_has_no_session_is_dead_lettered_where_sessions_are_required(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_topic(TopicDescription("t"))
    namespace.create_subscription(SubscriptionDescription("t", "s", requires_session=True))
    namespace.topic("t").send([message("none"), message("some", session="x")])
    counts = namespace.subscription_counts("t", "s")
    assert (counts.active, counts.dead_letter) == (1, 1)


def test_messages_and_dead_letters_are_forwarded(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_queue(QueueDescription("end"))
    namespace.create_queue(QueueDescription("graveyard"))
    namespace.create_topic(TopicDescription("t"))
    namespace.create_subscription(SubscriptionDescription("t", "on", forward_to="end"))
    namespace.create_subscription(
        SubscriptionDescription("t", "dead", forward_dead_lettered_messages_to="graveyard", max_delivery_count=1)
    )
    namespace.topic("t").send([message("a")])
    assert contents(namespace.queue("end").store) == ["a"]
    store = namespace.topic("t").subscription("dead").store
    locked = store.acquire(lock=True)
    assert locked is not None
    assert locked.lock_token is not None
    store.abandon(locked.lock_token, {})
    dead = delivered(namespace.queue("graveyard").store)
    assert (dead.application_properties or {})["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert (dead.message_annotations or {})["x-opt-deadletter-source"] == "t/Subscriptions/dead"


def test_what_cannot_be_forwarded_is_kept_for_somebody_to_look_at(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_queue(QueueDescription("lost", forward_to="nowhere"))
    namespace.queue("lost").send([message("a")])
    assert namespace.queue_counts("lost").transfer_dead_letter == 1
    namespace.create_queue(QueueDescription("ping", forward_to="pong"))
    namespace.create_queue(QueueDescription("pong", forward_to="ping"))
    namespace.queue("ping").send([message("round")])
    counts = [namespace.queue_counts(name).transfer_dead_letter for name in ("ping", "pong")]
    assert sorted(counts) == [0, 1]


def test_duplicates_are_forgotten_after_their_window(broker: Broker) -> None:
    namespace = broker.namespace
    namespace.create_topic(TopicDescription("t", requires_duplicate_detection=True))
    namespace.create_subscription(SubscriptionDescription("t", "s"))
    topic = namespace.topic("t")
    for wait in (0, 599_999, 1):
        broker.pass_time(wait)
        topic.send([message("a")])
    assert contents(topic.subscription("s").store) == ["a", "a"]
    assert len(topic.send([message("b"), message("c"), message("b")])) == 2


def test_nothing_is_received_from_a_topic(broker: Broker) -> None:
    broker.namespace.create_topic(TopicDescription("t"))
    with pytest.raises(InvalidOperationError, match="t/Subscriptions/"):
        broker.namespace.source(Address("t"))


def test_what_is_fixed_at_creation_cannot_be_changed(broker: Broker) -> None:
    broker.namespace.create_queue(QueueDescription("q"))
    with pytest.raises(InvalidEntityError, match="requires_session"):
        broker.namespace.update_queue(QueueDescription("q", requires_session=True))
    broker.namespace.update_queue(QueueDescription("q", max_delivery_count=3))
    assert broker.namespace.queue("q").store.settings.max_delivery_count == 3
