"""What a connection's schema config makes of its tables and columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncline.sync.shape import SYNCED
from syncline.warehouses.rows import OrderColumn
from syncline.warehouses.types import ColumnType

KEY = "message_id"
"""The column that tells messages apart."""
SEQUENCE = "sequence_num"
"""The column that numbers messages, within what holds them in the source, or within a partition of it."""
ENQUEUED = "enqueued_time"
"""The column that says when the source took a message."""
ORDER = (OrderColumn(ENQUEUED), OrderColumn(SEQUENCE, bits=48), OrderColumn(SEQUENCE))
"""What says which of two deliveries of a message is the later one. The number alone does not: in a partitioned topic
its highest 16 bits are the partition's, and a topic that is deleted and made anew counts from 1 again. Where two were
enqueued in the same millisecond, the number within the partition tells, since partitions take turns."""
DELIVERY = (SEQUENCE, ENQUEUED)
"""The columns that tell deliveries apart, those of a topic that was made anew too."""
OTHER = "value.other"
"""The column for fields that get no column of their own, by a name that no field's column has: those begin with
`value_`. In the destination it is called `value_other`."""
SYSTEM_COLUMNS = frozenset({*DELIVERY, SYNCED})
"""Columns that loading cannot do without, besides the key."""

TYPE_LOCKED = "type_locked"
"""Code of the warning about values that do not fit a locked type."""
COLUMNS_NOT_DROPPED = "columns_not_dropped"
"""Code of the warning about columns that the destination refused to drop."""


class SyncMode(StrEnum):
    """How the deliveries of a message become rows.

    Service Bus knows no deletion of a message that was delivered, so SOFT_DELETE and LIVE come to the same: one row a
    message, its latest delivery. HISTORY keeps a row for each delivery.
    """

    SOFT_DELETE = "SOFT_DELETE"
    HISTORY = "HISTORY"
    LIVE = "LIVE"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        return (KEY, *DELIVERY) if self is SyncMode.HISTORY else (KEY,)


class ChangeHandling(StrEnum):
    """What happens with tables and columns that appear in the source after the first sync."""

    ALLOW_ALL = "ALLOW_ALL"
    ALLOW_COLUMNS = "ALLOW_COLUMNS"
    BLOCK_ALL = "BLOCK_ALL"

    @property
    def allows_tables(self) -> bool:
        """Whether new tables are synced."""
        return self is ChangeHandling.ALLOW_ALL

    @property
    def allows_columns(self) -> bool:
        """Whether new columns are synced."""
        return self is not ChangeHandling.BLOCK_ALL


@dataclass(frozen=True, slots=True)
class Selection:
    """What is loaded of one table, and how."""

    sync_mode: SyncMode = SyncMode.SOFT_DELETE
    loaded_mode: SyncMode | None = None
    """The mode of the rows that are there already; None when there are none."""
    blocked: frozenset[str] = frozenset()
    """Columns that are not written."""
    hashed: frozenset[str] = frozenset()
    """Columns of which a hash is written."""
    locked_types: Mapping[str, ColumnType] = field(default_factory=dict)
    """Columns that keep a type, whatever comes."""
    salt: bytes = field(default=b"", repr=False)
    """What hashes are salted with."""

    @property
    def needs_new_key(self) -> bool:
        """Whether the rows that are there are told apart by other columns than those to come."""
        return self.loaded_mode is not None and self.loaded_mode.key != self.sync_mode.key


def is_system_column(name: str) -> bool:
    """Whether a column can be neither blocked nor hashed."""
    return name == KEY or name in SYSTEM_COLUMNS


def stored_name(name: str) -> str:
    """A column's name as the store can hold it: PostgreSQL takes no NUL character."""
    return name.replace("\x00", "␀")
