"""The broker's clock and its list of things to do later.

Nothing here knows of asyncio: whoever runs the broker asks when the next thing is due, waits for
it as it likes, and calls :meth:`Timeline.run_due`. Time is in whole milliseconds since 1970 (UTC),
as AMQP timestamps are.
"""

import heapq
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Answers the present time in milliseconds since 1970 (UTC)."""

END_OF_TIME = 253_402_300_799_000
"""The last moment that a timestamp may name: the end of the year 9999, in milliseconds."""


def system_clock() -> int:
    """The present time of this machine, in milliseconds since 1970 (UTC)."""
    return time.time_ns() // 1_000_000


class Timeline:
    """Callbacks and the moments at which they are due, earliest first.

    `on_earlier` is called without arguments when something became due sooner than everything
    that was known before, so that a waiting loop can shorten its sleep.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self.clock = clock
        self.on_earlier: Callable[[], None] | None = None
        self._entries: list[tuple[int, int, Callable[[], None]]] = []
        self._counter = 0

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, when: int, callback: Callable[[], None]) -> None:
        """Call `callback` once `when` (milliseconds) has come."""
        earlier = not self._entries or when < self._entries[0][0]
        self._counter += 1
        heapq.heappush(self._entries, (when, self._counter, callback))
        if earlier and self.on_earlier is not None:
            self.on_earlier()

    @property
    def next_due(self) -> int | None:
        """When the earliest callback is due, in milliseconds, or None when there is none."""
        return self._entries[0][0] if self._entries else None

    def run_due(self) -> None:
        """Call everything that is due by now, in order."""
        now = self.clock()
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2]()
