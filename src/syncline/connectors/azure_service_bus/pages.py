"""What one request for messages gave."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the order of their sequence numbers."""

    rows: pa.RecordBatch
    """Those that are there. One that is scheduled for later is not."""
    numbers: Sequence[int]
    """The sequence numbers of all that came, scheduled ones included; at least one."""
    last_enqueued: datetime | None

    @property
    def received(self) -> int:
        """How many came."""
        return len(self.numbers)

    @property
    def last_sequence(self) -> int:
        """The highest sequence number."""
        return self.numbers[-1]

    def only(self, wanted: Container[int]) -> "Page | None":
        """The messages of these sequence numbers; None when there are none of them here."""
        numbers = [number for number in self.numbers if number in wanted]
        if not numbers:
            return None
        mask = pa.array([number in wanted for number in self.rows.column("sequence_num").to_pylist()], pa.bool_())
        return Page(self.rows.filter(mask), numbers, self.last_enqueued)
