"""Reading a queue or a subscription by browsing it: messages stay where they are, neither locked nor removed.

What is read. Messages that are active or deferred, after the position, and those that became visible late, as
:mod:`~syncline.connectors.azure_service_bus.position` says. A scheduled message is not there yet: when its time comes,
Service Bus enqueues it under a new sequence number, so leaving it out now cannot lose it.

Where it ends. Browsing shows what arrives meanwhile too, so a busy topic would never end. Reading is over when a
request finds nothing more. A partition is, when it shows messages that were enqueued after reading began: at once
where such a request came back only partly filled (the reader has caught up), and after a minute's worth otherwise
(which allows for a clock that runs a little off). What lies beyond is for the next sync.

Partitions. Service Bus gives messages in the order of their sequence numbers, so one partition after another. Where
what is known of a partition begins, the reader leaps to its cursor.
"""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from azure.servicebus import ServiceBusClient, ServiceBusReceiver

from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.azure_service_bus.pages import Page
from syncline.connectors.azure_service_bus.peeking import peek_page
from syncline.connectors.azure_service_bus.position import (
    LOOK_BACK,
    PARTITION_SHIFT,
    Incarnation,
    Position,
    partition_of,
)
from syncline.connectors.azure_service_bus.retries import Retries
from syncline.connectors.base import RawBatch, ReadLimits, SourceWarning, Stream
from syncline.connectors.errors import SourceError

PAGE = 250
"""Most messages that Service Bus gives to one request."""
_PROBE = 25
"""Messages to ask for first of a partition that may have no new ones: what comes then is another's, and known."""
_CLOCK_ALLOWANCE = timedelta(seconds=60)
_LARGEST_USUAL_BYTES = 256 * 1024
"""Of a message, taken for granted until some were seen: the limit of the Standard tier."""


