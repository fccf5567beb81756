"""Reading a queue or a subscription by draining it: messages are locked, and removed once they are in the destination.

Locks are renewed by a thread for as long as a load takes. A lock that is lost all the same means that the message comes
again, and its row merges. What is not acknowledged when draining ends (a load failed, or the sync was stopped) is given
back at once, which does not count as a delivery; only a process that dies leaves it to the end of the locks, and that
counts. So a message reaches the dead-letter queue only after syncs died over it as often as the delivery limit says.

In an entity with sessions, one session after another is accepted, read to its end, and given up when its messages are
in the destination.

Reading ends when nothing comes for a while, or when what comes was enqueued after it began. Deferred messages stay:
only who deferred them knows when they are due.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusReceivedMessage
from azure.servicebus.exceptions import OperationTimeoutError, ServiceBusError

from syncline.connectors.azure_service_bus.connect import Namespace
from syncline.connectors.azure_service_bus.entities import Entity
from syncline.connectors.azure_service_bus.failures import requires_session
from syncline.connectors.azure_service_bus.locked import Held, Link
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.azure_service_bus.position import DRAINED
from syncline.connectors.azure_service_bus.retries import Retries
from syncline.connectors.base import RawBatch, ReadLimits, SourceWarning, Stream
from syncline.connectors.errors import SourceError

MOST_IN_BATCH = 5_000
"""Messages of one batch: they are locked until it is loaded."""
MOST_BATCHES = 2
"""Batches that may wait to be loaded while another is read."""
MOST_SESSIONS = 16
"""Sessions that are held at once. Each has a connection of its own."""
EMPTY_AFTER = 2.0
"""Seconds without a message after which there are none."""
_AT_ONCE = 500
"""Messages that are asked for together."""
_SLICE = 0.25
"""Longest wait for messages at a stretch, in seconds: others who use the link get their turn in between."""
_TICK = 0.25
_CLOCK_ALLOWANCE = timedelta(seconds=60)
_SETTLE_ATTEMPTS = 3
_MANY_DELIVERIES = 5
"""Half of the deliveries after which Service Bus gives up, unless it is told otherwise."""

log = structlog.get_logger(__name__)


class Drainer:
    """Drains one queue or subscription. :meth:`acknowledge` may be called from another thread than the one that reads;
    :meth:`close` comes last."""

    def __init__(self, namespace: Namespace, stream: Stream, entity: Entity, stop: threading.Event) -> None:
        self._namespace = namespace
        self._stream = stream
        self._entity = entity
        self._stop = stop
        self._has_sessions = False
        self._link: Link | None = None
        """Where messages are received now."""
        self._links: list[Link] = []
        self._waiting: list[list[Held]] = []
        """What was handed over and is not acknowledged, batch by batch."""
        self._batch = _Batch(stream)
        self._settling: list[list[Held]] = []
        """What is being acknowledged."""
        self._lost: dict[Held, int] = {}
        """Of how many messages the locks ended, or may have, before they could be removed."""
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._keeper: threading.Thread | None = None
        self._retries = Retries(namespace, str(entity), stop, self._drop_link)

    def read(self, limits: ReadLimits) -> Iterator[RawBatch]:
        """Batches of locked messages, until there are none. Each is to be acknowledged.

        Raises:
            SourceError: Reading on failed. All that was received before it has been yielded.
        """
        began = datetime.now(UTC)
        rows = min(limits.rows, MOST_IN_BATCH)
        failure: SourceError | None = None
        self._keeper = threading.Thread(target=self._keep, name=f"locks of {self._stream.name}", daemon=True)
        self._keeper.start()
        try:
            for _ in self._received(rows, began):
                if self._batch.rows >= rows or self._batch.bytes >= limits.bytes:
                    yield self._hand_over()
                    self._wait(MOST_BATCHES)
                elif self._has_sessions and len(self._links) >= MOST_SESSIONS:
                    yield self._hand_over()
                    self._wait(0)
        except SourceError as error:
            failure = error
        if self._batch.rows:
            yield self._hand_over()
        if failure is not None:
            raise failure

    def acknowledge(self, done: list[Held]) -> None:
        """Remove messages that are in the destination. What cannot be removed comes again: that is a warning, and no
        error."""
        with self._changed:
            self._waiting = [waiting for waiting in self._waiting if waiting is not done]
            self._settling.append(done)
        for held in done:
            try:
                doubtful = self._complete(held)
            except Exception as error:
                doubtful = len(held)
                log.warning("messages were not completed", stream=self._stream.name, error=repr(error))
            if doubtful:
                log.warning("locks ended before their messages were completed", stream=self._stream.name, most=doubtful)
                with self._changed:
                    self._lost[held] = max(self._lost.get(held, 0), doubtful)
        with self._changed:
            self._settling = [settling for settling in self._settling if settling is not done]
            busy = {id(held.link) for batch in self._batches() for held in batch}
            idle = [link for link in self._links if link.is_finished and id(link) not in busy]
            self._links = [link for link in self._links if link not in idle]
            self._changed.notify_all()
        for link in idle:
            _close(link)

    def warnings(self) -> tuple[SourceWarning, ...]:
        """What a person should know of the messages that were drained so far."""
        with self._changed:
            lost = sum(self._lost.values())
        return (_locks_lost(self._stream, lost),) if lost else ()

    def close(self) -> None:
        """Give back what was not acknowledged, and close all connections."""
        self._closed.set()
        if self._keeper is not None:
            self._keeper.join()
        with self._changed:
            left = [held for batch in self._batches() for held in batch]
            links, self._links, self._link = self._links, [], None
        for held in left:
            if not held.link.is_closed and held.link.session_id is None:
                try:
                    held.link.release(held.tags)
                except Exception as error:  # their locks end by themselves
                    log.info("messages were not given back", stream=self._stream.name, error=repr(error))
        for link in links:
            _close(link)

    # Receiving

    def _received(self, rows: int, began: datetime) -> Iterator[None]:
        """Adds what is received to the batch, step by step."""
        while not self._stop.is_set():
            try:
                link = self._retries.call(self._opened)
            except _NoSession:
                return
            is_over = False
            for messages, is_partial in self._messages(rows):
                self._batch.add(self._link or link, messages)
                yield
                if _is_after(messages[-1], began if is_partial else began + _CLOCK_ALLOWANCE):
                    is_over = _is_after(messages[0], began)
                    break
            self._finish_link()
            if not self._has_sessions or is_over:
                return
            yield

    def _messages(self, rows: int) -> Iterator[tuple[list[ServiceBusReceivedMessage], bool]]:
        """What comes until nothing does, and each time whether it was less than was asked for."""
        since = time.monotonic()
        while not self._stop.is_set() and time.monotonic() - since < EMPTY_AFTER:
            wanted = max(1, min(_AT_ONCE, rows - self._batch.rows))
            try:
                messages = self._retries.call(partial(self._receive, wanted))
            except _NoSession:
                return
            if messages:
                yield messages, len(messages) < wanted
                since = time.monotonic()

    def _receive(self, count: int) -> list[ServiceBusReceivedMessage]:
        return self._opened().receive(count, min(_SLICE, EMPTY_AFTER))

    def _opened(self) -> Link:
        """The link to receive over, connected when there is none.

        Raises:
            _NoSession: There is no session left to accept.
        """
        with self._changed:
            if self._link is not None:
                return self._link
        client = self._namespace.client()
        options = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": EMPTY_AFTER} if self._has_sessions else {}
        receiver = self._namespace.receiver(client, self._entity, **options)
        receiver._config.keep_alive = 0
        try:
            receiver._open_with_retry()  # type: ignore[no-untyped-call]
        except OperationTimeoutError as error:
            client.close()
            if self._has_sessions:
                raise _NoSession from error
            raise
        except ServiceBusError as error:
            client.close()
            if requires_session(error) and not self._has_sessions:
                self._has_sessions = True
                return self._opened()
            raise
        except BaseException:
            client.close()
            raise
        with self._changed:
            self._link = Link(client, receiver)
            self._links.append(self._link)
            return self._link

    def _drop_link(self) -> None:
        """Give up the link that failed. What it locked may be completed over another, unless it is of a session."""
        if (link := self._link) is not None:
            self._discard(link)

    def _discard(self, link: Link) -> None:
        with self._changed:
            self._links = [other for other in self._links if other is not link]
            if self._link is link:
                self._link = None
        _close(link)

    def _finish_link(self) -> None:
        """Receive nothing more over the present link; what it locked is held on."""
        with self._changed:
            link, self._link = self._link, None
        if link is not None:
            try:
                link.finish()
            except Exception as error:  # it is gone, and so are its locks
                log.info("a link did not end in order", stream=self._stream.name, error=repr(error))

    # Holding

    def _hand_over(self) -> RawBatch:
        with self._changed:
            batch, self._batch = self._batch, _Batch(self._stream)
            self._waiting.append(batch.held)
        return batch.take()

    def _wait(self, most: int) -> None:
        """Wait until no more than `most` batches are unacknowledged."""
        with self._changed:
            while (
                len(self._waiting) + len(self._settling) > most
                and not self._stop.is_set()
                and not self._closed.is_set()
            ):
                self._changed.wait(_TICK)

    def _complete(self, held: Held) -> int:
        """Remove messages: over the link that locked them, or where that is gone over others, by their lock tokens.
        Returns how many were not removed, or maybe not.

        Raises:
            Exception: No link works.
        """
        link = held.link
        for _ in range(_SETTLE_ATTEMPTS):
            try:
                if link is not held.link:
                    return link.complete_by_token(held.tokens)
                if not link.is_closed:
                    return link.complete(held.tags)
            except Exception as error:
                log.info("messages could not be completed over a link", stream=self._stream.name, error=repr(error))
                self._discard(link)
            if self._has_sessions:
                break
            link = self._any_link() or self._opened()
        return len(held)

    def _any_link(self) -> Link | None:
        """A link that works, as far as is known."""
        with self._changed:
            return next((link for link in self._links if not link.is_closed), None)

    def _keep(self) -> None:
        """Renew locks while their messages wait to be loaded."""
        while not self._closed.wait(_TICK):
            with self._changed:
                held_now = [held for batch in self._batches() for held in batch]
                due = [held for held in held_now if held and held.renew_at <= time.monotonic()]
            for held in due:
                try:
                    link = self._any_link() if held.link.is_closed else held.link
                    lost = held.renew(link) if link is not None else 0
                except Exception as error:  # the next tick tries again
                    log.info("locks were not renewed", stream=self._stream.name, error=repr(error))
                else:
                    if lost:
                        self._note_lost(held, lost)

    def _note_lost(self, held: Held, lost: int) -> None:
        """Note locks that could not be renewed. Once their messages are being removed that is no loss: the lock of a
        message ends with it, and what is not removed is noted then."""
        with self._changed:
            if not any(held in batch for batch in [*self._waiting, self._batch.held]):
                return
            self._lost[held] = self._lost.get(held, 0) + lost
        log.warning("locks were lost; the messages come again", stream=self._stream.name, lost=lost)

    def _batches(self) -> list[list[Held]]:
        """All that is locked, batch by batch; the one in the making comes last."""
        return [*self._waiting, *self._settling, self._batch.held]


class _NoSession(SourceError):  # noqa: N818 - not an error: the end
    """No session has messages any more."""

    def __init__(self) -> None:
        super().__init__("There is no session to accept.")


class _Batch:
    """The batch in the making."""

    def __init__(self, stream: Stream) -> None:
        self.held: list[Held] = []
        self.rows = 0
        self.bytes = 0
        self._stream = stream
        self._tables: list[pa.RecordBatch] = []
        self._deliveries = 0

    def add(self, link: Link, messages: Sequence[ServiceBusReceivedMessage]) -> None:
        """Take messages that a link received."""
        if not self.held or self.held[-1].link is not link:
            self.held = [*self.held, Held(link)]
        self.held[-1].add(messages)
        table = link.rows(messages)
        self._tables.append(table)
        self.rows += table.num_rows
        self.bytes += pc.sum(pc.binary_length(table.column("body"))).as_py()
        self._deliveries = max(self._deliveries, *(message.delivery_count or 0 for message in messages), 0)

    def take(self) -> RawBatch:
        """The batch as it is handed over."""
        table = pa.Table.from_batches(self._tables, MESSAGE_SCHEMA).combine_chunks()
        warnings = (_often(self._stream, self._deliveries),) if self._deliveries >= _MANY_DELIVERIES else ()
        return RawBatch(self._stream, table, dict(DRAINED), self.bytes, warnings, receipt=self.held, is_urgent=True)


def _often(stream: Stream, deliveries: int) -> SourceWarning:
    return SourceWarning(
        code="delivered_often",
        subject=stream.name,
        message=f"Messages of {stream.name} were delivered {deliveries} times before they reached the destination, "
        "because syncs died over them. Service Bus moves a message to the dead-letter queue after as many deliveries "
        "as the subscription or the queue allows (10, unless set otherwise).",
    )


def _locks_lost(stream: Stream, count: int) -> SourceWarning:
    messages = "message" if count == 1 else "messages"
    return SourceWarning(
        code="locks_lost",
        subject=stream.name,
        message=f"The locks of up to {count:,} {messages} of {stream.name} ended before the messages could be removed: "
        "loading them took longer than they could be held, or the connection broke. They come again with a later sync, "
        "and their rows merge. But each time counts as a delivery, and Service Bus moves a message to the dead-letter "
        "queue after as many as the subscription or the queue allows (10, unless set otherwise). If this repeats, "
        "raise the lock duration there (up to 5 minutes), or lower SYNCLINE_BATCH_ROWS so that a load takes less time.",
    )


def _is_after(message: ServiceBusReceivedMessage, moment: datetime) -> bool:
    enqueued = message.enqueued_time_utc
    return enqueued is not None and enqueued > moment


def _close(link: Link) -> None:
    try:
        link.close()
    except Exception as error:  # it is gone all the same
        log.info("a connection did not close in order", error=type(error).__name__)
