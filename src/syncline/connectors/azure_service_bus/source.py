"""An Azure Service Bus namespace as a source."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError

from syncline.connectors.azure_service_bus.administration import ensure_subscription, topic_names
from syncline.connectors.azure_service_bus.config import DECLARATION
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.failures import source_error
from syncline.connectors.azure_service_bus.limits import unavailable_method
from syncline.connectors.azure_service_bus.reader import Reader
from syncline.connectors.azure_service_bus.schema_registry import schema_registry
from syncline.connectors.base import DecodedBatch, RawBatch, ReadLimits, Source, SourceContext, Stream
from syncline.connectors.errors import SourceConfigurationError
from syncline.connectors.schema_registry import SchemaRegistry


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
    schemas = schema_registry(namespace.config, timeout=context.request_timeout)
    try:
        yield AzureServiceBusSource(namespace, context.schema, schemas)
    finally:
        if schemas is not None:
            schemas.close()


class AzureServiceBusSource(Source):
    """The topics of a namespace, one stream each, read through a subscription of each."""

    def __init__(self, namespace: Namespace, schema: str, schemas: SchemaRegistry | None = None) -> None:
        self._namespace = namespace
        self._schema = schema
        self._schemas = schemas
        self._created_at: dict[str, datetime | None] = {}

    @property
    def _subscription(self) -> str:
        return self._namespace.config.with_defaults(self._schema).subscriber_name or ""

    def streams(self) -> list[Stream]:
        """The configured topics, or with the Manage permission all there are, each with its subscription.

        Raises:
            SourceError: They cannot be listed, a configured one is not there, or its subscription cannot be created.
        """
        config = self._namespace.config
        topics = list(config.topics or [])
        if config.has_manage_permissions:
            topics = self._prepared(topics)
        return [Stream(topic, self._schema) for topic in topics]

    def read(
        self, stream: Stream, position: Mapping[str, Any] | None, limits: ReadLimits, stop: threading.Event
    ) -> Iterator[RawBatch]:
        """The messages of a topic's subscription after `position`. The reader says what is read and where it ends."""
        with Reader(self._namespace, stream, self._subscription, stop) as reader:
            yield from reader.read(position, limits, self._created_at.get(stream.name))

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

    def _prepared(self, wanted: list[str]) -> list[str]:
        if not wanted and self._namespace.entity_path:
            wanted = [self._namespace.entity_path]
        subject = "the topics of the namespace"
        try:
            with self._namespace.administration() as client:
                found, missing = topic_names(client, wanted)
                if missing:
                    raise SourceConfigurationError(
                        f"The namespace has no topic {', '.join(missing)}.", "Create it, or correct config.topics."
                    )
                for topic in found:
                    subject = f"the subscription {self._subscription} of the topic {topic}"
                    self._created_at[topic] = ensure_subscription(client, topic, self._subscription).created_at
        except AzureError as error:
            raise source_error(error, self._namespace, subject) from error
        return found
