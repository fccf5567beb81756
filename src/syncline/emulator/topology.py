"""The entities to start with, from a JSON file in the format of Microsoft's own emulator.

The file names one namespace with its queues, topics, subscriptions and rules. One key is an
addition: `SharedAccessPolicies`, a list of `{"KeyName", "Key", "Claims"}`; without it the namespace
has the policy of Microsoft's emulator, with every claim.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from syncline.emulator.descriptions import (
    ALL_CLAIMS,
    AccessPolicy,
    CorrelationFilter,
    Filter,
    QueueDescription,
    RuleDescription,
    SqlAction,
    SqlFilter,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.properties import (
    QUEUE_PROPERTIES,
    SUBSCRIPTION_PROPERTIES,
    TOPIC_PROPERTIES,
    Property,
)
from syncline.emulator.validation import validate_queue, validate_rule, validate_subscription, validate_topic

DEFAULT_POLICY = AccessPolicy("RootManageSharedAccessKey", "SAS_KEY_VALUE")
"""The policy of Microsoft's emulator, whose connection string its documentation gives."""

DEFAULT_NAMESPACE_NAME = "sbemulatorns"

_CORRELATION_FIELDS = {
    "ContentType": "content_type",
    "CorrelationId": "correlation_id",
    "Label": "label",
    "MessageId": "message_id",
    "ReplyTo": "reply_to",
    "ReplyToSessionId": "reply_to_session_id",
    "SessionId": "session_id",
    "To": "to",
}

Description = TypeVar("Description", QueueDescription, TopicDescription, SubscriptionDescription)


@dataclass(slots=True)
class Topology:
    """What a namespace holds when the emulator starts."""

    namespace_name: str = DEFAULT_NAMESPACE_NAME
    queues: list[QueueDescription] = field(default_factory=list)
    topics: list[tuple[TopicDescription, list[tuple[SubscriptionDescription, list[RuleDescription]]]]] = field(
        default_factory=list
    )
    policies: list[AccessPolicy] = field(default_factory=lambda: [DEFAULT_POLICY])


