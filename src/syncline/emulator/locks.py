"""Who holds which message, and until when."""

import os
from collections.abc import Iterator

from syncline.emulator.deadlines import Alarm, Deadlines
from syncline.emulator.sessions import Session
from syncline.emulator.stored_message import StoredMessage


class LockTable:
    """The locked messages of a store by their tokens; sets the alarm for when a lock runs out.

    A message that is received in a session is held for as long as the session is.
    """

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._held: dict[bytes, StoredMessage] = {}
        self._ends: Deadlines[bytes] = Deadlines()

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def next_end(self) -> int | None:
        """When the next lock may run out, None when there is none."""
        return self._ends.next

    def get(self, token: bytes) -> StoredMessage | None:
        """The message with that token, None when nobody holds one."""
        return self._held.get(token)

    def take(self, stored: StoredMessage, until: int) -> None:
        """Lock a message for its own time."""
        self._ends.add(until, self._hold(stored, until))
        self._alarm.set(until)

    def take_in_session(self, stored: StoredMessage, session: Session) -> None:
        """Lock a message for as long as its session is held."""
        session.held_tokens.add(self._hold(stored, session.locked_until))

    def extend(self, stored: StoredMessage, until: int) -> None:
        """Hold a locked message for longer."""
        stored.locked_until = until
        if stored.lock_token is not None:
            self._ends.add(until, stored.lock_token)
            self._alarm.set(until)

    def release(self, stored: StoredMessage) -> None:
        """Let go of a message; it does not matter when nobody holds it."""
        if stored.lock_token is not None:
            del self._held[stored.lock_token]
            self._ends.forget_all_but(self._held)
            stored.lock_token = None

    def pop_lapsed(self, now: int) -> Iterator[StoredMessage]:
        """The messages whose locks ran out by `now` and are still held."""
        for token in self._ends.pop_due(now):
            stored = self._held.get(token)
            if stored is not None and stored.locked_until <= now:
                yield stored

    def clear(self) -> None:
        """Forget every lock."""
        self._held.clear()

    def _hold(self, stored: StoredMessage, until: int) -> bytes:
        token = os.urandom(16)
        stored.lock_token = token
        stored.locked_until = until
        self._held[token] = stored
        return token
