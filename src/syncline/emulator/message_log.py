"""Messages in the order of their sequence numbers."""

from bisect import bisect_left, insort
from collections.abc import Callable

from syncline.emulator.brokered_message import BrokeredMessage
from syncline.emulator.stored_message import StoredMessage

_SLACK = 1024


class MessageLog:
    """A set of messages by sequence number, read in order from anywhere.

    `size` is the bytes of all of them together.
    """

    def __init__(self) -> None:
        self.size = 0
        self._messages: dict[int, StoredMessage] = {}
        # Numbers in order, those of removed messages among them until they are many.
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, number: object) -> bool:
        """Whether the message of that number is here."""
        return number in self._messages

    def get(self, number: int) -> StoredMessage | None:
        """The message of that number, None when it is not here."""
        return self._messages.get(number)

    def insert(self, stored: StoredMessage) -> None:
        """Add a message, which usually has the highest number so far."""
        number = stored.sequence_number
        if self._order and number < self._order[-1]:
            insort(self._order, number)
        else:
            self._order.append(number)
        self._messages[number] = stored
        self.size += stored.content.size

    def remove(self, stored: StoredMessage) -> None:
        """Take a message out."""
        del self._messages[stored.sequence_number]
        self.size -= stored.content.size
        if len(self._order) > 2 * len(self._messages) + _SLACK:
            self._order = [number for number in self._order if number in self._messages]

    def replace(self, stored: StoredMessage, content: BrokeredMessage) -> None:
        """Give a message other content."""
        self.size += content.size - stored.content.size
        stored.content = content

    def page(
        self, number: int, limit: int, max_bytes: int, keep: Callable[[StoredMessage], bool]
    ) -> list[StoredMessage]:
        """The messages from a number on that are to be kept, in order.

        At most `limit` of them and about `max_bytes`, but at least one when there is one.
        """
        found: list[StoredMessage] = []
        size = 0
        for position in range(bisect_left(self._order, number), len(self._order)):
            if len(found) >= limit:
                break
            stored = self._messages.get(self._order[position])
            if stored is None or not keep(stored):
                continue
            size += stored.content.size
            if found and size > max_bytes:
                break
            found.append(stored)
        return found

    def clear(self) -> None:
        """Take every message out."""
        self.size = 0
        self._messages.clear()
        self._order.clear()
