"""Queues and subscriptions: a store, the dead-letter queues behind it, and where messages go from there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from syncline.emulator.addresses import SubQueue
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import (
    EntityDisabledError,
    InvalidOperationError,
    MessageTooLargeError,
    QuotaExceededError,
)
from syncline.emulator.descriptions import (
    UNBOUNDED,
    EntityStatus,
    QueueDescription,
    RuntimeCounts,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.duplicates import DuplicateHistory
from syncline.emulator.errors import EmulatorError, EntityNotFoundError
from syncline.emulator.message_store import MessageStore
from syncline.emulator.store_settings import Properties, StoreSettings
from syncline.emulator.stored_message import MessageState, StoredMessage
from syncline.emulator.timeline import Timeline

MOST_HOPS = 4
"""How often a message may be forwarded before it is taken to go in circles, as in the service."""

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Where forwarded messages come from: the hops behind them and their first sequence number."""

    hops: int
    sequence_number: int | None = None


class Forwarder(Protocol):
    """Sends a message on to another entity by name (the namespace does)."""

    def __call__(self, name: str, content: BrokeredMessage, origin: Origin) -> None: ...


def milliseconds(duration: timedelta) -> int | None:
    """A duration in milliseconds, None when it has no end."""
    return None if duration >= UNBOUNDED else round(duration / timedelta(milliseconds=1))


def check_may_send(path: str, status: EntityStatus) -> None:
    """Raise EntityDisabledError when the entity's status stops senders."""
    if status in ("Disabled", "SendDisabled"):
        raise _disabled(path, status, "sent to")


def check_may_receive(path: str, status: EntityStatus) -> None:
    """Raise EntityDisabledError when the entity's status stops receivers."""
    if status in ("Disabled", "ReceiveDisabled"):
        raise _disabled(path, status, "received from")


def check_sizes(
    description: QueueDescription | TopicDescription, contents: Sequence[BrokeredMessage], held_bytes: int
) -> None:
    """Raise when a message is too large for the entity, or the entity is full."""
    limit = description.max_message_size_in_kilobytes * 1024
    for content in contents:
        if content.size > limit:
            raise MessageTooLargeError(
                f"The message has {content.size} bytes; '{description.name}' takes at most {limit}. "
                "Send less in one message."
            )
    quota = description.max_size_in_megabytes * _MEGABYTE
    if held_bytes + sum(content.size for content in contents) > quota:
        raise QuotaExceededError(
            f"'{description.name}' has reached its size of {description.max_size_in_megabytes} MB. "
            "Receive or expire what it holds, or raise MaxSizeInMegabytes."
        )