class Reader:
    """Browses one queue or subscription from a position on. Use it as a context manager, from one thread."""

    def __init__(self, namespace: Namespace, stream: Stream, entity: Entity, stop: threading.Event) -> None:
        self._namespace = namespace
        self._stream = stream
        self._entity = entity
        self._stop = stop
        self._client: ServiceBusClient | None = None
        self._receiver: ServiceBusReceiver | None = None
        self._retries = Retries(namespace, str(entity), stop, self.close)
        self._bytes_each = float(_LARGEST_USUAL_BYTES)

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

        `created_at` is when the queue or subscription was created, where that is known. One that is not the one of the
        position is read from its beginning.

        Raises:
            SourceError: Reading on failed. All that was read before it has been yielded.
        """
        began = datetime.now(UTC)
        batch = _Batch(self._stream, Position.parse(position))
        failure: SourceError | None = None
        try:
            start = self._start(batch, created_at)
            for _ in self._pages(batch, start, limits, began):
                if batch.rows >= limits.rows or batch.bytes >= limits.bytes:
                    yield batch.take()
        except SourceError as error:
            failure = error
        if not batch.is_empty:
            yield batch.take()
        if failure is not None:
            raise failure

    def _start(self, batch: "_Batch", created_at: datetime | None) -> int | None:
        """The sequence number to begin at; None when nothing is there."""
        found = Incarnation(f"{self._namespace.address.host.casefold()}/{self._entity.address}", created_at)
        position = batch.position
        moved = position.incarnation.differs(Incarnation(found.entity))
        if not position.cursors or moved:
            batch.begin_anew(found)
            return 1
        last_time = position.last_enqueued
        recreated = position.incarnation.differs(found) or bool(created_at and last_time and created_at > last_time)
        first = None if recreated else self._peek(1, 1)
        if first is not None and not recreated:
            recreated = self._shows_other_messages(position, first)
        if recreated:
            batch.begin_anew(found)
            batch.warn(_recreated(self._stream, self._entity))
            return 1
        position.incarnation = Incarnation(found.entity, created_at or position.incarnation.created_at)
        if first is None:
            return None
        cursor = position.cursors.get(partition_of(first.last_sequence))
        return first.last_sequence if cursor is None else cursor.sequence_number + 1

    def _shows_other_messages(self, position: Position, first: Page) -> bool:
        """Whether the entity was deleted and made anew since the position was saved, as far as messages tell: the
        oldest one of a partition has a number that was read before, but was enqueued later than what was read last.

        `first` has the oldest message of all.
        """
        partition = partition_of(first.last_sequence)
        while True:
            cursor = position.cursors.get(partition)
            if (
                cursor is not None
                and cursor.enqueued_time is not None
                and first.last_sequence <= cursor.sequence_number
                and first.last_enqueued is not None
                and first.last_enqueued > cursor.enqueued_time
            ):
                return True
            later = [known for known in position.cursors if known > partition]
            page = self._peek(min(later) << PARTITION_SHIFT, 1) if later and not self._stop.is_set() else None
            if page is None:
                return False
            first, partition = page, partition_of(page.last_sequence)

    def _pages(self, batch: "_Batch", start: int | None, limits: ReadLimits, began: datetime) -> Iterator[None]:
        """Adds a page to the batch at each step."""
        if start is None:
            return
        yield from self._late_pages(batch, began)
        at = start
        while not self._stop.is_set():
            is_known = partition_of(at) in batch.position.cursors and len(batch.position.cursors) > 1
            asked = min(self._page_size(batch, limits), _PROBE if is_known and not batch.rows else PAGE)
            page = self._peek(at, asked)
            if page is None:
                return
            fresh = batch.position.unseen(page)
            if fresh is not None:
                batch.add(fresh)
                self._bytes_each = max(1.0, batch.bytes / max(1, batch.rows))
                yield
            at = batch.position.after(page.last_sequence)
            if _caught_up(page.last_enqueued, began, page.received < asked):
                at = (partition_of(page.last_sequence) + 1) << PARTITION_SHIFT

    def _late_pages(self, batch: "_Batch", began: datetime) -> Iterator[None]:
        """The messages that became visible late."""
        for gap in list(batch.position.gaps()):
            at = gap.first
            while at <= gap.last and not self._stop.is_set():
                page = self._peek(at, min(PAGE, gap.last - at + 1))
                if page is None:
                    break
                late = page.only(range(gap.first, gap.last + 1))
                if late is not None:
                    batch.add_late(late)
                    yield
                at = page.last_sequence + 1
        if not self._stop.is_set():
            batch.forget_gaps(began - LOOK_BACK - _CLOCK_ALLOWANCE)

    def _page_size(self, batch: "_Batch", limits: ReadLimits) -> int:
        rows_left = limits.rows - batch.rows
        bytes_left = limits.bytes - batch.bytes
        return max(1, min(PAGE, rows_left, int(bytes_left / self._bytes_each)))

    def _peek(self, sequence_number: int, count: int) -> Page | None:
        """The messages from a sequence number on; None when there are none."""
        return self._retries.call(lambda: self._request(sequence_number, count))

    def _request(self, sequence_number: int, count: int) -> Page | None:
        return peek_page(self._opened(), sequence_number, count)

    def _opened(self) -> ServiceBusReceiver:
        if self._client is None or self._receiver is None:
            self._client = self._namespace.client()
            self._receiver = self._namespace.browser(self._client, self._entity)
        return self._receiver


class _Batch:
    """The batch in the making."""

    def __init__(self, stream: Stream, position: Position) -> None:
        self.position = position
        self._stream = stream
        self._warnings: tuple[SourceWarning, ...] = ()
        self._moved = False
        self._pages: list[pa.RecordBatch] = []
        self.rows = 0
        self.bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to hand over: no rows, no move, no warning."""
        return not self._moved and not self._warnings

    def add(self, page: Page) -> None:
        """Take messages beyond the position, and move it behind them."""
        self.position.advance(page)
        self._keep(page)

    def add_late(self, page: Page) -> None:
        """Take messages that were missing before the position."""
        self.position.found(page)
        self._keep(page)

    def forget_gaps(self, before: datetime) -> None:
        """Look no more for what was missing at that time."""
        self._moved |= self.position.forget_gaps(before)

    def begin_anew(self, incarnation: Incarnation) -> None:
        """Forget the position: it is of something else."""
        self.position = Position(incarnation=incarnation)

    def warn(self, warning: SourceWarning) -> None:
        """Have the batch say this."""
        self._warnings = (*self._warnings, warning)

    def take(self) -> RawBatch:
        """Hand over what was taken, and begin another."""
        table = pa.Table.from_batches(self._pages, MESSAGE_SCHEMA).combine_chunks()
        taken = RawBatch(self._stream, table, self.position.to_json(), self.bytes, self._warnings)
        self._pages, self._warnings, self._moved, self.rows, self.bytes = [], (), False, 0, 0
        return taken

    def _keep(self, page: Page) -> None:
        self._moved = True
        if page.rows.num_rows:
            self._pages.append(page.rows)
            self.rows += page.rows.num_rows
            self.bytes += pc.sum(pc.binary_length(page.rows.column("body"))).as_py()


def _recreated(stream: Stream, entity: Entity) -> SourceWarning:
    return SourceWarning(
        code="subscription_recreated",
        subject=stream.name,
        message=f"{_capital(str(entity))} was deleted and created anew since the last sync. It is read from its "
        "beginning; messages that only the old one held are lost.",
    )


def _caught_up(enqueued: datetime | None, began: datetime, partly_filled: bool) -> bool:
    if enqueued is None:
        return False
    return enqueued > (began if partly_filled else began + _CLOCK_ALLOWANCE)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
