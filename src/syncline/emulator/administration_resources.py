"""What the addresses of the administration API stand for, and what can be done with each.

A resource answers with entries (or pages of them) and raises the emulator's errors; it knows
nothing of HTTP.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from syncline.emulator.atom import SERVICE_BUS, Element, Entry, add, format_time, local_name, service_element
from syncline.emulator.atom_entities import (
    check_fixed,
    read_entity,
    write_queue,
    write_subscription,
    write_topic,
)
from syncline.emulator.atom_rules import read_rule, write_rule
from syncline.emulator.descriptions import (
    QueueDescription,
    RuleDescription,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.errors import EntityExistsError, EntityNotFoundError, InvalidEntityError
from syncline.emulator.namespace import Namespace
from syncline.emulator.validation import validate_queue, validate_rule, validate_subscription, validate_topic


class Resource(Protocol):
    """One entity: it may be there or not."""

    def get(self) -> Entry:
        """The entity. Raises `EntityNotFoundError`."""

    def create(self, description: Element) -> Entry:
        """Make the entity. Raises `EntityExistsError` or `InvalidEntityError`."""

    def update(self, description: Element) -> Entry:
        """Change the entity. Raises `EntityNotFoundError` or `InvalidEntityError`."""

    def delete(self) -> None:
        """Remove the entity. Raises `EntityNotFoundError`."""


class Collection:
    """A list of entities: their entries are only written for the page that is asked for."""

    def __init__(self, title: str, entries: Sequence[Callable[[], Entry]]) -> None:
        self.title = title
        self._entries = entries

    def page(self, skip: int, top: int) -> tuple[list[Entry], bool]:
        """The entries from `skip` on, at most `top` of them, and whether more follow."""
        entries = [write() for write in self._entries[skip : skip + top]]
        return entries, skip + top < len(self._entries)


_RULE = re.compile(r"(?P<topic>.+)/subscriptions/(?P<subscription>[^/]+)/rules/(?P<rule>[^/]+)", re.IGNORECASE)
_RULES = re.compile(r"(?P<topic>.+)/subscriptions/(?P<subscription>[^/]+)/rules", re.IGNORECASE)
_SUBSCRIPTION = re.compile(r"(?P<topic>.+)/subscriptions/(?P<subscription>[^/]+)", re.IGNORECASE)
_SUBSCRIPTIONS = re.compile(r"(?P<topic>.+)/subscriptions", re.IGNORECASE)


class Resources:
    """The resources of a namespace by their path; `host` completes the addresses in answers."""

    def __init__(self, namespace: Namespace, host: str) -> None:
        self._namespace = namespace
        self._host = host

    def find(self, path: str) -> Resource | Collection:
        """What a decoded path stands for. Raises `EntityNotFoundError`."""
        path = path.strip("/")
        match path.lower():
            case "$resources/queues":
                return self._queues()
            case "$resources/topics":
                return self._topics()
            case "$namespaceinfo":
                return _NamespaceInformation(self._namespace, self._host)
        if found := _RULE.fullmatch(path):
            return _Rule(self._namespace, self._host, found["topic"], found["subscription"], found["rule"])
        if found := _RULES.fullmatch(path):
            return self._rules(found["topic"], found["subscription"])
        if found := _SUBSCRIPTION.fullmatch(path):
            return _Subscription(self._namespace, self._host, found["topic"], found["subscription"])
        if found := _SUBSCRIPTIONS.fullmatch(path):
            return self._subscriptions(found["topic"])
        if not path or path.startswith("$"):
            raise EntityNotFoundError(f"The administration API has nothing at '/{path}'.")
        return _QueueOrTopic(self._namespace, self._host, path)

    def _queues(self) -> Collection:
        queues = self._namespace.queues()
        return Collection("Queues", [_QueueOrTopic(self._namespace, self._host, each.name).get for each in queues])

    def _topics(self) -> Collection:
        topics = self._namespace.topics()
        return Collection("Topics", [_QueueOrTopic(self._namespace, self._host, each.name).get for each in topics])

    def _subscriptions(self, topic: str) -> Collection:
        found = self._namespace.subscriptions(topic)
        names = [each.name for each in found]
        subscriptions = [_Subscription(self._namespace, self._host, topic, name) for name in names]
        return Collection("Subscriptions", [subscription.get for subscription in subscriptions])

    def _rules(self, topic: str, subscription: str) -> Collection:
        names = [each.name for each in self._namespace.rules(topic, subscription)]
        return Collection(
            "Rules", [_Rule(self._namespace, self._host, topic, subscription, name).get for name in names]
        )


class _QueueOrTopic:
    def __init__(self, namespace: Namespace, host: str, name: str) -> None:
        self._namespace = namespace
        self._host = host
        self._name = name

    def get(self) -> Entry:
        found = self._find()
        if isinstance(found, QueueDescription):
            content = write_queue(found, self._namespace.queue_counts(found.name), self._host)
        else:
            content = write_topic(
                found,
                self._namespace.topic_counts(found.name),
                len(self._namespace.subscriptions(found.name)),
                self._host,
            )
        return Entry(f"https://{self._host}/{found.name}", found.name, content, found.created_at, found.updated_at)

    def create(self, description: Element) -> Entry:
        if self._exists():
            raise EntityExistsError(f"The namespace has a queue or topic named {self._name!r} already.")
        match local_name(description):
            case "QueueDescription":
                queue = read_entity(description, QueueDescription(self._name))
                validate_queue(queue)
                self._namespace.create_queue(queue)
            case "TopicDescription":
                topic = read_entity(description, TopicDescription(self._name))
                validate_topic(topic)
                self._namespace.create_topic(topic)
            case other:
                raise InvalidEntityError(
                    f"The body describes a {other!r}; here it must be a QueueDescription or a TopicDescription."
                )
        return self.get()

    def update(self, description: Element) -> Entry:
        current = self._find()
        if isinstance(current, QueueDescription):
            _expect(description, "QueueDescription")
            queue = replace(read_entity(description, current), updated_at=datetime.now(UTC))
            check_fixed(current, queue)
            validate_queue(queue)
            self._namespace.update_queue(queue)
        else:
            _expect(description, "TopicDescription")
            topic = replace(read_entity(description, current), updated_at=datetime.now(UTC))
            check_fixed(current, topic)
            validate_topic(topic)
            self._namespace.update_topic(topic)
        return self.get()

    def delete(self) -> None:
        found = self._find()
        if isinstance(found, QueueDescription):
            self._namespace.delete_queue(found.name)
        else:
            self._namespace.delete_topic(found.name)

    def _find(self) -> QueueDescription | TopicDescription:
        try:
            return self._namespace.get_queue(self._name)
        except EntityNotFoundError:
            pass
        try:
            return self._namespace.get_topic(self._name)
        except EntityNotFoundError:
            raise EntityNotFoundError(f"The namespace has no queue or topic named {self._name!r}.") from None

    def _exists(self) -> bool:
        try:
            self._find()
        except EntityNotFoundError:
            return False
        return True


class _Subscription:
    def __init__(self, namespace: Namespace, host: str, topic: str, name: str) -> None:
        self._namespace = namespace
        self._host = host
        self._topic = topic
        self._name = name

    def get(self) -> Entry:
        found = self._namespace.get_subscription(self._topic, self._name)
        counts = self._namespace.subscription_counts(self._topic, self._name)
        return Entry(
            f"https://{self._host}/{found.topic_name}/Subscriptions/{found.name}",
            found.name,
            write_subscription(found, counts, self._host),
            found.created_at,
            found.updated_at,
        )

    def create(self, description: Element) -> Entry:
        _expect(description, "SubscriptionDescription")
        topic = self._namespace.get_topic(self._topic)
        subscription = read_entity(description, SubscriptionDescription(topic.name, self._name))
        validate_subscription(subscription)
        first_rule = description.find(f"{{{SERVICE_BUS}}}DefaultRuleDescription")
        rule = RuleDescription() if first_rule is None else read_rule(first_rule)
        validate_rule(rule)
        self._namespace.create_subscription(subscription, [rule])
        return self.get()

    def update(self, description: Element) -> Entry:
        _expect(description, "SubscriptionDescription")
        current = self._namespace.get_subscription(self._topic, self._name)
        subscription = replace(read_entity(description, current), updated_at=datetime.now(UTC))
        check_fixed(current, subscription)
        validate_subscription(subscription)
        self._namespace.update_subscription(subscription)
        return self.get()

    def delete(self) -> None:
        self._namespace.delete_subscription(self._topic, self._name)


class _Rule:
    def __init__(self, namespace: Namespace, host: str, topic: str, subscription: str, name: str) -> None:
        self._namespace = namespace
        self._host = host
        self._topic = topic
        self._subscription = subscription
        self._name = name

    def get(self) -> Entry:
        parent = self._namespace.get_subscription(self._topic, self._subscription)
        found = self._namespace.get_rule(self._topic, self._subscription, self._name)
        return Entry(
            f"https://{self._host}/{parent.topic_name}/Subscriptions/{parent.name}/Rules/{found.name}",
            found.name,
            write_rule(found),
            found.created_at,
            found.created_at,
        )

    def create(self, description: Element) -> Entry:
        rule = self._read(description)
        self._namespace.create_rule(self._topic, self._subscription, rule)
        return self.get()

    def update(self, description: Element) -> Entry:
        current = self._namespace.get_rule(self._topic, self._subscription, self._name)
        rule = replace(self._read(description), name=current.name, created_at=current.created_at)
        self._namespace.update_rule(self._topic, self._subscription, rule)
        return self.get()

    def delete(self) -> None:
        self._namespace.delete_rule(self._topic, self._subscription, self._name)

    def _read(self, description: Element) -> RuleDescription:
        _expect(description, "RuleDescription")
        rule = read_rule(description, self._name)
        validate_rule(rule)
        return rule


class _NamespaceInformation:
    def __init__(self, namespace: Namespace, host: str) -> None:
        self._namespace = namespace
        self._host = host
        self._created_at = datetime.now(UTC)

    def get(self) -> Entry:
        element = service_element("NamespaceInfo")
        moment = format_time(self._created_at)
        add(element, "CreatedTime", moment)
        add(element, "MessagingSKU", "Standard")
        add(element, "ModifiedTime", moment)
        add(element, "Name", self._namespace.name)
        add(element, "NamespaceType", "Messaging")
        return Entry(
            f"https://{self._host}/$namespaceinfo",
            self._namespace.name,
            element,
            self._created_at,
            self._created_at,
        )

    def create(self, description: Element) -> Entry:
        raise InvalidEntityError("The namespace itself cannot be created here.")

    def update(self, description: Element) -> Entry:
        raise InvalidEntityError("The namespace itself cannot be changed here.")

    def delete(self) -> None:
        raise InvalidEntityError("The namespace itself cannot be deleted; stop the emulator instead.")


def _expect(description: Element, name: str) -> None:
    if local_name(description) != name:
        raise InvalidEntityError(f"The body describes a {local_name(description)!r}; here it must be a {name}.")
