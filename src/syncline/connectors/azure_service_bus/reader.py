"""Reading a subscription by browsing it: messages stay where they are, neither locked nor removed.

What is read. Messages that are active or deferred. A scheduled message is not there yet: when its time comes, Service
Bus enqueues it under a new sequence number, so leaving it out now cannot lose it.

Where it ends. Browsing shows what arrives meanwhile too, so a busy topic would never end. Reading is over when a
request finds nothing more, or when it meets messages that were enqueued after it began: at once where such a request
came back only partly filled (the reader has caught up), and after a minute's worth otherwise (which allows for a
clock that runs a little off). What lies beyond is for the next sync.
"""

import random
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from azure.servicebus import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusError

from syncline.connectors.azure_service_bus import columns, salvage
from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.failures import is_refusal, source_error
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.azure_service_bus.pages import Page
from syncline.connectors.azure_service_bus.salvage import is_decoder_failure
from syncline.connectors.base import RawBatch, ReadLimits, SourceWarning, Stream
from syncline.connectors.errors import SourceError, SourceUnavailable

PAGE = 250
"""Most messages that Service Bus gives to one request."""
ATTEMPTS = 6
"""How often a request is made before the source counts as unavailable."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0
_PARTITION_SHIFT = 48
"""The bits of a sequence number above the lowest 48 are the partition, in an entity that has several."""
_CLOCK_ALLOWANCE = timedelta(seconds=60)
_LARGEST_USUAL_BYTES = 256 * 1024
"""Of a message, taken for granted until some were seen: the limit of the Standard tier."""


class Reader:
    """Reads one subscription from a position on. Use it as a context manager, from one thread."""

    def __init__(self, namespace: Namespace, stream: Stream, subscription: str, stop: threading.Event) -> None:
        self._namespace = namespace
        self._stream = stream
        self._subscription = subscription
        self._stop = stop
        self._client: ServiceBusClient | None = None
        self._receiver: ServiceBusReceiver | None = None
        self._bytes_each = float(_LARGEST_USUAL_BYTES)
        self._was_accepted = False
        """Whether the credentials were good for a request over the present connection."""

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one. Reading on opens another."""
        client, self._client, self._receiver = self._client, None, None
        if client is not None:
            client.close()

    def read(
        self, position: Mapping[str, Any] | None, limits: ReadLimits, created_at: datetime | None = None
    ) -> Iterator[RawBatch]:
        """Batches after `position` until the end, as the module says.

        `created_at` is when the subscription was created, where that is known: one that is younger than the position
        is another one, and is read from its beginning.

        Raises:
            SourceError: Reading on failed. All that was read before it has been yielded.
        """
        began = datetime.now(UTC)
        after, warnings = self._start(position, created_at)
        batch = _Batch(self._stream, after, warnings)
        failure: SourceError | None = None
        while not self._stop.is_set():
            asked = self._page_size(batch, limits)
            try:
                page = self._peek(batch.last_sequence + 1, asked)
            except SourceError as error:
                failure = error
                break
            if page is None:
                break
            batch.add(page)
            if page.last_sequence >> _PARTITION_SHIFT:
                batch.warn(_partitioned(self._stream))
            self._bytes_each = max(1.0, batch.bytes / max(1, batch.rows))
            if batch.rows >= limits.rows or batch.bytes >= limits.bytes:
                yield batch.take()
            if _caught_up(page.last_enqueued, began, page.received < asked):
                break
        if not batch.is_empty:
            yield batch.take()
        if failure is not None:
            raise failure

    def _start(
        self, position: Mapping[str, Any] | None, created_at: datetime | None
    ) -> tuple[dict[str, Any], tuple[SourceWarning, ...]]:
        """The position to read after, and what is to be said about it.

        A subscription that was deleted and made anew counts from 1 again, so going on at the old number would skip
        messages. It shows in the oldest message: its number was read before, but it was enqueued later than what was
        read last.
        """
        known: dict[str, Any] = dict(position or {})
        if not known:
            return {}, ()
        last_time = _parsed(known.get("enqueued_time"))
        recreated = bool(created_at and last_time and created_at > last_time)
        if not recreated:
            first = self._peek(1, 1)
            recreated = bool(
                first is not None
                and last_time is not None
                and first.last_sequence <= int(known.get("sequence_number", 0))
                and first.last_enqueued is not None
                and first.last_enqueued > last_time
            )
        if not recreated:
            return known, ()
        warning = SourceWarning(
            code="subscription_recreated",
            subject=self._stream.name,
            message=f"The subscription {self._subscription} of the topic {self._stream.name} was deleted and created "
            "anew since the last sync. It is read from its beginning; messages that only the old one held are lost.",
        )
        return {}, (warning,)

    def _page_size(self, batch: "_Batch", limits: ReadLimits) -> int:
        rows_left = limits.rows - batch.rows
        bytes_left = limits.bytes - batch.bytes
        return max(1, min(PAGE, rows_left, int(bytes_left / self._bytes_each)))

    def _peek(self, sequence_number: int, count: int) -> Page | None:
        """The messages from a sequence number on; None when there are none.

        Tries again, over a new connection, when the connection fails, and when credentials are refused that were good
        until then: the token of a long read may have ended.
        """
        subject = f"the subscription {self._subscription} of the topic {self._stream.name}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                page = self._request(sequence_number, count)
            except Exception as error:
                self.close()
                failure = source_error(error, self._namespace, subject)
                token_ended = self._was_accepted and is_refusal(error)
                self._was_accepted = False
                if attempt == ATTEMPTS or not (token_ended or isinstance(failure, SourceUnavailable)):
                    raise failure from error
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)  # noqa: S311
                if self._stop.wait(pause):
                    raise failure from error
            else:
                self._was_accepted = True
                return page
        raise AssertionError("the last attempt returns or raises")

    def _request(self, sequence_number: int, count: int) -> Page | None:
        try:
            messages = self._opened().peek_messages(count, sequence_number=sequence_number)
        except ServiceBusError as error:
            if not is_decoder_failure(error):
                raise
            return salvage.peek_page(self._opened(), sequence_number, count)
        return columns.page(messages) if messages else None

    def _opened(self) -> ServiceBusReceiver:
        if self._client is None or self._receiver is None:
            self._client = self._namespace.client()
            self._receiver = self._namespace.receiver(self._client, self._stream.name, self._subscription)
        return self._receiver