def load_topology(source: Path | str | Mapping[str, Any]) -> Topology:
    """Read a topology file, or its content when it is a mapping already.

    Raises `InvalidEntityError` with the path of the file or the JSON path of what is wrong.
    """
    content: object = source if isinstance(source, Mapping) else _read(Path(source))
    root = _Node(content, "$")
    root.allow("UserConfig", "$schema")
    config = root.child("UserConfig")
    config.allow("Namespaces", "Logging")
    namespaces = list(config.items("Namespaces"))
    if len(namespaces) != 1:
        raise config.wrong(f"Namespaces must hold one namespace, not {len(namespaces)}")
    return _topology(namespaces[0])


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidEntityError(f"The topology file {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InvalidEntityError(f"The topology file {path} is not JSON: {error}.") from error


def _topology(namespace: "_Node") -> Topology:
    namespace.allow("Name", "Queues", "Topics", "SharedAccessPolicies")
    topology = Topology(namespace_name=namespace.text("Name") or DEFAULT_NAMESPACE_NAME)
    paths: set[str] = set()
    for node in namespace.items("Queues"):
        queue = _entity(node, QueueDescription(node.name()), QUEUE_PROPERTIES, validate_queue)
        node.unique(queue.name, paths)
        topology.queues.append(queue)
    for node in namespace.items("Topics"):
        topic = _entity(node, TopicDescription(node.name()), TOPIC_PROPERTIES, validate_topic, "Subscriptions")
        node.unique(topic.name, paths)
        topology.topics.append((topic, _subscriptions(node, topic)))
    policies = [_policy(node) for node in namespace.items("SharedAccessPolicies")]
    return replace(topology, policies=policies) if policies else topology


def _entity(
    node: "_Node",
    description: Description,
    properties: Sequence[Property],
    validate: Callable[[Description], None],
    *children: str,
) -> Description:
    node.allow("Name", "Properties", *children)
    values = node.child("Properties", optional=True)
    values.allow(*(each.name for each in properties))
    given: dict[str, Any] = {
        each.attribute: values.property(each) for each in properties if each.name in values.content
    }
    description = replace(description, **given)
    node.check(validate, description)
    return description


def _subscriptions(
    topic_node: "_Node", topic: TopicDescription
) -> list[tuple[SubscriptionDescription, list[RuleDescription]]]:
    subscriptions: list[tuple[SubscriptionDescription, list[RuleDescription]]] = []
    names: set[str] = set()
    for node in topic_node.items("Subscriptions"):
        blank = SubscriptionDescription(topic.name, node.name())
        subscription = _entity(node, blank, SUBSCRIPTION_PROPERTIES, validate_subscription, "Rules")
        node.unique(subscription.name, names)
        rule_names: set[str] = set()
        rules = []
        for rule_node in node.items("Rules"):
            rule = _rule(rule_node)
            rule_node.unique(rule.name, rule_names)
            rules.append(rule)
        subscriptions.append((subscription, rules or [RuleDescription()]))
    return subscriptions


def _rule(node: "_Node") -> RuleDescription:
    node.allow("Name", "Properties")
    properties = node.child("Properties")
    properties.allow("FilterType", "CorrelationFilter", "SqlFilter", "Action")
    action = properties.child("Action", optional=True)
    action.allow("SqlExpression")
    expression = action.text("SqlExpression")
    rule = RuleDescription(node.name(), _filter(properties), SqlAction(expression) if expression else None)
    node.check(validate_rule, rule)
    return rule


def _filter(properties: "_Node") -> Filter:
    match properties.text("FilterType"):
        case "Correlation":
            return _correlation_filter(properties.child("CorrelationFilter"))
        case "Sql":
            sql = properties.child("SqlFilter")
            sql.allow("SqlExpression")
            return SqlFilter(sql.text("SqlExpression") or "")
        case other:
            raise properties.wrong(f"FilterType is {other!r}; use Correlation or Sql")


def _correlation_filter(node: "_Node") -> CorrelationFilter:
    node.allow("Properties", *_CORRELATION_FIELDS)
    fields = {attribute: node.text(name) or None for name, attribute in _CORRELATION_FIELDS.items()}
    properties = node.child("Properties", optional=True)
    for name, value in properties.content.items():
        if not isinstance(value, str | int | float | bool):
            raise properties.wrong(f"{name} must be text, a number, true or false")
    return CorrelationFilter(**fields, properties=dict(properties.content))


def _policy(node: "_Node") -> AccessPolicy:
    node.allow("KeyName", "Key", "Claims")
    key_name, key = node.text("KeyName"), node.text("Key")
    if not key_name or not key:
        raise node.wrong("KeyName and Key must both be given")
    claims = node.content.get("Claims", sorted(ALL_CLAIMS))
    if not isinstance(claims, list) or not claims or not ALL_CLAIMS.issuperset(map(str, claims)):
        raise node.wrong("Claims must be a list of Listen, Send and Manage")
    return AccessPolicy(key_name, key, frozenset(claims))


class _Node:
    """An object of the file and where it stands, so that every complaint can say where."""

    def __init__(self, content: object, path: str) -> None:
        self.path = path
        if not isinstance(content, Mapping):
            raise self.wrong("must be an object")
        self.content: Mapping[str, Any] = content

    def wrong(self, message: str) -> InvalidEntityError:
        return InvalidEntityError(f"The topology is wrong at {self.path}: {message}.")

    def allow(self, *names: str) -> None:
        unknown = [name for name in self.content if name not in names]
        if unknown:
            raise self.wrong(f"{unknown[0]!r} is not known here; known are {', '.join(sorted(names))}")

    def child(self, name: str, *, optional: bool = False) -> "_Node":
        if self.content.get(name) is None:
            if optional:
                return _Node({}, f"{self.path}.{name}")
            raise self.wrong(f"{name} is missing")
        return _Node(self.content[name], f"{self.path}.{name}")

    def items(self, name: str) -> Iterator["_Node"]:
        items = self.content.get(name)
        if items is None:
            return
        if not isinstance(items, list):
            raise self.wrong(f"{name} must be a list")
        for index, item in enumerate(items):
            yield _Node(item, f"{self.path}.{name}[{index}]")

    def text(self, name: str) -> str | None:
        value = self.content.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong(f"{name} must be text")
        return value

    def name(self) -> str:
        name = self.text("Name")
        if not name:
            raise self.wrong("Name is missing")
        return name

    def unique(self, name: str, seen: set[str]) -> None:
        if name.lower() in seen:
            raise self.wrong(f"the name {name!r} is taken already")
        seen.add(name.lower())

    def property(self, wanted: Property) -> object:
        value = self.content[wanted.name]
        kinds: dict[str, type] = {"boolean": bool, "integer": int}
        expected = kinds.get(wanted.kind, str)
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            words = {bool: "true or false", int: "a whole number"}.get(expected, "text")
            raise self.wrong(f"{wanted.name} must be {words}")
        if not isinstance(value, str):
            return value
        try:
            return wanted.read(value)
        except InvalidEntityError as error:
            raise self.wrong(error.message.rstrip(".")) from error

    def check(self, validate: Callable[[Any], None], description: object) -> None:
        try:
            validate(description)
        except InvalidEntityError as error:
            raise self.wrong(error.message.rstrip(".")) from error
