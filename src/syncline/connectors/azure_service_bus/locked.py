"""Messages that are locked for us: receiving, holding, completing and giving them back.

The SDK's receiver is for one thread. Here the thread that reads, the one that completes what was loaded, and the one
that renews locks share it, one at a time and in turn.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pyarrow as pa
from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus._common import mgmt_handlers
from azure.servicebus._pyamqp.error import MessageException, MessageSettlementUnconfirmed
from azure.servicebus.exceptions import MessageLockLostError, SessionLockLostError

from syncline.connectors.azure_service_bus.encoded import record_batch
from syncline.connectors.azure_service_bus.tolerance import encoded_messages, keep_encoded

_IN_ONE_REQUEST = 250
"""Messages that are settled or renewed together."""
_RENEWED_AS_ONE = 16
_SHORTEST_LOCK = 1.0
_OUTCOME_TIMEOUT = 30.0
_UPDATE_DISPOSITION = b"com.microsoft:update-disposition"


class Link:
    """A connection of its own that messages are received over; in an entity with sessions, those of one session."""

    def __init__(self, client: ServiceBusClient, receiver: ServiceBusReceiver) -> None:
        self.is_finished = False
        """Whether nothing more will be received over it."""
        self.is_closed = False
        self._client = client
        self._receiver = receiver
        handler: Any = receiver._handler
        keep_encoded(handler._link)
        self._turn = threading.Lock()
        self._use = threading.Lock()

    @property
    def session_id(self) -> str | None:
        """The session, where there is one."""
        return self._receiver.session.session_id if self._receiver.session is not None else None

    def receive(self, count: int, seconds: float) -> list[ServiceBusReceivedMessage]:
        """Lock up to `count` messages, waiting at most `seconds` for the first."""
        with self._used():
            return self._receiver.receive_messages(max_message_count=count, max_wait_time=seconds)

    def rows(self, messages: Sequence[ServiceBusReceivedMessage]) -> pa.RecordBatch:
        """Messages of this link as a batch, in the way of :func:`~.encoded.record_batch`."""
        return record_batch(encoded_messages(messages))

    def complete(self, deliveries: Mapping[int, bytes]) -> int:
        """Remove messages of this link, given with their delivery tags. Returns how many of them may not have been
        ours any more.

        Raises:
            Exception: The link does not work.
        """
        doubtful = 0
        for first, last in _runs(sorted(deliveries)):
            try:
                self._settle(first, last, deliveries, "accepted", await_outcome=True, outcome_timeout=_OUTCOME_TIMEOUT)
            except MessageSettlementUnconfirmed:
                raise
            except MessageException:
                doubtful += last - first + 1
        return doubtful

    def complete_by_token(self, tokens: Sequence[UUID]) -> int:
        """Remove messages that another link locked; otherwise like :meth:`complete`."""
        return sum(len(self._bisected(part, self._update_disposition)) for part in _parts(tokens))

    def renew(self, tokens: Sequence[UUID]) -> list[UUID]:
        """Hold messages for longer, and the session with them. Returns those whose lock is lost."""
        if self._receiver.session is not None:
            try:
                with self._used():
                    self._receiver.session.renew_lock()
            except SessionLockLostError:
                return list(tokens)
            return []
        lost: list[UUID] = []
        for part in _parts(tokens):
            lost += self._bisected(part, self._renew_locks, smallest=_RENEWED_AS_ONE)
        return lost

    def release(self, deliveries: Mapping[int, bytes]) -> None:
        """Give messages back at once, without that counting as a delivery that failed."""
        for first, last in _runs(sorted(deliveries)):
            self._settle(first, last, deliveries, "released")

    def finish(self) -> None:
        """Receive nothing more. Without this, the credit that was left would go on locking messages."""
        self.is_finished = True
        handler: Any = self._receiver._handler
        with self._used():
            handler._link.flow(link_credit=0, drain=True)

    def close(self) -> None:
        """Close the connection. Locks of single messages stay until they end; a session's ends at once."""
        self.is_closed = self.is_finished = True
        with self._used():
            self._client.close()

    def _settle(self, first: int, last: int, tags: Mapping[int, bytes], outcome: str, **options: Any) -> None:
        # The SDK's public methods settle one message a call; underneath it takes a range, as the protocol does.
        handler: Any = self._receiver._handler
        with self._used():
            handler.settle_messages((first, last), tags[first], outcome, **options)
            handler._link._received_delivery_tags.difference_update(tags[each] for each in range(first + 1, last + 1))

    def _update_disposition(self, tokens: Sequence[UUID]) -> None:
        transport: Any = self._receiver._amqp_transport
        with self._used():
            self._receiver._mgmt_request_response_with_retry(
                _UPDATE_DISPOSITION,
                {"disposition-status": "completed", "lock-tokens": transport.AMQP_ARRAY_VALUE(list(tokens))},
                mgmt_handlers.default,
            )

    def _renew_locks(self, tokens: Sequence[UUID]) -> None:
        receiver: Any = self._receiver  # its hint says text, its encoder wants the UUIDs that it gives
        with self._used():
            receiver._renew_locks(*tokens)

    def _bisected(
        self, tokens: Sequence[UUID], request: Callable[[Sequence[UUID]], None], smallest: int = 1
    ) -> list[UUID]:
        """Make a request for all of the tokens but those that are lost, and return these. Service Bus refuses a
        request as a whole when one is; `smallest` tokens that are refused count as lost together."""
        try:
            request(tokens)
        except MessageLockLostError:
            if len(tokens) <= smallest:
                return list(tokens)
            middle = len(tokens) // 2
            return [
                *self._bisected(tokens[:middle], request, smallest),
                *self._bisected(tokens[middle:], request, smallest),
            ]
        return []

    @contextmanager
    def _used(self) -> Iterator[None]:
        # Who waits holds `_turn`, so nobody who comes back at once can overtake.
        with self._turn:
            self._use.acquire()
        try:
            yield
        finally:
            self._use.release()