class _Batch:
    """The batch in the making."""

    def __init__(self, stream: Stream, position: dict[str, Any], warnings: tuple[SourceWarning, ...]) -> None:
        self._stream = stream
        self._position = position
        self._warnings = warnings
        self._moved = False
        self._pages: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0

    @property
    def last_sequence(self) -> int:
        return int(self._position.get("sequence_number", 0))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hand over: no rows, no move, no warning."""
        return not self._moved and not self._warnings

    def add(self, page: Page) -> None:
        enqueued = page.last_enqueued
        self._position = {
            "sequence_number": page.last_sequence,
            "enqueued_time": enqueued.isoformat() if enqueued else self._position.get("enqueued_time"),
        }
        self._moved = True
        if page.rows.num_rows:
            self._pages.append(page.rows)
            self.rows += page.rows.num_rows
            self.bytes += pc.sum(pc.binary_length(page.rows.column("body"))).as_py()

    def warn(self, warning: SourceWarning) -> None:
        """Have the batch say this, once."""
        if warning not in self._warnings:
            self._warnings = (*self._warnings, warning)

    def take(self) -> RawBatch:
        table = pa.Table.from_batches(self._pages, MESSAGE_SCHEMA).combine_chunks()
        taken = RawBatch(self._stream, table, dict(self._position), self.bytes, self._warnings)
        self._pages, self._warnings, self._moved, self.rows, self.bytes = [], (), False, 0, 0
        return taken


def _partitioned(stream: Stream) -> SourceWarning:
    return SourceWarning(
        code="partitioned_topic",
        subject=stream.name,
        message=f"The topic {stream.name} is partitioned. Sequence numbers rise within a partition alone, so messages "
        "that arrive in one partition after another was read further may be left out. Use a topic without "
        "partitioning, or forward to one.",
    )


def _caught_up(enqueued: datetime | None, began: datetime, partly_filled: bool) -> bool:
    if enqueued is None:
        return False
    return enqueued > (began if partly_filled else began + _CLOCK_ALLOWANCE)


def _parsed(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
