"""Which message identifiers were seen lately, for entities that detect duplicates."""

from collections import deque

from syncline.emulator.conditions import InvalidRequestError


class DuplicateHistory:
    """The message identifiers of the last `window` milliseconds."""

    def __init__(self, window: int) -> None:
        self.window = window
        self._seen: set[object] = set()
        self._order: deque[tuple[int, object]] = deque()

    def is_new(self, message_id: object, now: int) -> bool:
        """Whether the identifier is seen for the first time within the window; remembers it.

        :raises InvalidRequestError: the message has no identifier.
        """
        if message_id is None:
            raise InvalidRequestError(
                "The entity detects duplicates, and the message has no message-id to tell it by. Set one."
            )
        while self._order and self._order[0][0] <= now - self.window:
            self._seen.discard(self._order.popleft()[1])
        if message_id in self._seen:
            return False
        self._seen.add(message_id)
        self._order.append((now, message_id))
        return True
