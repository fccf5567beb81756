"""Topics, queues and subscriptions of a namespace, for credentials with the Manage claim."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig
from syncline.connectors.azure_service_bus.entities import Entity

TIME_TO_LIVE = timedelta(days=7)
"""Of messages in a subscription that Syncline creates: it is only browsed, so without one it would fill the topic until
senders are refused."""
ENDLESS = timedelta(days=3650)
"""A time to live from here on is as good as none. What Service Bus calls none is some ten million days."""

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """What matters about a subscription."""

    created_at: datetime | None
    was_created: bool
    """Whether it was missing until now."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a topic or a queue is, and whether messages leave it by themselves."""

    bytes: int
    quota: int
    """In bytes; beyond it senders are refused."""
    messages: int
    """In the subscription, or the queue."""
    dead_letters: int
    """In its dead-letter queue."""
    time_to_live: timedelta
    """Of a message that sets none itself."""

    @property
    def share(self) -> float:
        """How much of the quota is used."""
        return self.bytes / self.quota if self.quota else 0.0


def wanted_topics(config: AzureServiceBusConfig, entity_path: str | None) -> list[str] | None:
    """The topics that a configuration asks for; None when that is all there are.

    Credentials that are limited to one entity by an EntityPath see that one alone.
    """
    if config.topics:
        return list(config.topics)
    if entity_path is None:
        return None
    is_queue = entity_path.casefold() in (queue.casefold() for queue in config.queues or [])
    return [] if is_queue else [entity_path]


def topic_names(client: ServiceBusAdministrationClient, wanted: list[str] | None) -> tuple[list[str], list[str]]:
    """The topics to read, as the namespace spells them, and those of `wanted` that it lacks. None: all there are."""
    if wanted is None:
        return [topic.name for topic in client.list_topics()], []
    found: list[str] = []
    missing: list[str] = []
    for name in wanted:
        try:
            client.get_topic(name)
        except ResourceNotFoundError:
            missing.append(name)
        else:
            found.append(name)
    return found, missing


def ensure_subscription(client: ServiceBusAdministrationClient, topic: str, name: str) -> SubscriptionState:
    """The subscription, created when it is missing. One that exists is left as it is."""
    try:
        return SubscriptionState(client.get_subscription_runtime_properties(topic, name).created_at_utc, False)
    except ResourceNotFoundError:
        pass
    try:
        client.create_subscription(topic, name, default_message_time_to_live=TIME_TO_LIVE)
    except ResourceExistsError:
        return SubscriptionState(None, False)
    return SubscriptionState(client.get_subscription_runtime_properties(topic, name).created_at_utc, True)


def queue_created_at(client: ServiceBusAdministrationClient, name: str) -> datetime | None:
    """When a queue was created.

    Raises:
        ResourceNotFoundError: There is none.
    """
    return client.get_queue_runtime_properties(name).created_at_utc


def fill_of(client: ServiceBusAdministrationClient, entity: Entity) -> Fill:
    """How full the entity is."""
    if entity.subscription is None:
        queue = client.get_queue(entity.name)
        counts = client.get_queue_runtime_properties(entity.name)
        return Fill(
            counts.size_in_bytes or 0,
            (queue.max_size_in_megabytes or 0) * _MEGABYTE,
            counts.total_message_count or 0,
            counts.dead_letter_message_count or 0,
            _duration(queue.default_message_time_to_live),
        )
    topic = client.get_topic(entity.name)
    subscription = client.get_subscription(entity.name, entity.subscription)
    held = client.get_subscription_runtime_properties(entity.name, entity.subscription)
    return Fill(
        client.get_topic_runtime_properties(entity.name).size_in_bytes or 0,
        (topic.max_size_in_megabytes or 0) * _MEGABYTE,
        held.total_message_count or 0,
        held.dead_letter_message_count or 0,
        min(_duration(topic.default_message_time_to_live), _duration(subscription.default_message_time_to_live)),
    )


def _duration(value: timedelta | str | None) -> timedelta:
    """A duration that an answer of the service has. Text is what only requests may hold."""
    return value if isinstance(value, timedelta) else ENDLESS
