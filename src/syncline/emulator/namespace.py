"""A namespace: the entities of one emulator, by name, and the way from a name to what it means.

Names are compared without regard to case and kept as they were given.
"""

from collections.abc import Iterable, Sequence

from syncline.emulator.addresses import Address
from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import InvalidOperationError
from syncline.emulator.descriptions import (
    AccessPolicy,
    QueueDescription,
    RuleDescription,
    RuntimeCounts,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.entities import MessageEntity, Origin, Queue
from syncline.emulator.errors import EntityExistsError, EntityNotFoundError, InvalidEntityError
from syncline.emulator.faults import Faults
from syncline.emulator.message_store import MessageStore
from syncline.emulator.timeline import Timeline
from syncline.emulator.topics import Topic
from syncline.emulator.validation import validate_queue, validate_rule, validate_subscription, validate_topic


class Namespace:
    """The queues, topics, subscriptions, rules and access policies of one emulator."""

    def __init__(
        self, name: str = "emulator", policies: Iterable[AccessPolicy] = (), timeline: Timeline | None = None
    ) -> None:
        self.name = name
        self.policies = list(policies)
        self.timeline = Timeline() if timeline is None else timeline
        self.faults = Faults()
        self._queues: dict[str, Queue] = {}
        self._topics: dict[str, Topic] = {}

    # What there is

    def queues(self) -> list[QueueDescription]:
        """The queues, sorted by name."""
        return [queue.description for _, queue in sorted(self._queues.items())]

    def topics(self) -> list[TopicDescription]:
        """The topics, sorted by name."""
        return [topic.description for _, topic in sorted(self._topics.items())]

    def subscriptions(self, topic: str) -> list[SubscriptionDescription]:
        """The subscriptions of a topic, sorted by name."""
        return [item.description for _, item in sorted(self.topic(topic).subscriptions.items())]

    def rules(self, topic: str, subscription: str) -> list[RuleDescription]:
        """The rules of a subscription, sorted by name."""
        return self.topic(topic).subscription(subscription).rules

    def get_queue(self, name: str) -> QueueDescription:
        """The queue of that name; EntityNotFoundError when there is none."""
        return self.queue(name).description

    def get_topic(self, name: str) -> TopicDescription:
        """The topic of that name; EntityNotFoundError when there is none."""
        return self.topic(name).description

    def get_subscription(self, topic: str, name: str) -> SubscriptionDescription:
        """The subscription of that name; EntityNotFoundError when there is none."""
        return self.topic(topic).subscription(name).description

    def get_rule(self, topic: str, subscription: str, name: str) -> RuleDescription:
        """The rule of that name; EntityNotFoundError when there is none."""
        return self.topic(topic).subscription(subscription).rule(name)

    def queue_counts(self, name: str) -> RuntimeCounts:
        """How many messages a queue holds."""
        return self.queue(name).counts()

    def topic_counts(self, name: str) -> RuntimeCounts:
        """How many messages a topic holds itself."""
        return self.topic(name).counts()

    def subscription_counts(self, topic: str, name: str) -> RuntimeCounts:
        """How many messages a subscription holds."""
        return self.topic(topic).subscription(name).counts()

    # Changes

    def create_queue(self, description: QueueDescription) -> None:
        """Make a queue; EntityExistsError when a queue or topic has its name."""
        validate_queue(description)
        self._check_new(description.name)
        self._queues[description.name.lower()] = Queue(description, self.timeline, self.forward)

    def create_topic(self, description: TopicDescription) -> None:
        """Make a topic; EntityExistsError when a queue or topic has its name."""
        validate_topic(description)
        self._check_new(description.name)
        self._topics[description.name.lower()] = Topic(description, self.timeline, self.forward)

    def create_subscription(self, description: SubscriptionDescription, rules: Sequence[RuleDescription] = ()) -> None:
        """Make a subscription with these rules, or with `$Default`, which takes everything."""
        validate_subscription(description)
        for rule in rules:
            validate_rule(rule)
        self.topic(description.topic_name).add_subscription(description, rules or (RuleDescription(),))

    def create_rule(self, topic: str, subscription: str, rule: RuleDescription) -> None:
        """Make a rule of a subscription."""
        validate_rule(rule)
        self.topic(topic).subscription(subscription).add_rule(rule)

    def update_queue(self, description: QueueDescription) -> None:
        """Give a queue other properties; those fixed at creation must be as they are."""
        validate_queue(description)
        queue = self.queue(description.name)
        _check_unchanged(queue.description, description, "requires_session", "requires_duplicate_detection")
        queue.update(description)

    def update_topic(self, description: TopicDescription) -> None:
        """Give a topic other properties; those fixed at creation must be as they are."""
        validate_topic(description)
        topic = self.topic(description.name)
        _check_unchanged(topic.description, description, "requires_duplicate_detection")
        topic.update(description)

    def update_subscription(self, description: SubscriptionDescription) -> None:
        """Give a subscription other properties; those fixed at creation must be as they are."""
        validate_subscription(description)
        subscription = self.topic(description.topic_name).subscription(description.name)
        _check_unchanged(subscription.description, description, "requires_session")
        subscription.update(description)

    def update_rule(self, topic: str, subscription: str, rule: RuleDescription) -> None:
        """Replace a rule of a subscription."""
        validate_rule(rule)
        self.topic(topic).subscription(subscription).update_rule(rule)

    def delete_queue(self, name: str) -> None:
        """Remove a queue with its messages."""
        self.queue(name).delete()
        del self._queues[name.lower()]

    def delete_topic(self, name: str) -> None:
        """Remove a topic with its subscriptions and their messages."""
        self.topic(name).delete()
        del self._topics[name.lower()]

    def delete_subscription(self, topic: str, name: str) -> None:
        """Remove a subscription with its messages."""
        parent = self.topic(topic)
        parent.subscription(name).delete()
        del parent.subscriptions[name.lower()]

    def delete_rule(self, topic: str, subscription: str, name: str) -> None:
        """Remove a rule of a subscription."""
        self.topic(topic).subscription(subscription).remove_rule(name)

    # What names mean

    def queue(self, name: str) -> Queue:
        """The live queue of that name; EntityNotFoundError when there is none."""
        try:
            return self._queues[name.lower()]
        except KeyError:
            raise _not_found(name) from None

    def topic(self, name: str) -> Topic:
        """The live topic of that name; EntityNotFoundError when there is none."""
        try:
            return self._topics[name.lower()]
        except KeyError:
            raise _not_found(name) from None

    def destination(self, name: str) -> Queue | Topic:
        """What a message is sent to under that name."""
        return self._queues.get(name.lower()) or self.topic(name)

    def source(self, address: Address) -> MessageEntity:
        """What messages are received from at that address.

        :raises EntityNotFoundError: nothing has that address.
        :raises InvalidOperationError: it is a topic, from which nothing can be received.
        """
        if address.subscription is not None:
            return self.topic(address.entity).subscription(address.subscription)
        if address.entity.lower() in self._topics:
            raise InvalidOperationError(
                f"'{address.entity}' is a topic. Receive from one of its subscriptions: "
                f"'{address.entity}/Subscriptions/<name>'."
            )
        return self.queue(address.entity)

    def store(self, address: Address) -> MessageStore:
        """The store of messages at that address; errors as :meth:`source`."""
        return self.source(address).store_of(address.sub_queue)

    def policies_for(self, address: Address) -> list[AccessPolicy]:
        """The access policies that may open that address: the entity's own, then the namespace's."""
        entity = self._queues.get(address.entity.lower()) or self._topics.get(address.entity.lower())
        own = (
            [policy for rule in entity.description.authorization_rules for policy in rule.policies()] if entity else []
        )
        return [*own, *self.policies]

    def forward(self, name: str, content: BrokeredMessage, origin: Origin) -> None:
        """Send a message on to the queue or topic of that name."""
        self.destination(name).send([content], origin)

    def _check_new(self, name: str) -> None:
        if name.lower() in self._queues or name.lower() in self._topics:
            raise EntityExistsError(f"The namespace has a queue or topic named '{name}' already.")


def _check_unchanged(old: object, new: object, *fields: str) -> None:
    for field in fields:
        if getattr(old, field) != getattr(new, field):
            raise InvalidEntityError(
                f"'{field}' is fixed when an entity is created; it is {getattr(old, field)} here. "
                "Delete the entity and create it anew."
            )


def _not_found(name: str) -> EntityNotFoundError:
    return EntityNotFoundError(f"The messaging entity '{name}' could not be found. Create it, or correct its name.")
