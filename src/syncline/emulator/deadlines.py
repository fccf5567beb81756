"""What is due when: heaps of moments, and an alarm that puts the earliest of them on the timeline."""

import heapq
from collections.abc import Callable, Container, Iterator
from typing import Generic, TypeVar

from syncline.emulator.timeline import Timeline

Key = TypeVar("Key", int, str, bytes)


class Deadlines(Generic[Key]):
    """Keys and the moments (milliseconds since 1970) at which they are due.

    A key may have several moments, and may be gone when one comes: who pops it looks whether it
    still matters.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[int, Key]] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def next(self) -> int | None:
        """The earliest moment, None when there is none."""
        return self._entries[0][0] if self._entries else None

    def add(self, when: int, key: Key) -> None:
        """Let `key` be due at `when`."""
        heapq.heappush(self._entries, (when, key))

    def pop_due(self, now: int) -> Iterator[Key]:
        """The keys that are due by `now`, earliest first; each is forgotten as it is given."""
        while self._entries and self._entries[0][0] <= now:
            yield heapq.heappop(self._entries)[1]

    def forget_all_but(self, live: Container[Key]) -> None:
        """Drop from the front what is not among `live`, so that what is gone does not pile up."""
        while self._entries and self._entries[0][1] not in live:
            heapq.heappop(self._entries)


class Alarm:
    """Calls back at the moments it is set to; a moment later than one already set costs nothing."""

    def __init__(self, timeline: Timeline, callback: Callable[[], None]) -> None:
        self._timeline = timeline
        self._callback = callback
        self._set: list[int] = []

    def set(self, when: int) -> None:
        """Call back at `when`, or at an earlier moment that is set already."""
        if not self._set or when < self._set[0]:
            heapq.heappush(self._set, when)
            self._timeline.at(when, self._ring)

    def _ring(self) -> None:
        heapq.heappop(self._set)
        self._callback()
