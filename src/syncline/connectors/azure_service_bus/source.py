"""An Azure Service Bus namespace as a source."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.servicebus.management import ServiceBusAdministrationClient

from syncline.connectors.azure_service_bus.administration import (
    ensure_subscription,
    fill_of,
    queue_created_at,
    topic_names,
    wanted_topics,
)
from syncline.connectors.azure_service_bus.config import DECLARATION
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.drain import Drainer
from syncline.connectors.azure_service_bus.entities import DEAD_LETTER, Entity
from syncline.connectors.azure_service_bus.failures import source_error
from syncline.connectors.azure_service_bus.fullness import fullness_warnings
from syncline.connectors.azure_service_bus.limits import unavailable_method
from syncline.connectors.azure_service_bus.locked import Held
from syncline.connectors.azure_service_bus.reader import Reader
from syncline.connectors.azure_service_bus.schema_registry import schema_registry
from syncline.connectors.base import DecodedBatch, RawBatch, ReadLimits, Source, SourceContext, SourceWarning, Stream
from syncline.connectors.errors import SourceConfigurationError
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.networking import HostRefused


@contextmanager
def open_source(context: SourceContext) -> Iterator[Source]:
    """The source of a connection.

    Raises:
        SourceConfigurationError: Settings are missing, or ask for something that is not available yet.
    """
    missing = DECLARATION.missing(context.config, context.auth)
    if missing:
        raise SourceConfigurationError(
            f"The configuration is not complete: {', '.join(map(str, missing))}.", "Add what is missing."
        )
    namespace = Namespace(context)
    unavailable = unavailable_method(namespace.config)
    if unavailable is not None:
        raise SourceConfigurationError(unavailable.message, unavailable.remedy)
    schemas = schema_registry(context, timeout=context.request_timeout)
    source = AzureServiceBusSource(namespace, context.schema, schemas)
    try:
        yield source
    finally:
        source.close()


class AzureServiceBusSource(Source):
    """The topics and queues of a namespace, and their dead-letter queues where those are wanted, one stream each."""

    def __init__(self, namespace: Namespace, schema: str, schemas: SchemaRegistry | None = None) -> None:
        self._namespace = namespace
        self._schema = schema
        self._schemas = schemas
        self._created_at: dict[str, datetime | None] = {}
        """Of queues and subscriptions, by their paths."""
        self._entities: dict[str, Entity] = {}
        self._drainers: dict[str, Drainer] = {}
        self._warnings: list[SourceWarning] = []

    @property
    def _subscription(self) -> str:
        return self._namespace.config.with_defaults(self._schema).subscriber_name or ""

    def streams(self) -> list[Stream]:
        """The configured topics, or with the Manage permission all there are, each with its subscription; the
        configured queues; the dead-letter queues of all of these where they are wanted.

        Raises:
            SourceError: They cannot be listed, a configured one is not there, or its subscription cannot be created.
        """
        config = self._namespace.config
        entities = self._managed() if config.has_manage_permissions else self._named(config.topics or [])
        if config.dead_letter_queues:
            entities += [entity.dead_letters for entity in entities]
        for entity in entities:
            if (other := self._entities.setdefault(entity.stream, entity)) != entity:
                raise SourceConfigurationError(
                    f"The messages of {other} and of {entity} would go into the same table, {entity.stream}.",
                    "Name the topics to read in config.topics without one of them, or set config.dead_letter_queues to "
                    "false.",
                )
        return [Stream(entity.stream, self._schema) for entity in entities]

    def read(
        self, stream: Stream, position: Mapping[str, Any] | None, limits: ReadLimits, stop: threading.Event
    ) -> Iterator[RawBatch]:
        """The messages of a stream after `position`. The reader says what is read and where it ends."""
        entity = self._entity(stream)
        if self._namespace.config.read_mode == "Drain":
            drainer = self._drainers[stream.name] = Drainer(self._namespace, stream, entity, stop)
            batches = drainer.read(limits)
        else:
            batches = self._browsed(stream, entity, position, limits, stop)
        for batch in batches:
            yield _with_source(batch, entity) if entity.is_dead_letter else batch

    def acknowledge(self, stream: Stream, receipts: Sequence[object]) -> None:
        """Remove the messages of drained batches."""
        drainer = self._drainers[stream.name]
        for receipt in receipts:
            drainer.acknowledge(cast(list[Held], receipt))

    def close(self) -> None:
        """Give back what was locked and not acknowledged, and close all connections."""
        for drainer in self._drainers.values():
            drainer.close()
        if self._schemas is not None:
            self._schemas.close()

    def warnings(self) -> tuple[SourceWarning, ...]:
        """What was noticed about topics and queues that fill up, and about locks that were lost."""
        lost = (warning for drainer in self._drainers.values() for warning in drainer.warnings())
        return (*self._warnings, *lost)

    def decode(self, batch: RawBatch) -> DecodedBatch:
        """The rows of a batch, and what could not be decoded.

        Raises:
            SourceError: A schema that it needs cannot be had from the registry.
        """
        # Imported here: it loads an engine that only worker processes need, and the API process imports this module.
        from syncline.connectors.azure_service_bus.decode import decode_batch

        config = self._namespace.config
        message_type, sync_type = config.message_type or "Json", config.effective_sync_type
        return DecodedBatch(*decode_batch(batch.table, message_type, sync_type, self._schemas))

    def reject(self, batch: RawBatch, reasons: Sequence[str]) -> pa.Table:
        """The messages of a batch as rejects."""
        from syncline.connectors.azure_service_bus.decode import rejects

        return rejects(batch.table, reasons)

    def _browsed(
        self,
        stream: Stream,
        entity: Entity,
        position: Mapping[str, Any] | None,
        limits: ReadLimits,
        stop: threading.Event,
    ) -> Iterator[RawBatch]:
        with Reader(self._namespace, stream, entity, stop) as reader:
            yield from reader.read(position, limits, self._created_at.get(entity.path))

    def _named(self, topics: Sequence[str]) -> list[Entity]:
        queues = self._namespace.config.queues or []
        return [*(Entity(topic, self._subscription) for topic in topics), *map(Entity, queues)]

    def _entity(self, stream: Stream) -> Entity:
        """What a stream reads from; streams may be read without having been listed."""
        if (known := self._entities.get(stream.name)) is not None:
            return known
        config = self._namespace.config
        is_dead_letter = config.dead_letter_queues and stream.name.endswith(DEAD_LETTER)
        name = stream.name.removesuffix(DEAD_LETTER) if is_dead_letter else stream.name
        owner = Entity(name) if name in (config.queues or []) else Entity(name, self._subscription)
        return owner.dead_letters if is_dead_letter else owner

    def _managed(self) -> list[Entity]:
        """The entities to read, with their subscriptions made and their fill looked at."""
        config = self._namespace.config
        subject = "the topics of the namespace"
        try:
            with self._namespace.administration() as client:
                found, missing = topic_names(client, wanted_topics(config, self._namespace.entity_path))
                if missing:
                    raise SourceConfigurationError(
                        f"The namespace has no topic {', '.join(missing)}.", "Create it, or correct config.topics."
                    )
                for entity in (entities := self._named(found)):
                    subject = str(entity)
                    if entity.subscription is not None:
                        state = ensure_subscription(client, entity.name, entity.subscription)
                        self._created_at[entity.path] = state.created_at
                    else:
                        self._created_at[entity.path] = _queue_created_at(client, entity.name)
                    self._warnings += fullness_warnings(
                        entity,
                        fill_of(client, entity),
                        drains=config.read_mode == "Drain",
                        reads_dead_letters=config.dead_letter_queues,
                    )
        except (AzureError, HostRefused) as error:
            raise source_error(error, self._namespace, subject) from error
        return entities


def _queue_created_at(client: ServiceBusAdministrationClient, name: str) -> datetime | None:
    try:
        return queue_created_at(client, name)
    except ResourceNotFoundError:
        raise SourceConfigurationError(
            f"The namespace has no queue {name}.", "Create it, or correct config.queues."
        ) from None


def _with_source(batch: RawBatch, entity: Entity) -> RawBatch:
    """The batch with the place where its dead letters were on each. The service says it only of those that were sent
    on from one dead-letter queue to another entity."""
    place = batch.table.schema.get_field_index("dead_letter_source")
    filled = pc.fill_null(batch.table.column(place), entity.path)
    return replace(batch, table=batch.table.set_column(place, batch.table.schema.field(place), filled))
