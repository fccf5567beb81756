"""What a namespace is made of: queues, topics, subscriptions, rules and access policies.

Every description starts from the defaults of the real service, so an entity that was made with a
name alone behaves as it would in Azure. A duration without an end is :data:`UNBOUNDED`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

UNBOUNDED = timedelta.max
"""A time to live or idle time that never ends (`P10675199DT2H48M5.4775807S` in Atom XML)."""

EntityStatus = Literal["Active", "Disabled", "SendDisabled", "ReceiveDisabled"]
ENTITY_STATUSES: tuple[EntityStatus, ...] = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")

Claim = Literal["Listen", "Send", "Manage"]
ALL_CLAIMS: frozenset[Claim] = frozenset({"Listen", "Send", "Manage"})

DEFAULT_RULE_NAME = "$Default"
"""The rule that a subscription gets when it is created without one."""

PropertyValue = str | int | float | bool | datetime | timedelta | None
"""A value of a correlation filter's property or of a SQL parameter."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A shared access policy: a named key and what its holder may do.

    `key` is the text of the key exactly as it stands in a connection string; it is hidden from
    `repr` so that it never reaches a log. Manage implies Listen and Send.
    """

    key_name: str
    key: str = field(repr=False)
    claims: frozenset[Claim] = ALL_CLAIMS

    def __post_init__(self) -> None:
        if "Manage" in self.claims:
            object.__setattr__(self, "claims", ALL_CLAIMS)


@dataclass(frozen=True, slots=True)
class AuthorizationRule:
    """A shared access policy of one queue or topic, as the administration API carries it."""

    key_name: str
    primary_key: str = field(repr=False)
    secondary_key: str = field(default="", repr=False)
    rights: frozenset[Claim] = frozenset()
    claim_type: str = "SharedAccessKey"
    claim_value: str = "None"
    created_at: datetime = field(default_factory=_now)
    modified_at: datetime = field(default_factory=_now)

    def policies(self) -> tuple[AccessPolicy, ...]:
        """The rule as access policies: one for each of its keys."""
        keys = (self.primary_key, self.secondary_key)
        return tuple(AccessPolicy(self.key_name, key, self.rights) for key in keys if key)


@dataclass(slots=True)
class QueueDescription:
    """A queue and its properties; durations are `timedelta`, sizes as their names say."""

    name: str
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = 10
    default_message_time_to_live: timedelta = UNBOUNDED
    dead_lettering_on_message_expiration: bool = False
    requires_session: bool = False
    requires_duplicate_detection: bool = False
    duplicate_detection_history_time_window: timedelta = timedelta(minutes=10)
    max_size_in_megabytes: int = 1024
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    enable_partitioning: bool = False
    enable_batched_operations: bool = True
    enable_express: bool = False
    status: EntityStatus = "Active"
    auto_delete_on_idle: timedelta = UNBOUNDED
    user_metadata: str | None = None
    max_message_size_in_kilobytes: int = 256
    authorization_rules: tuple[AuthorizationRule, ...] = ()
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)
    accessed_at: datetime = field(default_factory=_now)


@dataclass(slots=True)
class TopicDescription:
    """A topic and its properties; durations are `timedelta`, sizes as their names say."""

    name: str
    default_message_time_to_live: timedelta = UNBOUNDED
    requires_duplicate_detection: bool = False
    duplicate_detection_history_time_window: timedelta = timedelta(minutes=10)
    max_size_in_megabytes: int = 1024
    enable_partitioning: bool = False
    enable_batched_operations: bool = True
    enable_express: bool = False
    filtering_messages_before_publishing: bool = False
    support_ordering: bool = True
    status: EntityStatus = "Active"
    auto_delete_on_idle: timedelta = UNBOUNDED
    user_metadata: str | None = None
    max_message_size_in_kilobytes: int = 256
    authorization_rules: tuple[AuthorizationRule, ...] = ()
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)
    accessed_at: datetime = field(default_factory=_now)


@dataclass(slots=True)
class SubscriptionDescription:
    """A subscription of a topic and its properties; durations are `timedelta`."""

    topic_name: str
    name: str
    lock_duration: timedelta = timedelta(minutes=1)
    max_delivery_count: int = 10
    default_message_time_to_live: timedelta = UNBOUNDED
    dead_lettering_on_message_expiration: bool = False
    dead_lettering_on_filter_evaluation_exceptions: bool = True
    requires_session: bool = False
    forward_to: str | None = None
    forward_dead_lettered_messages_to: str | None = None
    enable_batched_operations: bool = True
    status: EntityStatus = "Active"
    auto_delete_on_idle: timedelta = UNBOUNDED
    user_metadata: str | None = None
    created_at: datetime = field(default_factory=_now)
    updated_at: datetime = field(default_factory=_now)
    accessed_at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class TrueFilter:
    """Lets every message through."""


@dataclass(frozen=True, slots=True)
class FalseFilter:
    """Lets no message through."""


@dataclass(frozen=True, slots=True)
class SqlFilter:
    """Lets a message through when the expression is true for it (unknown counts as false).

    `parameters` gives the values of the names that start with `@`, with the `@`.
    """

    expression: str
    parameters: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CorrelationFilter:
    """Lets a message through when everything that is set here is equal in the message.

    `label` is the message's subject; `properties` are matched against its application properties.
    """

    correlation_id: str | None = None
    message_id: str | None = None
    to: str | None = None
    reply_to: str | None = None
    label: str | None = None
    session_id: str | None = None
    reply_to_session_id: str | None = None
    content_type: str | None = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)


Filter = TrueFilter | FalseFilter | SqlFilter | CorrelationFilter


@dataclass(frozen=True, slots=True)
class SqlAction:
    """What a rule does to the messages it lets through (`SET`, `REMOVE`).

    The emulator keeps and returns it, and does not carry it out.
    """

    expression: str
    parameters: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(slots=True)
class RuleDescription:
    """A rule of a subscription: a filter and, perhaps, an action."""

    name: str = DEFAULT_RULE_NAME
    filter: Filter = field(default_factory=TrueFilter)
    action: SqlAction | None = None
    created_at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class RuntimeCounts:
    """How many messages an entity holds, by state, and how many bytes they take together."""

    active: int = 0
    dead_letter: int = 0
    scheduled: int = 0
    transfer: int = 0
    transfer_dead_letter: int = 0
    size_in_bytes: int = 0

    @property
    def total(self) -> int:
        """The number of messages in every state."""
        return self.active + self.dead_letter + self.scheduled + self.transfer + self.transfer_dead_letter
