"""Topics and their subscriptions: a message goes to every subscription that has a rule for it."""

import heapq
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from syncline.amqp import AmqpException
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import MessageNotFoundError, UnreadableMessageError
from syncline.emulator.descriptions import (
    RuleDescription,
    RuntimeCounts,
    SubscriptionDescription,
    TopicDescription,
    TrueFilter,
)
from syncline.emulator.entities import (
    Forwarder,
    MessageEntity,
    Origin,
    check_may_send,
    check_sizes,
    duplicate_history,
    milliseconds,
)
from syncline.emulator.errors import EntityExistsError, EntityNotFoundError
from syncline.emulator.filters import FilterInput, compile_filter
from syncline.emulator.numbering import Numbering
from syncline.emulator.stored_message import MessageState, StoredMessage
from syncline.emulator.timeline import Timeline

logger = logging.getLogger(__name__)

Predicate = Callable[[FilterInput], bool]


class Subscription(MessageEntity):
    """A subscription of a topic, with the rules that choose its messages."""

    def __init__(
        self,
        topic_name: str,
        description: SubscriptionDescription,
        rules: Iterable[RuleDescription],
        timeline: Timeline,
        forward: Forwarder,
        *,
        is_partitioned: bool = False,
    ) -> None:
        path = f"{topic_name}/Subscriptions/{description.name}"
        super().__init__(path, description, timeline, forward, is_partitioned=is_partitioned)
        self.description = description
        self._rules: dict[str, tuple[RuleDescription, Predicate]] = {}
        self._takes_everything = False
        for rule in rules:
            self.add_rule(rule)

    def update(self, description: SubscriptionDescription) -> None:
        """Take on other properties."""
        self.description = description
        self._apply(description)

    @property
    def rules(self) -> list[RuleDescription]:
        """The rules, sorted by name."""
        return [rule for _, (rule, _) in sorted(self._rules.items())]

    def rule(self, name: str) -> RuleDescription:
        """The rule of that name.

        :raises EntityNotFoundError: there is none.
        """
        try:
            return self._rules[name.lower()][0]
        except KeyError:
            raise EntityNotFoundError(f"The subscription '{self.path}' has no rule named '{name}'.") from None

    def add_rule(self, rule: RuleDescription) -> None:
        """Choose messages by one more rule.

        :raises EntityExistsError: a rule of that name is there.
        :raises InvalidEntityError: its filter cannot be read.
        """
        if rule.name.lower() in self._rules:
            raise EntityExistsError(f"The subscription '{self.path}' has a rule named '{rule.name}' already.")
        self._keep(rule)

    def update_rule(self, rule: RuleDescription) -> None:
        """Replace the rule of that name."""
        self.rule(rule.name)
        self._keep(rule)

    def remove_rule(self, name: str) -> None:
        """Choose messages without the rule of that name from now on."""
        self.rule(name)
        del self._rules[name.lower()]
        self._look_for_true_filter()

    def accepts(self, message: "FilteredMessage") -> bool:
        """Whether one of the rules lets the message through."""
        if self._takes_everything:
            return True
        return any(predicate(message.input) for _, predicate in self._rules.values())

    def receive_copy(self, content: BrokeredMessage, origin: Origin) -> None:
        """Keep a copy of a message of the topic; does not wake receivers."""
        if self.description.requires_session and content.session_id is None:
            stored = StoredMessage(
                content,
                self.store.take_number(content),
                self._timeline.clock(),
                enqueue_sequence_number=origin.sequence_number,
            )
            self._dead_letter(
                stored,
                "Session ID is null.",
                "A session enabled entity does not allow a message whose session identifier is null.",
                {},
            )
            return
        self.enqueue(content, origin)

    def _keep(self, rule: RuleDescription) -> None:
        if rule.action is not None:
            logger.warning(
                "The action of the rule %r of %r is kept, and not carried out: messages stay as they were sent.",
                rule.name,
                self.path,
            )
        self._rules[rule.name.lower()] = (rule, compile_filter(rule.filter))
        self._look_for_true_filter()

    def _look_for_true_filter(self) -> None:
        self._takes_everything = any(isinstance(rule.filter, TrueFilter) for rule, _ in self._rules.values())


class FilteredMessage:
    """A message on its way through a topic; what filters look at is decoded when the first one asks."""

    def __init__(self, content: BrokeredMessage, enqueued_at: int, sequence_number: int) -> None:
        self._content = content
        self._enqueued_at = enqueued_at
        self._sequence_number = sequence_number
        self._input: FilterInput | None = None

    @property
    def input(self) -> FilterInput:
        """The message as filters see it.

        :raises UnreadableMessageError: its properties cannot be decoded.
        """
        if self._input is None:
            try:
                properties = self._content.properties()
                application_properties = self._content.application_properties()
            except AmqpException as error:
                raise UnreadableMessageError(f"The message cannot be read: {error}") from error
            self._input = FilterInput(
                message_id=properties.message_id,
                correlation_id=properties.correlation_id,
                to=properties.to,
                reply_to=properties.reply_to,
                subject=properties.subject,
                session_id=properties.group_id,
                reply_to_session_id=properties.reply_to_group_id,
                content_type=properties.content_type,
                enqueued_time=datetime.fromtimestamp(self._enqueued_at / 1000, UTC),
                sequence_number=self._sequence_number,
                properties=application_properties,
            )
        return self._input


