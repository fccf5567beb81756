"""Which message identifiers were seen lately, for entities that detect duplicates."""

from collections import deque
from collections.abc import Sequence

from syncline.emulator.brokered_message import BrokeredMessage


class DuplicateHistory:
    """The message identifiers of the last `window` milliseconds."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._seen: set[object] = set()
        self._order: deque[tuple[int, object]] = deque()

    def without_duplicates(self, contents: Sequence[BrokeredMessage], now: int) -> list[BrokeredMessage]:
        """Those of the messages that are seen for the first time within the window; remembers them."""
        while self._order and self._order[0][0] <= now - self.window:
            self._seen.discard(self._order.popleft()[1])
        return [content for content in contents if self._is_new(content.message_id, now)]

    def _is_new(self, message_id: object, now: int) -> bool:
        if message_id is None:
            return True  # nothing to tell it by
        if message_id in self._seen:
            return False
        self._seen.add(message_id)
        self._order.append((now, message_id))
        return True
