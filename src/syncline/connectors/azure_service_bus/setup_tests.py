"""The setup tests of an Azure Service Bus connection.

They go step by step from the configuration to a decoded message. A step that fails ends the walk: the steps after it
stand on it and are skipped. Each has a time limit, and so has the whole.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.administration import (
    SubscriptionState,
    ensure_subscription,
    topic_names,
    wanted_topics,
)
from syncline.connectors.azure_service_bus.bounded import run_bounded
from syncline.connectors.azure_service_bus.config import DECLARATION, AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.azure_service_bus.failures import CREDENTIALS_REMEDY, source_error
from syncline.connectors.azure_service_bus.limits import unavailable_method
from syncline.connectors.azure_service_bus.probe import unreachable
from syncline.connectors.azure_service_bus.samples import Sample, decode_sample, peek_samples
from syncline.connectors.azure_service_bus.schema_registry import REGISTRY_TYPES, schema_registry
from syncline.connectors.base import SetupTestResult, SourceContext
from syncline.connectors.errors import SourceError

_MOST_SAMPLED = 8
"""Topics that are looked into for a message to decode, when there are many."""
_MOST_NAMED = 10


class _FailedTest(Exception):  # noqa: N818 - not an error: an outcome
    def __init__(self, message: str, details: str = "") -> None:
        self.message = message
        self.details = details


@dataclass(slots=True)
class _State:
    """What the steps learn from one another."""

    context: SourceContext
    config: AzureServiceBusConfig
    seconds: float = 0.0
    """What the step at hand may take."""
    namespace: Namespace | None = None
    topics: list[str] = field(default_factory=list)
    samples: list[Sample] | None = None
    queue_samples: list[Sample] = field(default_factory=list)

    @property
    def connected(self) -> Namespace:
        if self.namespace is None:
            self.namespace = Namespace(self.context)
        return self.namespace

    @property
    def subscription(self) -> str:
        return self.config.with_defaults(self.context.schema).subscriber_name or ""

    def entities(self, topics: Sequence[str]) -> list[Entity]:
        """The subscriptions of topics."""
        return [Entity(topic, self.subscription) for topic in topics]

    @property
    def queues(self) -> list[Entity]:
        return [Entity(queue) for queue in self.config.queues or []]

    async def administer(self, work: Callable[[ServiceBusAdministrationClient], object], subject: str) -> None:
        """Do something with the administration API, and turn its errors into ours."""
        namespace = self.connected

        def call() -> None:
            try:
                with namespace.administration(timeout=self.seconds) as client:
                    work(client)
            except _FailedTest:
                raise
            except Exception as error:
                raise source_error(error, namespace, subject) from error

        await run_bounded(call, self.seconds)


Step = Callable[[_State], Awaitable[tuple[str, str]]]


async def run_setup_tests(context: SourceContext) -> list[SetupTestResult]:
    """Test the setup of a connection. Never raises; takes at most the context's `setup_tests_timeout`."""
    assert isinstance(context.config, AzureServiceBusConfig)  # noqa: S101 - the registry pairs them
    state = _State(context, context.config)
    deadline = time.monotonic() + context.setup_tests_timeout
    results: list[SetupTestResult] = []
    failed: str | None = None
    for title, step in _steps(context.config):
        if failed is not None:
            results.append(SetupTestResult(title, "SKIPPED", f"Not tried: {failed} has to pass first."))
            continue
        state.seconds = min(context.setup_test_timeout, max(0.1, deadline - time.monotonic()))
        result = await _run(title, step, state)
        results.append(result)
        if not result.succeeded:
            failed = title
    return results


async def _run(title: str, step: Step, state: _State) -> SetupTestResult:
    try:
        message, details = await step(state)
    except _FailedTest as failure:
        return SetupTestResult(title, "FAILED", failure.message, failure.details)
    except SourceError as error:
        return SetupTestResult(title, "FAILED", error.message, error.remedy)
    except TimeoutError:
        return SetupTestResult(
            title,
            "FAILED",
            f"No answer within {state.seconds:.0f} seconds.",
            "Check that the namespace can be reached from this machine and that no firewall drops what it sends.",
        )
    except Exception as error:
        text = state.namespace.scrub(str(error)) if state.namespace else ""
        return SetupTestResult(
            title, "FAILED", f"The test itself failed: {type(error).__name__}.", text or "Please report it."
        )
    return SetupTestResult(title, "PASSED", message, details)


