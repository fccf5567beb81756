"""The messages of one queue, subscription or dead-letter queue, and what receivers may do to them.

A store is plain, synchronous data: deliveries, locks, deferral, schedules and expiry. Whoever
serves receivers registers a consumer and is woken when there may be something for it. Deadlines
(locks, schedules, times to live) are kept in heaps, and only the earliest of them is on the
timeline, so a message costs no timer of its own.
"""

import heapq
from collections.abc import Iterable, Sequence

from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.conditions import InvalidOperationError, MessageLockLostError, MessageNotFoundError
from syncline.emulator.deadlines import Alarm, Deadlines
from syncline.emulator.errors import EmulatorError
from syncline.emulator.locks import LockTable
from syncline.emulator.message_log import MessageLog
from syncline.emulator.numbering import Numbering
from syncline.emulator.sessions import Session, SessionTable, session_lock_lost
from syncline.emulator.store_settings import Consumer, Disposer, Properties, StoreSettings
from syncline.emulator.stored_message import MessageState, StoredMessage
from syncline.emulator.timeline import END_OF_TIME, Timeline


class MessageStore:
    """An ordered set of messages with locks.

    `dead_letter` takes the messages that have to leave for the dead-letter queue; a store without
    it (a dead-letter queue itself) drops what expires and keeps everything else.
    """

    def __init__(self, settings: StoreSettings, timeline: Timeline, dead_letter: Disposer | None = None) -> None:
        self.settings = settings
        self.scheduled_count = 0
        self.sessions = SessionTable()
        self._dead_letter = dead_letter
        self._timeline = timeline
        self._messages = MessageLog()
        self._numbering = Numbering(is_partitioned=settings.is_partitioned)
        self._ready: list[int] = []
        self._expiries: Deadlines[int] = Deadlines()
        self._schedule: Deadlines[int] = Deadlines()
        self._alarm = Alarm(timeline, self.advance)
        self._locks = LockTable(self._alarm)
        self._consumers: list[Consumer] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def size(self) -> int:
        """How many bytes the messages have together."""
        return self._messages.size

    @property
    def active_count(self) -> int:
        """How many messages are here and not scheduled for later."""
        return len(self._messages) - self.scheduled_count

    # Adding

    def add(self, content: BrokeredMessage, *, enqueue_sequence_number: int | None = None) -> int:
        """Append a message, or schedule it when it asks for a later time; returns its number.

        Receivers are not woken: call :meth:`notify` once all messages of a request are added.
        """
        now = self._timeline.clock()
        number = self._numbering.take(content)
        due = content.scheduled_at
        if due is not None and due > now:
            stored = StoredMessage(content, number, now, state=MessageState.SCHEDULED)
            stored.enqueue_sequence_number = enqueue_sequence_number
            self._schedule.add(due, number)
            self.scheduled_count += 1
            self._insert(stored)
            self._alarm.set(due)
            return number
        stored = StoredMessage(
            content,
            number,
            now,
            expires_at=self._expiry(content, now),
            enqueue_sequence_number=enqueue_sequence_number,
        )
        self._insert(stored)
        self._make_ready(stored)
        return number

    def adopt(self, stored: StoredMessage) -> None:
        """Take over a message that keeps its sequence number (into a dead-letter queue)."""
        self._insert(stored)
        self._make_ready(stored)

    def take_number(self, content: BrokeredMessage) -> int:
        """The next sequence number, for a message that will not be kept here."""
        return self._numbering.take(content)

    def notify(self) -> None:
        """Wake the consumers; each time another one comes first."""
        if self._consumers:
            self._consumers.append(self._consumers.pop(0))
            for consumer in tuple(self._consumers):
                consumer.wake()

    # Browsing

    def peek(
        self, from_sequence_number: int, limit: int, *, max_bytes: int, session_id: str | None = None
    ) -> list[StoredMessage]:
        """Messages from a sequence number on, in order, whatever their state, none that expired.

        At most `limit` messages and about `max_bytes` of them, but at least one when there is one.
        """
        now = self._timeline.clock()
        return self._messages.page(
            from_sequence_number,
            limit,
            max_bytes,
            lambda stored: (
                not stored.has_expired(now) and (session_id is None or stored.content.session_id == session_id)
            ),
        )

    # Receiving

    def subscribe(self, consumer: Consumer) -> None:
        """Wake `consumer` from now on when there is something to have."""
        self._consumers.append(consumer)

    def unsubscribe(self, consumer: Consumer) -> None:
        """Stop waking `consumer`."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def acquire(self, *, lock: bool, session: Session | None = None) -> StoredMessage | None:
        """The next message: locked for the caller, or removed when `lock` is false.

        Of a store with sessions, the next of `session`. None when there is nothing to have.
        """
        now = self._timeline.clock()
        ready = self._ready if session is None else session.ready
        while ready:
            stored = self._messages.get(heapq.heappop(ready))
            if stored is None or not stored.is_ready:
                continue
            if stored.has_expired(now):
                self._expire(stored)
                continue
            if lock:
                self._lock(stored, now, session)
            else:
                self._remove(stored)
            return stored
        return None

    def receive_deferred(
        self, sequence_numbers: Iterable[int], *, lock: bool, session: Session | None = None
    ) -> list[StoredMessage]:
        """The deferred messages of these numbers, locked, or removed when `lock` is false.

        :raises MessageNotFoundError: one of them is not here, not deferred, or locked already.
        """
        now = self._timeline.clock()
        found = self._in_state(sequence_numbers, MessageState.DEFERRED)
        for stored in found:
            if lock:
                self._lock(stored, now, session)
            else:
                self._remove(stored)
        return found

    def cancel_scheduled(self, sequence_numbers: Iterable[int]) -> None:
        """Remove scheduled messages.

        :raises MessageNotFoundError: one of them is not here or not scheduled; then none is removed.
        """
        found = self._in_state(sequence_numbers, MessageState.SCHEDULED)
        for stored in found:
            self._remove(stored)

    # Settling

    def complete(self, token: bytes) -> None:
        """Remove a message that its receiver is done with."""
        self._remove(self._locked_by(token))

    def abandon(self, token: bytes, properties: Properties, *, failed: bool = True) -> None:
        """Give a message back; `failed` says whether this counts as a delivery."""
        stored = self._locked_by(token)
        self._modify(stored, properties)
        self._unlock(stored, failed=failed)
        self.notify()

    def defer(self, token: bytes, properties: Properties) -> None:
        """Put a message aside: from now on it is received by its sequence number only."""
        stored = self._locked_by(token)
        self._modify(stored, properties)
        stored.state = MessageState.DEFERRED
        self._forget_lock(stored)

    def dead_letter(self, token: bytes, reason: str, description: str | None, properties: Properties) -> None:
        """Move a message to the dead-letter queue, for a reason that the receiver gave."""
        stored = self._locked_by(token)
        if self._dead_letter is None:
            raise InvalidOperationError(
                f"'{self.settings.path}' is a dead-letter queue itself; its messages cannot be dead-lettered again. "
                "Complete or abandon the message."
            )
        self._remove(stored)
        self._dead_letter(stored, reason, description, properties)

    def renew(self, tokens: Sequence[bytes]) -> list[int]:
        """Hold locked messages for longer; returns until when, for each token in order."""
        now = self._timeline.clock()
        until = now + self.settings.lock_duration
        messages = [self._locked_by(token) for token in tokens]
        for stored in messages:
            self._locks.extend(stored, until)
        return [until] * len(messages)

    # Sessions

    def accept_session(self, identifier: str | None, owner: object) -> Session | None:
        """Lock a session for `owner`: the one named, or the next that has a message ready.

        :returns: the session, or None when none has a message ready.
        :raises SessionCannotBeLockedError: another receiver holds the session named.
        """
        self._require_sessions()
        session = self.sessions.next_available() if identifier is None else self.sessions.get(identifier)
        if session is None:
            return None
        until = self._timeline.clock() + self.settings.lock_duration
        self.sessions.lock(session, owner, until)
        self._alarm.set(until)
        return session

    def held_session(self, identifier: str) -> Session:
        """The session of that name, which somebody holds.

        :raises SessionLockLostError: nobody does.
        """
        self._require_sessions()
        session = self.sessions.get(identifier)
        if session.owner is None:
            self.sessions.forget_if_disposable(session)
            raise session_lock_lost(identifier)
        return session

    def renew_session(self, identifier: str) -> int:
        """Hold a session for longer; returns until when."""
        session = self.held_session(identifier)
        until = self._timeline.clock() + self.settings.lock_duration
        self.sessions.renew(session, until)
        for stored in self._held_in(session):
            stored.locked_until = until
        return until

    def set_session_state(self, identifier: str, state: bytes | None) -> None:
        """Keep `state` with a session that is held, or forget its state with None."""
        session = self.held_session(identifier)
        session.state = state
        session.state_updated_at = self._timeline.clock()

    def release_session(self, session: Session, *, failed: bool = False) -> None:
        """Take a session from its receiver; what it held and did not settle becomes ready again."""
        for stored in self._held_in(session):
            self._unlock(stored, failed=failed)
        self.sessions.free(session)
        self.notify()

    # Time

    def advance(self) -> None:
        """Carry out what is due: lapsed locks, schedules, expired messages."""
        if self._closed:
            return
        now = self._timeline.clock()
        changed = self._lapse_sessions(now)
        changed |= self._lapse_locks(now)
        changed |= self._enqueue_scheduled(now)
        self._expire_due(now)
        for deadline in (
            self._locks.next_end,
            self._schedule.next,
            self._expiries.next,
            self.sessions.next_deadline,
        ):
            if deadline is not None:
                self._alarm.set(deadline)
        if changed:
            self.notify()

    def reconfigure(self, settings: StoreSettings) -> None:
        """Treat messages by other settings from now on; times already given are kept."""
        self.settings = settings

    def interrupt(self, error: EmulatorError) -> None:
        """Stop every consumer, telling it why."""
        for consumer in tuple(self._consumers):
            consumer.stop(error)

    def close(self, error: EmulatorError) -> None:
        """Forget everything and stop the consumers; the entity is being deleted."""
        self._closed = True
        self.interrupt(error)
        self._messages.clear()
        self._locks.clear()
        self._consumers.clear()

    def _lapse_sessions(self, now: int) -> bool:
        changed = False
        while (session := self.sessions.pop_lapsed(now)) is not None:
            on_lost = session.on_lost
            self.release_session(session, failed=True)
            if on_lost is not None:
                on_lost()
            changed = True
        return changed

    def _lapse_locks(self, now: int) -> bool:
        changed = False
        for stored in self._locks.pop_lapsed(now):
            self._unlock(stored, failed=True)
            changed = True
        return changed

    def _enqueue_scheduled(self, now: int) -> bool:
        changed = False
        for number in self._schedule.pop_due(now):
            stored = self._messages.get(number)
            if stored is not None and stored.state is MessageState.SCHEDULED:
                self._remove(stored)
                self.add(stored.content, enqueue_sequence_number=stored.enqueue_sequence_number)
                changed = True
        return changed

    def _expire_due(self, now: int) -> None:
        for number in self._expiries.pop_due(now):
            stored = self._messages.get(number)
            if stored is not None and stored.has_expired(now):
                self._expire(stored)

    # Parts

    def _in_state(self, sequence_numbers: Iterable[int], state: MessageState) -> list[StoredMessage]:
        found = []
        for number in dict.fromkeys(sequence_numbers):
            stored = self._messages.get(number)
            if stored is None or stored.state is not state or stored.lock_token is not None:
                raise MessageNotFoundError(
                    f"No {state.name.lower()} message with the sequence number {number} is free in "
                    f"'{self.settings.path}'. Peek to see what is there."
                )
            found.append(stored)
        return found

    def _expiry(self, content: BrokeredMessage, now: int) -> int | None:
        limits = [limit for limit in (content.time_to_live, self.settings.time_to_live) if limit is not None]
        if not limits:
            return None
        expires_at = now + min(limits)
        return expires_at if expires_at < END_OF_TIME else None

    def _insert(self, stored: StoredMessage) -> None:
        self._messages.insert(stored)
        if self.settings.requires_session and stored.content.session_id is not None:
            self.sessions.get(stored.content.session_id).message_count += 1

    def _remove(self, stored: StoredMessage) -> None:
        self._forget_lock(stored)
        self._messages.remove(stored)
        self._forget_stale()
        if stored.state is MessageState.SCHEDULED:
            self.scheduled_count -= 1
        if self.settings.requires_session and stored.content.session_id is not None:
            session = self.sessions.get(stored.content.session_id)
            session.message_count -= 1
            self.sessions.forget_if_disposable(session)

    def _forget_stale(self) -> None:
        # What is gone leaves its entries in the heaps; they go once they have come to the front.
        while self._ready and self._ready[0] not in self._messages:
            heapq.heappop(self._ready)
        self._expiries.forget_all_but(self._messages)

    def _make_ready(self, stored: StoredMessage) -> None:
        if stored.expires_at is not None:
            self._expiries.add(stored.expires_at, stored.sequence_number)
            self._alarm.set(stored.expires_at)
        session_id = stored.content.session_id
        if self.settings.requires_session and session_id is not None:
            heapq.heappush(self.sessions.get(session_id).ready, stored.sequence_number)
        else:
            heapq.heappush(self._ready, stored.sequence_number)

    def _lock(self, stored: StoredMessage, now: int, session: Session | None) -> None:
        if session is None:
            self._locks.take(stored, now + self.settings.lock_duration)
        else:
            self._locks.take_in_session(stored, session)

    def _held_in(self, session: Session) -> list[StoredMessage]:
        return [stored for token in session.held_tokens if (stored := self._locks.get(token)) is not None]

    def _locked_by(self, token: bytes) -> StoredMessage:
        stored = self._locks.get(token)
        if stored is None or (not self.settings.requires_session and stored.locked_until <= self._timeline.clock()):
            raise MessageLockLostError(
                f"The lock supplied for a message in '{self.settings.path}' is invalid: it ran out, or the message "
                "was settled before. Receive the message again, and renew its lock while working on it."
            )
        return stored

    def _forget_lock(self, stored: StoredMessage) -> None:
        if stored.lock_token is None:
            return
        if self.settings.requires_session and stored.content.session_id is not None:
            self.sessions.get(stored.content.session_id).held_tokens.discard(stored.lock_token)
        self._locks.release(stored)

    def _unlock(self, stored: StoredMessage, *, failed: bool) -> None:
        self._forget_lock(stored)
        if failed:
            stored.delivery_count += 1
        limit = self.settings.max_delivery_count
        if limit is not None and stored.delivery_count >= limit and self._dead_letter is not None:
            self._remove(stored)
            self._dead_letter(
                stored,
                "MaxDeliveryCountExceeded",
                f"Message could not be consumed after {limit} delivery attempts.",
                {},
            )
        elif stored.state is MessageState.ACTIVE:
            if stored.has_expired(self._timeline.clock()):
                self._expire(stored)
            else:
                self._make_ready(stored)

    def _expire(self, stored: StoredMessage) -> None:
        self._remove(stored)
        if self.settings.dead_letter_expired and self._dead_letter is not None:
            self._dead_letter(stored, "TTLExpiredException", "The message expired and was dead lettered.", {})

    def _modify(self, stored: StoredMessage, properties: Properties) -> None:
        if properties:
            self._messages.replace(stored, stored.content.with_application_properties(properties))

    def check_sessionless(self) -> None:
        """Raise InvalidOperationError when messages are to be received by session here."""
        if self.settings.requires_session:
            raise InvalidOperationError(
                f"It is not possible for an entity that requires sessions to create a non-sessionful message receiver "
                f"('{self.settings.path}'). Accept a session."
            )

    def _require_sessions(self) -> None:
        if not self.settings.requires_session:
            raise InvalidOperationError(
                f"'{self.settings.path}' does not use sessions. Receive from it without a session, "
                "or create it with RequiresSession."
            )