class Topic:
    """A topic: numbers what is sent to it and copies it to its subscriptions."""

    def __init__(self, description: TopicDescription, timeline: Timeline, forward: Forwarder) -> None:
        self.description = description
        self.subscriptions: dict[str, Subscription] = {}
        self.is_deleted = False
        self._timeline = timeline
        self._forward = forward
        self._duplicates = duplicate_history(description)
        self._numbering = Numbering(is_partitioned=description.enable_partitioning)
        self._scheduled: dict[int, StoredMessage] = {}
        self._schedule: list[tuple[int, int]] = []

    @property
    def path(self) -> str:
        """The topic's name."""
        return self.description.name

    @property
    def size(self) -> int:
        """How many bytes of messages the topic's subscriptions hold, and its schedule."""
        scheduled = sum(stored.content.size for stored in self._scheduled.values())
        return scheduled + sum(subscription.size for subscription in self.subscriptions.values())

    def update(self, description: TopicDescription) -> None:
        """Take on other properties."""
        self.description = description
        if self._duplicates is not None:
            self._duplicates.window = milliseconds(description.duplicate_detection_history_time_window) or 0

    def delete(self) -> None:
        """Delete the subscriptions and forget what is scheduled."""
        self.is_deleted = True
        self._scheduled.clear()
        for subscription in self.subscriptions.values():
            subscription.delete()

    def counts(self) -> RuntimeCounts:
        """How many messages the topic itself holds (the scheduled ones), and its size."""
        return RuntimeCounts(scheduled=len(self._scheduled), size_in_bytes=self.size)

    def subscription(self, name: str) -> Subscription:
        """The subscription of that name.

        :raises EntityNotFoundError: there is none.
        """
        try:
            return self.subscriptions[name.lower()]
        except KeyError:
            raise EntityNotFoundError(
                f"The messaging entity '{self.path}/Subscriptions/{name}' could not be found. "
                "Create the subscription, or correct its name."
            ) from None

    def add_subscription(self, description: SubscriptionDescription, rules: Iterable[RuleDescription]) -> None:
        """Copy messages to one more subscription from now on."""
        key = description.name.lower()
        if key in self.subscriptions:
            raise EntityExistsError(f"The topic '{self.path}' has a subscription named '{description.name}' already.")
        self.subscriptions[key] = Subscription(
            self.path,
            description,
            rules,
            self._timeline,
            self._forward,
            is_partitioned=self.description.enable_partitioning,
        )

    def send(self, contents: Sequence[BrokeredMessage], origin: Origin | None = None) -> list[int]:
        """Take in messages, all or none of them; returns the numbers that the topic gave them."""
        check_may_send(self.path, self.description.status)
        check_sizes(self.description, contents, self.size)
        now = self._timeline.clock()
        if self._duplicates is not None:
            contents = self._duplicates.without_duplicates(contents, now)
        numbers = []
        hops = origin.hops if origin else 0
        for content in contents:
            number = self._numbering.take(content)
            numbers.append(number)
            if content.scheduled_at is not None and content.scheduled_at > now:
                self._keep_for_later(content, number, now)
            else:
                self._copy(content, number, now, hops)
        self._notify()
        return numbers

    def cancel_scheduled(self, sequence_numbers: Iterable[int]) -> None:
        """Forget scheduled messages.

        :raises MessageNotFoundError: one of them is not scheduled; then none is forgotten.
        """
        wanted = list(dict.fromkeys(sequence_numbers))
        for number in wanted:
            if number not in self._scheduled:
                raise MessageNotFoundError(
                    f"No scheduled message has the sequence number {number} in '{self.path}': "
                    "it was cancelled, or its time has come."
                )
        for number in wanted:
            del self._scheduled[number]

    def peek_scheduled(self, from_sequence_number: int, limit: int) -> list[StoredMessage]:
        """The scheduled messages from a number on."""
        numbers = sorted(number for number in self._scheduled if number >= from_sequence_number)
        return [self._scheduled[number] for number in numbers[:limit]]

    def _keep_for_later(self, content: BrokeredMessage, number: int, now: int) -> None:
        due = content.scheduled_at or now
        self._scheduled[number] = StoredMessage(content, number, now, state=MessageState.SCHEDULED)
        heapq.heappush(self._schedule, (due, number))
        self._timeline.at(due, self._publish_due)

    def _publish_due(self) -> None:
        now = self._timeline.clock()
        while self._schedule and self._schedule[0][0] <= now:
            _, number = heapq.heappop(self._schedule)
            stored = self._scheduled.pop(number, None)
            if stored is not None:
                self._copy(stored.content, self._numbering.take(stored.content), now, 0)
        self._notify()

    def _copy(self, content: BrokeredMessage, number: int, now: int, hops: int) -> None:
        message = FilteredMessage(content, now, number)
        origin = Origin(hops, number)
        for subscription in self.subscriptions.values():
            if subscription.accepts(message):
                subscription.receive_copy(content, origin)

    def _notify(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.store.notify()
