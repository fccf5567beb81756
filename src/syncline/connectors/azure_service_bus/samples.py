"""A few messages of topics, looked at for the setup tests."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from syncline.connectors.azure_service_bus.bounded import run_bounded
from syncline.connectors.azure_service_bus.config import AzureServiceBusConfig
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.azure_service_bus.failures import is_refusal, requires_session, source_error
from syncline.connectors.azure_service_bus.peeking import peek_page
from syncline.connectors.azure_service_bus.schema_registry import schema_registry
from syncline.connectors.base import SourceContext
from syncline.connectors.errors import SourceThrottled

_MESSAGES = 10
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """What peeking into one queue or subscription gave."""

    entity: Entity
    table: pa.Table | None = None
    """A few messages; None when there are none."""
    problem: str = ""
    remedy: str = ""
    is_refused: bool = False
    """Whether the problem is that the credentials were refused."""


async def peek_samples(namespace: Namespace, entities: Sequence[Entity], seconds: float) -> list[Sample]:
    """Peek into each queue and subscription, several at once, all within `seconds`.

    Raises:
        TimeoutError: That was not enough.
    """
    places = asyncio.Semaphore(_AT_ONCE)
    over = threading.Event()

    async def one(entity: Entity) -> Sample:
        async with places:
            return await run_bounded(lambda: _peek(namespace, entity, seconds, over), seconds)

    try:
        async with asyncio.timeout(seconds):
            return list(await asyncio.gather(*(one(entity) for entity in entities)))
    finally:
        over.set()


def decode_sample(table: pa.Table, context: SourceContext, seconds: float) -> tuple[int, list[str]]:
    """How many of the messages could be decoded, and why the others could not.

    Raises:
        SourceError: A schema that they need cannot be had from the registry.
    """
    # Imported here: it loads an engine that is not needed before there is a message to decode.
    from syncline.connectors.azure_service_bus.decode import decode_batch

    assert isinstance(context.config, AzureServiceBusConfig)  # noqa: S101 - the registry of connectors pairs them
    config = context.config
    schemas = schema_registry(context, timeout=seconds, attempts=1, patience=seconds)
    try:
        columns, rejects = decode_batch(table, config.message_type or "Json", config.effective_sync_type, schemas)
    finally:
        if schemas is not None:
            schemas.close()
    reasons = rejects.column("reason").to_pylist() if rejects.num_rows else []
    return columns.num_rows, [str(reason) for reason in reasons]


def _peek(namespace: Namespace, entity: Entity, seconds: float, over: threading.Event) -> Sample:
    if over.is_set():
        return Sample(entity)
    try:
        with namespace.client(timeout=seconds) as client, namespace.browser(client, entity) as receiver:
            page = peek_page(receiver, 1, _MESSAGES)
    except Exception as error:
        if requires_session(error) and namespace.config.read_mode == "Drain":
            return Sample(entity)  # it can be received from, if not peeked into
        failure = source_error(error, namespace, str(entity))
        if isinstance(failure, SourceThrottled):
            return Sample(entity, problem=failure.message, remedy="Test again in a moment.")
        return Sample(entity, problem=failure.message, remedy=failure.remedy, is_refused=is_refusal(error))
    return Sample(entity, pa.Table.from_batches([page.rows]) if page is not None and page.rows.num_rows else None)