async def _configuration(state: _State) -> tuple[str, str]:
    missing = DECLARATION.missing(state.context.config, state.context.auth)
    if missing:
        fields = ", ".join(finding.field for finding in missing)
        raise _FailedTest(
            f"Missing: {fields}.",
            "\n".join(f"{finding.field}: {finding.title}, {finding.reason}" for finding in missing),
        )
    return "Nothing is missing.", ""


async def _connection_method(state: _State) -> tuple[str, str]:
    unavailable = unavailable_method(state.config)
    if unavailable is not None:
        raise _FailedTest(unavailable.message, unavailable.remedy)
    return "The namespace is reached directly.", ""


async def _message_type(state: _State) -> tuple[str, str]:
    return f"{state.config.message_type} messages, {state.config.effective_sync_type.lower()}.", ""


async def _schema_registry(state: _State) -> tuple[str, str]:
    servers = state.config.schema_registry_urls or []
    seconds = state.seconds
    registry = schema_registry(state.context, timeout=seconds / max(1, len(servers)), attempts=1, patience=seconds)
    if registry is None:
        return "The messages need none.", ""
    try:
        kinds = await run_bounded(registry.check, state.seconds)
    finally:
        registry.close()
    if (state.config.message_type or "").upper() not in kinds:
        raise _FailedTest(
            f"The schema registry keeps no {state.config.message_type} schemas, only {', '.join(kinds) or 'none'}.",
            "Check config.schema_registry_urls and config.message_type.",
        )
    return "It answers, and accepts the key and the secret.", ""


async def _reach(state: _State) -> tuple[str, str]:
    address = state.connected.address
    async with asyncio.timeout(state.seconds):
        finding = await unreachable(address, state.context.hosts)
    if finding is not None:
        raise _FailedTest(*finding)
    return f"{address} answers{' over TLS' if address.tls else ''}.", ""


async def _credentials(state: _State) -> tuple[str, str]:
    string = state.config.parsed_connection_string
    expires_at = string.signature_expires_at if string else None
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise _FailedTest(
            f"The shared access signature expired at {expires_at:%Y-%m-%d %H:%M} UTC.",
            "Make a new one, or use a connection string with a key: it does not expire.",
        )
    namespace = state.connected
    if state.config.has_manage_permissions:
        limit = namespace.entity_path
        is_queue = wanted_topics(state.config, limit) == []

        def ask(client: ServiceBusAdministrationClient) -> object:
            if limit is None:
                return client.get_namespace_properties()
            return client.get_queue(limit) if is_queue else client.get_topic(limit)

        kind = "queue" if is_queue else "topic"
        await state.administer(ask, f"the {kind} {limit}" if limit else "the namespace")
        return "They are accepted, and hold the Manage claim.", ""
    first = [*state.entities(state.config.topics or []), *state.queues][0]
    sample = (await peek_samples(namespace, [first], state.seconds))[0]
    if sample.is_refused:
        raise _FailedTest(sample.problem, f"They need the Listen claim. {CREDENTIALS_REMEDY}")
    return "They are accepted.", ""


async def _topics(state: _State) -> tuple[str, str]:
    wanted = list(state.config.topics or [])
    if not state.config.has_manage_permissions:
        state.topics = wanted
        return f"{_counted(wanted, 'topic')} named in the configuration.", _named(wanted)

    def look(client: ServiceBusAdministrationClient) -> None:
        state.topics, missing = topic_names(client, wanted_topics(state.config, state.connected.entity_path))
        if missing:
            raise _FailedTest(
                f"The namespace has no topic {', '.join(missing)}.", "Create it, or correct config.topics."
            )

    await state.administer(look, "the topics of the namespace")
    if not state.topics and not state.queues:
        return "The namespace has no topics yet. Those that are created later will be read.", ""
    return f"{_counted(state.topics, 'topic')} found.", _named(state.topics)


