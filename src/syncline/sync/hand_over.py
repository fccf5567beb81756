"""The hand-over from the threads that read to the one that loads."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Closed(Exception):  # noqa: N818 - says it all without a suffix
    """Nobody takes items any more."""


class HandOver(Generic[Item]):
    """A queue that is bounded by the size of all that was put and not yet released.

    An item counts from :meth:`put` until :meth:`release`, so what the taker has in hand is bounded too. One item
    always fits, however large.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._waiting = 0
        self._items: deque[Item] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item, size: int) -> None:
        """Hand an item over; waits while too much is held.

        Raises:
            Closed: The taker has gone.
        """
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._closed or self._held == 0 or self._held + size <= self._capacity)
            finally:
                self._waiting -= 1
            if self._closed:
                raise Closed
            self._held += size
            self._items.append(item)
            self._changed.notify_all()

    def take(self, timeout: float) -> Item | None:
        """The next item. None when there is none for `timeout` seconds, or when there cannot be one before something
        is released."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not self._items:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or (self._waiting and self._held):
                    return None
                self._changed.wait(remaining)
            return self._items.popleft()

    def release(self, size: int) -> None:
        """Let go of items that were taken."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Take no more: whoever waits in :meth:`put` gets :class:`Closed`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
