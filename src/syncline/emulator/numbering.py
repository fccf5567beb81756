"""The sequence numbers of an entity.

They rise from 1. In a partitioned entity they do so within a partition, and the partition is their highest 16 bits. A
message's session, or else its partition key, decides on its partition; those without either take turns.
"""

from zlib import crc32

from syncline.emulator.brokered_message import BrokeredMessage

PARTITIONS = 16
"""Partitions of an entity that has them."""
PARTITION_SHIFT = 48


class Numbering:
    """Gives each message of an entity its sequence number."""

    def __init__(self, *, is_partitioned: bool = False) -> None:
        self._last = [0] * (PARTITIONS if is_partitioned else 1)
        self._turn = 0

    def take(self, content: BrokeredMessage) -> int:
        """The next number, for this message."""
        partition = self._partition(content) if len(self._last) > 1 else 0
        self._last[partition] += 1
        return (partition << PARTITION_SHIFT) | self._last[partition]

    def _partition(self, content: BrokeredMessage) -> int:
        key = content.session_id if content.session_id is not None else content.partition_key
        if key is not None:
            return crc32(key.encode()) % len(self._last)
        self._turn = (self._turn + 1) % len(self._last)
        return self._turn