class Held:
    """Messages of one batch that one link has locked."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.tags: dict[int, bytes] = {}
        """The delivery tags, which are the lock tokens, by delivery."""
        self.renew_at = float("inf")
        """When to renew the locks, by the monotonic clock."""
        self._lock_seconds = _SHORTEST_LOCK
        self._lost: set[bytes] = set()
        """The tags of messages whose locks cannot be renewed."""

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def tokens(self) -> list[UUID]:
        """The lock tokens."""
        return [UUID(bytes_le=tag) for tag in self.tags.values()]

    def add(self, messages: Sequence[ServiceBusReceivedMessage]) -> None:
        """Hold messages that were just received."""
        for message in messages:
            self.tags[message._delivery_id] = message._delivery_tag
        session: Any = self.link._receiver.session
        until = session.locked_until_utc if session is not None else messages[0].locked_until_utc
        if until is not None:
            left = (until - datetime.now(UTC)).total_seconds()
            self._lock_seconds = max(self._lock_seconds, left)
            self.renew_at = min(self.renew_at, time.monotonic() + left / 2)

    def renew(self, link: Link) -> int:
        """Renew the locks over a link. Returns how many were lost; those are not renewed any more.

        Raises:
            ServiceBusError: The link does not work.
        """
        lost = link.renew([UUID(bytes_le=tag) for tag in list(self.tags.values()) if tag not in self._lost])
        self.renew_at = time.monotonic() + self._lock_seconds / 2
        self._lost.update(token.bytes_le for token in lost)
        return len(lost)


def _runs(deliveries: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of numbers that follow one another, the last included, of a limited length."""
    start = 0
    for place in range(1, len(deliveries) + 1):
        is_end = place == len(deliveries) or deliveries[place] != deliveries[place - 1] + 1
        if is_end or place - start == _IN_ONE_REQUEST:
            yield deliveries[start], deliveries[place - 1]
            start = place


def _parts(tokens: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(tokens), _IN_ONE_REQUEST):
        yield tokens[start : start + _IN_ONE_REQUEST]
