"""The properties of queues, topics and subscriptions by the names the outside world uses.

The administration API (XML) and the topology file (JSON) carry the same properties; both read and
write them through these tables. The order is the one in which the service sends them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from syncline.emulator.descriptions import ENTITY_STATUSES
from syncline.emulator.durations import format_duration, parse_duration
from syncline.emulator.errors import InvalidEntityError

Kind = Literal["duration", "boolean", "integer", "text", "entity", "status"]


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its outside name, the attribute of the description and what kind of value it is.

    A `fixed` property can be chosen when the entity is created and not changed afterwards.
    """

    name: str
    attribute: str
    kind: Kind
    fixed: bool = False

    def read(self, text: str) -> object:
        """The value out of the text of an XML element. Raises `InvalidEntityError`."""
        try:
            return _READERS[self.kind](text)
        except ValueError as error:
            raise InvalidEntityError(f"{self.name}: {error}") from error

    def write(self, value: object) -> str:
        """The text of an XML element for a value that is set."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return format_duration(value) if isinstance(value, timedelta) else str(value)


def _read_boolean(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError(f"{text!r} is neither true nor false.")


def _read_integer(text: str) -> int:
    stripped = text.strip()
    if not (stripped.isascii() and stripped.removeprefix("-").isdigit() and len(stripped) <= 19):
        raise ValueError(f"{text!r} is not a whole number.")
    return int(stripped)


def _read_status(text: str) -> str:
    if text not in ENTITY_STATUSES:
        raise ValueError(f"{text!r} is not a status; use one of {', '.join(ENTITY_STATUSES)}.")
    return text


def read_entity_path(text: str) -> str | None:
    """The name of an entity out of its name or its address (`sb://host/name`); None when empty."""
    path = urlsplit(text).path if "://" in text else text
    return path.strip("/") or None


_READERS: Mapping[Kind, Callable[[str], object]] = {
    "duration": parse_duration,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "text": str,
    "entity": read_entity_path,
    "status": _read_status,
}

QUEUE_PROPERTIES = (
    Property("LockDuration", "lock_duration", "duration"),
    Property("MaxSizeInMegabytes", "max_size_in_megabytes", "integer"),
    Property("RequiresDuplicateDetection", "requires_duplicate_detection", "boolean", fixed=True),
    Property("RequiresSession", "requires_session", "boolean", fixed=True),
    Property("DefaultMessageTimeToLive", "default_message_time_to_live", "duration"),
    Property("DeadLetteringOnMessageExpiration", "dead_lettering_on_message_expiration", "boolean"),
    Property("DuplicateDetectionHistoryTimeWindow", "duplicate_detection_history_time_window", "duration"),
    Property("MaxDeliveryCount", "max_delivery_count", "integer"),
    Property("EnableBatchedOperations", "enable_batched_operations", "boolean"),
    Property("Status", "status", "status"),
    Property("AutoDeleteOnIdle", "auto_delete_on_idle", "duration"),
    Property("EnablePartitioning", "enable_partitioning", "boolean", fixed=True),
    Property("EnableExpress", "enable_express", "boolean"),
    Property("ForwardTo", "forward_to", "entity"),
    Property("UserMetadata", "user_metadata", "text"),
    Property("ForwardDeadLetteredMessagesTo", "forward_dead_lettered_messages_to", "entity"),
    Property("MaxMessageSizeInKilobytes", "max_message_size_in_kilobytes", "integer"),
)

TOPIC_PROPERTIES = (
    Property("DefaultMessageTimeToLive", "default_message_time_to_live", "duration"),
    Property("MaxSizeInMegabytes", "max_size_in_megabytes", "integer"),
    Property("RequiresDuplicateDetection", "requires_duplicate_detection", "boolean", fixed=True),
    Property("DuplicateDetectionHistoryTimeWindow", "duplicate_detection_history_time_window", "duration"),
    Property("EnableBatchedOperations", "enable_batched_operations", "boolean"),
    Property("FilteringMessagesBeforePublishing", "filtering_messages_before_publishing", "boolean"),
    Property("Status", "status", "status"),
    Property("SupportOrdering", "support_ordering", "boolean"),
    Property("AutoDeleteOnIdle", "auto_delete_on_idle", "duration"),
    Property("EnablePartitioning", "enable_partitioning", "boolean", fixed=True),
    Property("EnableExpress", "enable_express", "boolean"),
    Property("UserMetadata", "user_metadata", "text"),
    Property("MaxMessageSizeInKilobytes", "max_message_size_in_kilobytes", "integer"),
)

SUBSCRIPTION_PROPERTIES = (
    Property("LockDuration", "lock_duration", "duration"),
    Property("RequiresSession", "requires_session", "boolean", fixed=True),
    Property("DefaultMessageTimeToLive", "default_message_time_to_live", "duration"),
    Property("DeadLetteringOnMessageExpiration", "dead_lettering_on_message_expiration", "boolean"),
    Property("DeadLetteringOnFilterEvaluationExceptions", "dead_lettering_on_filter_evaluation_exceptions", "boolean"),
    Property("MaxDeliveryCount", "max_delivery_count", "integer"),
    Property("EnableBatchedOperations", "enable_batched_operations", "boolean"),
    Property("Status", "status", "status"),
    Property("ForwardTo", "forward_to", "entity"),
    Property("ForwardDeadLetteredMessagesTo", "forward_dead_lettered_messages_to", "entity"),
    Property("AutoDeleteOnIdle", "auto_delete_on_idle", "duration"),
    Property("UserMetadata", "user_metadata", "text"),
)