async def _subscriptions(state: _State) -> tuple[str, str]:
    if not state.config.has_manage_permissions:
        return await _subscriptions_by_peeking(state)
    deadline = time.monotonic() + state.seconds * 0.8
    states: dict[str, SubscriptionState] = {}

    def ensure(client: ServiceBusAdministrationClient) -> None:
        for topic in state.topics:
            if time.monotonic() > deadline:
                break
            states[topic] = ensure_subscription(client, topic, state.subscription)
            if states[topic].was_created or state.config.read_mode == "Drain":
                continue
            properties = client.get_subscription(topic, state.subscription)
            if properties.requires_session:
                raise _FailedTest(
                    f"The subscription {state.subscription} of the topic {topic} requires sessions, which cannot be "
                    "browsed.",
                    "Set config.read_mode to Drain, name another subscription in config.subscriber_name, or delete it: "
                    "one will be created.",
                )

    await state.administer(ensure, f"the subscriptions {state.subscription}")
    created = [topic for topic, found in states.items() if found.was_created]
    details = f"Created for: {_named(created)}." if created else ""
    left = len(state.topics) - len(states)
    if left:
        details = f"{details} There was no time for {left} more topics: the first sync prepares them.".strip()
    return f"{_counted(list(states), 'topic')} with the subscription {state.subscription}.", details


async def _subscriptions_by_peeking(state: _State) -> tuple[str, str]:
    samples = await peek_samples(state.connected, state.entities(state.topics), state.seconds)
    problems = [sample for sample in samples if sample.problem]
    if problems:
        topics = ", ".join(sample.entity.name for sample in problems)
        raise _FailedTest(
            f"The subscription {state.subscription} cannot be read in {len(problems)} of {len(samples)} topics: "
            f"{topics}.",
            _problems(problems),
        )
    state.samples = samples
    return f"{_counted(state.topics, 'topic')} with the subscription {state.subscription}.", ""


async def _queues(state: _State) -> tuple[str, str]:
    samples = await peek_samples(state.connected, state.queues, state.seconds)
    problems = [sample for sample in samples if sample.problem]
    if problems:
        queues = ", ".join(sample.entity.name for sample in problems)
        raise _FailedTest(f"{len(problems)} of {len(samples)} queues cannot be read: {queues}.", _problems(problems))
    state.queue_samples = samples
    return f"{_counted(samples, 'queue')} can be read.", _named([sample.entity.name for sample in samples])


def _problems(samples: Sequence[Sample]) -> str:
    return "\n".join(f"{sample.entity.name}: {sample.problem} {sample.remedy}".strip() for sample in samples)


async def _messages(state: _State) -> tuple[str, str]:
    if state.samples is None:
        sampled = state.entities(state.topics[:_MOST_SAMPLED])
        state.samples = await peek_samples(state.connected, sampled, state.seconds)
    problem = next((sample for sample in state.samples if sample.problem), None)
    if problem is not None:
        raise _FailedTest(problem.problem, problem.remedy)
    filled = [sample for sample in [*state.samples, *state.queue_samples] if sample.table is not None]
    if not filled:
        return "There are no messages yet.", ""
    reasons: list[str] = []
    for sample in filled:
        rows, rejected = await run_bounded(
            partial(decode_sample, sample.table, state.context, state.seconds), state.seconds
        )
        if rows:
            return f"A message of the {sample.entity.kind} {sample.entity.name} was read and decoded.", ""
        reasons += [f"{sample.entity.name}: {reason}" for reason in rejected]
    raise _FailedTest(
        f"No message that was looked at could be decoded as {state.config.message_type}.",
        "\n".join([*reasons[:_MOST_NAMED], "Check config.message_type and config.sync_type."]),
    )


def _counted(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _named(topics: Sequence[str]) -> str:
    more = f" and {len(topics) - _MOST_NAMED} more" if len(topics) > _MOST_NAMED else ""
    return ", ".join(topics[:_MOST_NAMED]) + more


def _steps(config: AzureServiceBusConfig) -> list[tuple[str, Step]]:
    """The steps that a connection with these settings needs."""
    unneeded: set[Step] = set()
    if config.message_type not in REGISTRY_TYPES:
        unneeded.add(_schema_registry)
    if not config.queues:
        unneeded.add(_queues)
    elif not config.has_manage_permissions and not config.topics:
        unneeded |= {_topics, _subscriptions}
    return [(title, step) for title, step in _STEPS if step not in unneeded]


_STEPS: tuple[tuple[str, Step], ...] = (
    ("Configuration", _configuration),
    ("Connection method", _connection_method),
    ("Message type", _message_type),
    ("Schema registry", _schema_registry),
    ("Namespace", _reach),
    ("Credentials", _credentials),
    ("Topics", _topics),
    ("Subscriptions", _subscriptions),
    ("Queues", _queues),
    ("Messages", _messages),
)
