"""What the service accepts in names and properties; everything else is refused with the limit."""

import re
from datetime import timedelta

from syncline.emulator.descriptions import (
    UNBOUNDED,
    QueueDescription,
    RuleDescription,
    SubscriptionDescription,
    TopicDescription,
)
from syncline.emulator.durations import format_duration
from syncline.emulator.errors import InvalidEntityError
from syncline.emulator.filters import compile_filter

_PATH = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9_])?")
_NAME = re.compile(r"[A-Za-z0-9_$](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_LONGEST_PATH = 260
_LONGEST_NAME = 50
_LONGEST_METADATA = 1024
_LONGEST_LOCK = timedelta(minutes=5)
_SHORTEST_IDLE_TIME = timedelta(minutes=5)
_DUPLICATE_WINDOW = (timedelta(seconds=20), timedelta(days=7))
_MOST_DELIVERIES = 2000


def validate_queue(queue: QueueDescription) -> None:
    """Raise `InvalidEntityError` when the service would refuse the queue."""
    _check_path("queue", queue.name)
    _check_window(queue.duplicate_detection_history_time_window)
    _check_sizes(queue)
    _check_receiving(queue, queue.name)
    _check_common(queue)


def validate_topic(topic: TopicDescription) -> None:
    """Raise `InvalidEntityError` when the service would refuse the topic."""
    _check_path("topic", topic.name)
    _check_window(topic.duplicate_detection_history_time_window)
    _check_sizes(topic)
    _check_common(topic)


def validate_subscription(subscription: SubscriptionDescription) -> None:
    """Raise `InvalidEntityError` when the service would refuse the subscription."""
    _check_name("subscription", subscription.name)
    _check_receiving(subscription, subscription.topic_name)
    _check_common(subscription)


def validate_rule(rule: RuleDescription) -> None:
    """Raise `InvalidEntityError` when the service would refuse the rule or its filter."""
    _check_name("rule", rule.name)
    compile_filter(rule.filter)


def _check_path(kind: str, name: str) -> None:
    if len(name) > _LONGEST_PATH:
        raise InvalidEntityError(f"The {kind}'s name has {len(name)} characters; at most {_LONGEST_PATH} are allowed.")
    if not _PATH.fullmatch(name) or "//" in name:
        raise InvalidEntityError(
            f"The {kind}'s name {name!r} is not allowed; use letters, digits, '.', '-', '_' and '/', "
            "and begin and end with a letter or a digit."
        )


def _check_name(kind: str, name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise InvalidEntityError(f"The {kind}'s name has {len(name)} characters; at most {_LONGEST_NAME} are allowed.")
    if not _NAME.fullmatch(name):
        raise InvalidEntityError(
            f"The {kind}'s name {name!r} is not allowed; use letters, digits, '.', '-' and '_', "
            "and begin and end with a letter or a digit."
        )


def _check_common(entity: QueueDescription | TopicDescription | SubscriptionDescription) -> None:
    if entity.default_message_time_to_live <= timedelta():
        raise InvalidEntityError("DefaultMessageTimeToLive must be longer than nothing.")
    if entity.auto_delete_on_idle < _SHORTEST_IDLE_TIME:
        raise InvalidEntityError(
            f"AutoDeleteOnIdle is {format_duration(entity.auto_delete_on_idle)}; the shortest allowed is "
            f"{format_duration(_SHORTEST_IDLE_TIME)}."
        )
    if entity.user_metadata is not None and len(entity.user_metadata) > _LONGEST_METADATA:
        raise InvalidEntityError(
            f"UserMetadata has {len(entity.user_metadata)} characters; at most {_LONGEST_METADATA} are allowed."
        )


def _check_receiving(entity: QueueDescription | SubscriptionDescription, own_path: str) -> None:
    if not timedelta() < entity.lock_duration <= _LONGEST_LOCK:
        shown = "without an end" if entity.lock_duration == UNBOUNDED else format_duration(entity.lock_duration)
        raise InvalidEntityError(f"LockDuration is {shown}; it may be at most {format_duration(_LONGEST_LOCK)}.")
    if not 1 <= entity.max_delivery_count <= _MOST_DELIVERIES:
        raise InvalidEntityError(
            f"MaxDeliveryCount is {entity.max_delivery_count}; it must be from 1 to {_MOST_DELIVERIES}."
        )
    if entity.requires_session and entity.forward_to:
        raise InvalidEntityError("ForwardTo cannot be set together with RequiresSession.")
    for name, target in (
        ("ForwardTo", entity.forward_to),
        ("ForwardDeadLetteredMessagesTo", entity.forward_dead_lettered_messages_to),
    ):
        if target and target.lower() == own_path.lower():
            raise InvalidEntityError(f"{name} is {target!r}, the entity itself; name another one.")


def _check_window(window: timedelta) -> None:
    shortest, longest = _DUPLICATE_WINDOW
    if not shortest <= window <= longest:
        raise InvalidEntityError(
            f"DuplicateDetectionHistoryTimeWindow is {format_duration(window)}; it must be from "
            f"{format_duration(shortest)} to {format_duration(longest)}."
        )


def _check_sizes(entity: QueueDescription | TopicDescription) -> None:
    for name, size in (
        ("MaxSizeInMegabytes", entity.max_size_in_megabytes),
        ("MaxMessageSizeInKilobytes", entity.max_message_size_in_kilobytes),
    ):
        if size < 1:
            raise InvalidEntityError(f"{name} is {size}; it must be at least 1.")
