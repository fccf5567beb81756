"""Transfer frames that wait for the peer's session window to open (part 2, section 2.5.6)."""

from collections import deque


class Backlog:
    """Frames in the order in which they were sent, each with the link that it belongs to."""

    __slots__ = ("_entries", "size")

    def __init__(self) -> None:
        self._entries: deque[tuple[object, bytes]] = deque()
        self.size = 0
        """Bytes of all frames that wait."""

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, link: object, frame: bytes) -> None:
        """Put a frame at the end."""
        self._entries.append((link, frame))
        self.size += len(frame)

    def take(self) -> bytes:
        """Take the first frame."""
        _, frame = self._entries.popleft()
        self.size -= len(frame)
        return frame

    def drop(self, link: object) -> None:
        """Forget the frames of one link."""
        if self._entries:
            kept = [entry for entry in self._entries if entry[0] is not link]
            self._entries = deque(kept)
            self.size = sum(len(frame) for _, frame in kept)

    def clear(self) -> None:
        """Forget all frames."""
        self._entries.clear()
        self.size = 0
