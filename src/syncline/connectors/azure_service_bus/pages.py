"""What one request for messages gave."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the order of their sequence numbers."""

    rows: pa.RecordBatch
    """Those that are there. One that is scheduled for later is not."""
    received: int
    """How many came, scheduled ones included; at least one."""
    last_sequence: int
    last_enqueued: datetime | None
