"""Topics and subscriptions of a namespace, for credentials with the Manage claim."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.servicebus.management import ServiceBusAdministrationClient

TIME_TO_LIVE = timedelta(days=7)
"""Of messages in a subscription that Syncline creates: it is only browsed, so without one it would fill the topic until
senders are refused."""


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """What matters about a subscription."""

    created_at: datetime | None
    was_created: bool
    """Whether it was missing until now."""


def topic_names(client: ServiceBusAdministrationClient, wanted: list[str] | None) -> tuple[list[str], list[str]]:
    """The topics to read, as the namespace spells them, and those of `wanted` that it lacks."""
    if wanted is None or not wanted:
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
