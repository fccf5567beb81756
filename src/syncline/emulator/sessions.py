"""Sessions of a queue or subscription: their locks, their state and what waits in them."""

from collections.abc import Callable

from syncline.emulator.conditions import SessionCannotBeLockedError, SessionLockLostError
from syncline.emulator.deadlines import Deadlines


class Session:
    """One session: the sequence numbers that are ready in it, its state and who holds it.

    `owner` is whatever the receiver gave to identify itself, None while the session is free.
    """

    __slots__ = (
        "held_tokens",
        "identifier",
        "locked_until",
        "message_count",
        "on_lost",
        "owner",
        "ready",
        "state",
        "state_updated_at",
    )

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self.ready: list[int] = []
        self.message_count = 0
        self.state: bytes | None = None
        self.state_updated_at = 0
        self.owner: object | None = None
        self.on_lost: Callable[[], None] | None = None
        self.locked_until = 0
        self.held_tokens: set[bytes] = set()

    @property
    def is_disposable(self) -> bool:
        """Whether nothing would be lost by forgetting the session."""
        return self.owner is None and self.state is None and self.message_count == 0


class SessionTable:
    """The sessions of one store, and the deadlines of their locks."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._deadlines: Deadlines[str] = Deadlines()

    def get(self, identifier: str) -> Session:
        """The session of that identifier, made when it is not there."""
        session = self._sessions.get(identifier)
        if session is None:
            session = self._sessions[identifier] = Session(identifier)
        return session

    def forget_if_disposable(self, session: Session) -> None:
        """Drop a session that holds nothing any more."""
        if session.is_disposable:
            self._sessions.pop(session.identifier, None)
            self._deadlines.forget_all_but(self._sessions)

    def next_available(self) -> Session | None:
        """The free session with the oldest ready message, or None when there is none."""
        candidates = [session for session in self._sessions.values() if session.owner is None and session.ready]
        return min(candidates, key=lambda session: session.ready[0], default=None)

    def lock(self, session: Session, owner: object, until: int) -> None:
        """Give a session to `owner`, which may set `on_lost` to hear when the lock has run out."""
        if session.owner is not None:
            raise SessionCannotBeLockedError(
                f"The session '{session.identifier}' is held by another receiver. Close that one, wait for its "
                "lock to run out, or accept another session."
            )
        session.owner = owner
        self._extend(session, until)

    def renew(self, session: Session, until: int) -> None:
        """Hold a session's lock for longer."""
        if session.owner is None:
            raise session_lock_lost(session.identifier)
        self._extend(session, until)

    def free(self, session: Session) -> None:
        """Take a session from its owner."""
        session.owner = None
        session.on_lost = None
        session.held_tokens.clear()
        self.forget_if_disposable(session)

    def pop_lapsed(self, now: int) -> Session | None:
        """One session whose lock has run out by `now`, still in its owner's hands, or None."""
        for identifier in self._deadlines.pop_due(now):
            session = self._sessions.get(identifier)
            if session is not None and session.owner is not None and session.locked_until <= now:
                return session
        return None

    @property
    def next_deadline(self) -> int | None:
        """When the next lock may run out, in milliseconds."""
        return self._deadlines.next

    def with_content(self) -> list[str]:
        """The identifiers of sessions that hold messages or a state, in order."""
        return sorted(
            session.identifier
            for session in self._sessions.values()
            if session.message_count or session.state is not None
        )

    def with_state_since(self, moment: int) -> list[str]:
        """The identifiers of sessions whose state was set after `moment`, in order."""
        return sorted(
            session.identifier
            for session in self._sessions.values()
            if session.state is not None and session.state_updated_at > moment
        )

    def all(self) -> list[Session]:
        """Every session there is."""
        return list(self._sessions.values())

    def _extend(self, session: Session, until: int) -> None:
        session.locked_until = until
        self._deadlines.add(until, session.identifier)


def session_lock_lost(identifier: str) -> SessionLockLostError:
    """The error for a session that its receiver no longer holds."""
    return SessionLockLostError(
        f"The lock of the session '{identifier}' is lost: it ran out or was given up. Accept the session again."
    )