class MessageEntity:
    """What queues and subscriptions have in common: messages to receive.

    `path` is the name in its original case, `topic/Subscriptions/name` for a subscription.
    """

    def __init__(
        self,
        path: str,
        description: QueueDescription | SubscriptionDescription,
        timeline: Timeline,
        forward: Forwarder,
        *,
        is_partitioned: bool = False,
    ) -> None:
        self.path = path
        self._is_partitioned = is_partitioned
        self.is_deleted = False
        self._description = description
        self._timeline = timeline
        self._forward = forward
        self.store = MessageStore(self._settings(), timeline, self._dead_letter)
        self.dead_letters = MessageStore(self._sub_queue_settings(SubQueue.DEAD_LETTER), timeline)
        self.transfer_dead_letters = MessageStore(self._sub_queue_settings(SubQueue.TRANSFER_DEAD_LETTER), timeline)

    @property
    def size(self) -> int:
        """How many bytes of messages the entity holds, its dead letters included."""
        return self.store.size + self.dead_letters.size + self.transfer_dead_letters.size

    def store_of(self, sub_queue: SubQueue | None) -> MessageStore:
        """The store behind the entity or one of its sub-queues."""
        if sub_queue is None:
            return self.store
        return self.dead_letters if sub_queue is SubQueue.DEAD_LETTER else self.transfer_dead_letters

    def counts(self) -> RuntimeCounts:
        """How many messages the entity holds, by state."""
        return RuntimeCounts(
            active=self.store.active_count,
            dead_letter=len(self.dead_letters),
            scheduled=self.store.scheduled_count,
            transfer_dead_letter=len(self.transfer_dead_letters),
            size_in_bytes=self.size,
        )

    def check_may_receive(self) -> None:
        """Raise EntityDisabledError when the entity's status stops receivers."""
        check_may_receive(self.path, self._description.status)

    def delete(self) -> None:
        """Stop everyone who receives from the entity and forget its messages."""
        self.is_deleted = True
        error = EntityNotFoundError(f"The messaging entity '{self.path}' was deleted.")
        for store in (self.store, self.dead_letters, self.transfer_dead_letters):
            store.close(error)

    def enqueue(self, content: BrokeredMessage, origin: Origin | None = None) -> int | None:
        """Put one message in, or send it on when the entity forwards; does not wake receivers.

        :returns: its sequence number, None when it went elsewhere.
        """
        hops = origin.hops if origin else 0
        first_number = origin.sequence_number if origin else None
        if self._description.forward_to is None:
            return self.store.add(content, enqueue_sequence_number=first_number)
        if hops >= MOST_HOPS:
            self._transfer_failed(
                content, "MaxTransferHopCountExceeded", f"The message was forwarded {MOST_HOPS} times."
            )
            return None
        try:
            self._forward(self._description.forward_to, content, Origin(hops + 1, first_number))
        except EmulatorError as error:
            self._transfer_failed(content, type(error).__name__.removesuffix("Error"), error.message)
        return None

    def _apply(self, description: QueueDescription | SubscriptionDescription) -> None:
        self._description = description
        self.store.reconfigure(self._settings())
        try:
            self.check_may_receive()
        except EntityDisabledError as error:
            for store in (self.store, self.dead_letters, self.transfer_dead_letters):
                store.interrupt(error)

    def _settings(self) -> StoreSettings:
        description = self._description
        return StoreSettings(
            self.path,
            lock_duration=milliseconds(description.lock_duration) or 1,
            max_delivery_count=description.max_delivery_count,
            time_to_live=milliseconds(description.default_message_time_to_live),
            dead_letter_expired=description.dead_lettering_on_message_expiration,
            requires_session=description.requires_session,
            is_partitioned=self._is_partitioned,
        )

    def _sub_queue_settings(self, sub_queue: SubQueue) -> StoreSettings:
        return StoreSettings(
            f"{self.path}/{sub_queue}",
            lock_duration=milliseconds(self._description.lock_duration) or 1,
            max_delivery_count=None,
        )

    def _dead_letter(self, stored: StoredMessage, reason: str, description: str | None, properties: Properties) -> None:
        content = self._lettered(stored.content, reason, description, properties)
        target = self._description.forward_dead_lettered_messages_to
        if target is not None:
            try:
                self._forward(target, content, Origin(1, stored.sequence_number))
            except EmulatorError as error:
                self._transfer_failed(content, type(error).__name__.removesuffix("Error"), error.message)
            return
        moved = StoredMessage(
            content,
            stored.sequence_number,
            stored.enqueued_at,
            enqueue_sequence_number=stored.enqueue_sequence_number,
            state=MessageState.ACTIVE,
        )
        moved.delivery_count = stored.delivery_count
        self.dead_letters.adopt(moved)
        self.dead_letters.notify()

    def _transfer_failed(self, content: BrokeredMessage, reason: str, description: str) -> None:
        self.transfer_dead_letters.add(self._lettered(content, reason, description, {}))
        self.transfer_dead_letters.notify()

    def _lettered(
        self, content: BrokeredMessage, reason: str, description: str | None, properties: Properties
    ) -> BrokeredMessage:
        added = dict(properties) | {"DeadLetterReason": reason}
        if description is not None:
            added["DeadLetterErrorDescription"] = description
        return content.with_application_properties(added).with_dead_letter_source(self.path)


class Queue(MessageEntity):
    """A queue: what is sent to it is received from it."""

    def __init__(self, description: QueueDescription, timeline: Timeline, forward: Forwarder) -> None:
        super().__init__(
            description.name, description, timeline, forward, is_partitioned=description.enable_partitioning
        )
        self.description = description
        self._duplicates = duplicate_history(description)

    def update(self, description: QueueDescription) -> None:
        """Take on other properties."""
        self.description = description
        if self._duplicates is not None:
            self._duplicates.window = milliseconds(description.duplicate_detection_history_time_window) or 0
        self._apply(description)

    def send(self, contents: Sequence[BrokeredMessage], origin: Origin | None = None) -> list[int]:
        """Take in messages, all or none of them; returns the sequence numbers of those kept here."""
        check_may_send(self.path, self.description.status)
        check_sizes(self.description, contents, self.size)
        if self.description.requires_session and any(content.session_id is None for content in contents):
            raise InvalidOperationError(
                f"'{self.path}' requires sessions, and the message has no session id. Set the message's group-id."
            )
        if self._duplicates is not None:
            contents = self._duplicates.without_duplicates(contents, self._timeline.clock())
        numbers = [self.enqueue(content, origin) for content in contents]
        self.store.notify()
        return [number for number in numbers if number is not None]

    def cancel_scheduled(self, sequence_numbers: Iterable[int]) -> None:
        """Forget scheduled messages; errors as :meth:`MessageStore.cancel_scheduled`."""
        self.store.cancel_scheduled(sequence_numbers)


def duplicate_history(description: QueueDescription | TopicDescription) -> DuplicateHistory | None:
    """A history for an entity that detects duplicates, None for another."""
    if not description.requires_duplicate_detection:
        return None
    return DuplicateHistory(milliseconds(description.duplicate_detection_history_time_window) or 0)


def _disabled(path: str, status: EntityStatus, verb: str) -> EntityDisabledError:
    return EntityDisabledError(f"'{path}' has the status {status} and cannot be {verb} now. Set its status to Active.")
