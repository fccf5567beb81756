"""Queues, topics and subscriptions as elements of the administration API, and back."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from lxml import etree

from syncline.emulator.atom import (
    COUNTS,
    SERVICE_BUS,
    TYPE,
    Element,
    add,
    children,
    format_time,
    local_name,
    service_element,
)
from syncline.emulator.descriptions import (
    ALL_CLAIMS,
    AuthorizationRule,
    Claim,
    QueueDescription,
    RuntimeCounts,
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

Description = TypeVar("Description", QueueDescription, TopicDescription, SubscriptionDescription)

_PROPERTIES: dict[type, tuple[Property, ...]] = {
    QueueDescription: QUEUE_PROPERTIES,
    TopicDescription: TOPIC_PROPERTIES,
    SubscriptionDescription: SUBSCRIPTION_PROPERTIES,
}

# What clients send back although only the service sets it.
_READ_ONLY = frozenset(
    {
        "AccessedAt",
        "CorrelationFilterCount",
        "CountDetails",
        "CreatedAt",
        "DefaultRuleDescription",
        "EnableSubscriptionPartitioning",
        "EntityAvailabilityStatus",
        "IsAnonymousAccessible",
        "MessageCount",
        "SizeInBytes",
        "SqlFilterCount",
        "SubscriptionCount",
        "SupportOrdering",
        "UpdatedAt",
    }
)


def read_entity(element: Element, start: Description) -> Description:
    """A description out of an element; what the element leaves out stays as it is in `start`.

    Raises `InvalidEntityError` naming a property that is unknown, given twice or not readable.
    """
    known = {each.name: each for each in _PROPERTIES[type(start)]}
    given: dict[str, Any] = {}
    for child in children(element):
        name = local_name(child)
        if name == "AuthorizationRules" and not isinstance(start, SubscriptionDescription):
            attribute, value = "authorization_rules", cast(object, _read_authorization_rules(child))
        elif name in known:
            attribute, value = known[name].attribute, known[name].read(child.text or "")
        elif name in _READ_ONLY:
            continue
        else:
            raise InvalidEntityError(f"{local_name(element)} has no property {name!r}.")
        if attribute in given:
            raise InvalidEntityError(f"{local_name(element)} has the property {name!r} twice.")
        given[attribute] = value
    return replace(start, **given)


def check_fixed(current: Description, changed: Description) -> None:
    """Raise `InvalidEntityError` when a property that is chosen for good would change."""
    for each in _PROPERTIES[type(current)]:
        if each.fixed and getattr(current, each.attribute) != getattr(changed, each.attribute):
            raise InvalidEntityError(
                f"{each.name} cannot change after creation; delete {current.name!r} and create it again."
            )


def write_queue(queue: QueueDescription, counts: RuntimeCounts, host: str) -> Element:
    """A queue with its runtime counts; `host` completes the addresses of entities it forwards to."""
    element = service_element("QueueDescription")
    _write_properties(element, queue, QUEUE_PROPERTIES, host)
    add(element, "SizeInBytes", str(counts.size_in_bytes))
    add(element, "MessageCount", str(counts.total))
    add(element, "IsAnonymousAccessible", "false")
    _write_authorization_rules(element, queue.authorization_rules)
    _write_times(element, queue)
    add(element, "SupportOrdering", "true")
    _write_counts(element, counts)
    add(element, "EntityAvailabilityStatus", "Available")
    return element


def write_topic(topic: TopicDescription, counts: RuntimeCounts, subscription_count: int, host: str) -> Element:
    """A topic with its runtime counts."""
    element = service_element("TopicDescription")
    _write_properties(element, topic, TOPIC_PROPERTIES, host)
    add(element, "SizeInBytes", str(counts.size_in_bytes))
    add(element, "IsAnonymousAccessible", "false")
    _write_authorization_rules(element, topic.authorization_rules)
    _write_times(element, topic)
    _write_counts(element, counts)
    add(element, "SubscriptionCount", str(subscription_count))
    add(element, "EntityAvailabilityStatus", "Available")
    add(element, "EnableSubscriptionPartitioning", "false")
    return element


def write_subscription(subscription: SubscriptionDescription, counts: RuntimeCounts, host: str) -> Element:
    """A subscription with its runtime counts."""
    element = service_element("SubscriptionDescription")
    _write_properties(element, subscription, SUBSCRIPTION_PROPERTIES, host)
    add(element, "MessageCount", str(counts.total))
    _write_times(element, subscription)
    _write_counts(element, counts)
    add(element, "EntityAvailabilityStatus", "Available")
    return element


def _write_properties(
    element: Element,
    description: QueueDescription | TopicDescription | SubscriptionDescription,
    properties: Sequence[Property],
    host: str,
) -> None:
    for each in properties:
        value = getattr(description, each.attribute)
        if value is not None:
            text = each.write(value)
            add(element, each.name, f"sb://{host}/{text}" if each.kind == "entity" else text)


def _write_times(element: Element, description: QueueDescription | TopicDescription | SubscriptionDescription) -> None:
    add(element, "CreatedAt", format_time(description.created_at))
    add(element, "UpdatedAt", format_time(description.updated_at))
    add(element, "AccessedAt", format_time(description.accessed_at))


def _write_counts(element: Element, counts: RuntimeCounts) -> None:
    details = etree.SubElement(element, f"{{{SERVICE_BUS}}}CountDetails", nsmap={"d2p1": COUNTS})
    for name, count in (
        ("ActiveMessageCount", counts.active),
        ("DeadLetterMessageCount", counts.dead_letter),
        ("ScheduledMessageCount", counts.scheduled),
        ("TransferMessageCount", counts.transfer),
        ("TransferDeadLetterMessageCount", counts.transfer_dead_letter),
    ):
        etree.SubElement(details, f"{{{COUNTS}}}{name}").text = str(count)


def _write_authorization_rules(element: Element, rules: Sequence[AuthorizationRule]) -> None:
    parent = add(element, "AuthorizationRules")
    for rule in rules:
        child = add(parent, "AuthorizationRule")
        child.set(TYPE, "SharedAccessAuthorizationRule")
        add(child, "ClaimType", rule.claim_type)
        add(child, "ClaimValue", rule.claim_value)
        rights = add(child, "Rights")
        for right in sorted(rule.rights):
            add(rights, "AccessRights", right)
        add(child, "CreatedTime", format_time(rule.created_at))
        add(child, "ModifiedTime", format_time(rule.modified_at))
        add(child, "KeyName", rule.key_name)
        add(child, "PrimaryKey", rule.primary_key)
        add(child, "SecondaryKey", rule.secondary_key)


def _read_authorization_rules(parent: Element) -> tuple[AuthorizationRule, ...]:
    rules = tuple(_read_authorization_rule(child) for child in children(parent))
    names = [rule.key_name for rule in rules]
    if len(set(names)) < len(names):
        raise InvalidEntityError("AuthorizationRules: two rules have the same KeyName.")
    return rules


def _read_authorization_rule(element: Element) -> AuthorizationRule:
    def text(name: str) -> str:
        return element.findtext(f"{{{SERVICE_BUS}}}{name}") or ""

    if not text("KeyName"):
        raise InvalidEntityError("AuthorizationRules: a rule needs a KeyName.")
    rights = [right.text or "" for right in element.iterfind(f"{{{SERVICE_BUS}}}Rights/{{{SERVICE_BUS}}}AccessRights")]
    if not rights or not ALL_CLAIMS.issuperset(rights):
        raise InvalidEntityError(
            f"AuthorizationRules: the rights of {text('KeyName')!r} must be among Listen, Send and Manage."
        )
    return AuthorizationRule(
        key_name=text("KeyName"),
        primary_key=text("PrimaryKey") or _new_key(),
        secondary_key=text("SecondaryKey") or _new_key(),
        rights=frozenset(cast("list[Claim]", rights)),
        claim_type=text("ClaimType") or "SharedAccessKey",
        claim_value=text("ClaimValue") or "None",
        created_at=_read_time(text("CreatedTime")),
        modified_at=datetime.now(UTC),
    )


def _read_time(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidEntityError(f"AuthorizationRules: {text!r} is not an ISO 8601 time.") from error


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
