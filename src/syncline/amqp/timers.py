"""What is due when on a connection: heartbeats, the peer's silence, a close that nobody answers."""

from enum import Enum, auto
from typing import Final

CLOSE_TIMEOUT: Final = 5.0
"""Seconds that the peer has to answer a close."""


class Due(Enum):
    """What has become due."""

    CLOSE_UNANSWERED = auto()
    PEER_SILENT = auto()
    HEARTBEAT = auto()


class Timers:
    """The moments that matter, in seconds of the caller's clock.

    `idle_timeout` is how long the peer may be silent; `remote_idle_timeout` is how long this side may be, of
    which a heartbeat is due after half (section 2.4.5).
    """

    __slots__ = ("_close_deadline", "_last_received", "_last_sent", "idle_timeout", "remote_idle_timeout")

    def __init__(self, idle_timeout: float | None) -> None:
        self.idle_timeout = idle_timeout
        self.remote_idle_timeout: float | None = None
        self._last_received: float | None = None
        self._last_sent: float | None = None
        self._close_deadline: float | None = None

    def start(self, now: float) -> None:
        """Begin to count, if that has not begun: nothing was sent or received before."""
        if self._last_received is None:
            self._last_received = self._last_sent = now

    def received(self, now: float) -> None:
        """Bytes came."""
        self._last_received = now

    def sent(self, now: float) -> None:
        """Bytes went."""
        self._last_sent = now

    def closing(self, now: float) -> None:
        """A close went out; the first call counts."""
        if self._close_deadline is None:
            self._close_deadline = now + CLOSE_TIMEOUT

    def next_deadline(self) -> float | None:
        """When something becomes due next; None for never."""
        return min((moment for moment, _ in self._moments()), default=None)

    def due(self, now: float) -> Due | None:
        """What is due at `now`; the gravest when there are several."""
        for moment, what in self._moments():
            if now >= moment:
                return what
        return None

    def _moments(self) -> list[tuple[float, Due]]:
        moments = []
        if self._close_deadline is not None:
            moments.append((self._close_deadline, Due.CLOSE_UNANSWERED))
        if self.idle_timeout and self._last_received is not None:
            moments.append((self._last_received + self.idle_timeout, Due.PEER_SILENT))
        if self.remote_idle_timeout and self._last_sent is not None and self._close_deadline is None:
            moments.append((self._last_sent + self.remote_idle_timeout / 2, Due.HEARTBEAT))
        return moments
