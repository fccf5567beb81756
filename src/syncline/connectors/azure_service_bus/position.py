"""How far a queue or a subscription was browsed.

There is a cursor for each partition: sequence numbers rise within a partition alone, and their highest 16 bits name it
(an entity that is not partitioned is all partition 0). A message may become visible after one with a higher number,
say when the transaction that sent it is committed. So the numbers that were missing are kept, as gaps, while the
messages that follow them are no older than :data:`LOOK_BACK`, and the next sync looks into them again. What it finds
there is new; nothing is read twice.

A queue or a subscription that is deleted and made anew counts from 1 again. So a position says what it is of: the
entity, and when that was created, where it is known.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.pages import Page

PARTITION_SHIFT = 48
LOOK_BACK = timedelta(minutes=5)
"""How much later than its successors a message may become visible and still be read. Transactions of Service Bus end
after two minutes."""
MOST_GAPS = 64
"""Gaps that a cursor keeps, the latest ones. Looking into one takes a request."""

DRAINED = {"read_mode": "Drain"}
"""The position of a stream that is drained: it has none, since what was read is gone."""

_ADVICE = (
    'is not a position of a stream: it looks like {"sequence_number": 42, "enqueued_time": "2026-01-31T12:00:00Z"}, or '
    'for a partitioned topic like {"partitions": {"0": {"sequence_number": 42}, ...}}'
)


def partition_of(sequence_number: int) -> int:
    """The partition that a sequence number names."""
    return sequence_number >> PARTITION_SHIFT


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers that were missing, the first and the last included."""

    first: int
    last: int
    noticed: datetime | None
    """When the messages after them were enqueued."""


@dataclass(slots=True)
class Cursor:
    """How far one partition was browsed."""

    sequence_number: int
    enqueued_time: datetime | None = None
    """Of the latest message."""
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Incarnation:
    """What a position is of."""

    entity: str | None = None
    """The queue or subscription and its namespace."""
    created_at: datetime | None = None

    def differs(self, other: "Incarnation") -> bool:
        """Whether both are known, as far as they can be compared, and are not the same."""
        pairs = ((self.entity, other.entity), (self.created_at, other.created_at))
        return any(one is not None and another is not None and one != another for one, another in pairs)


class Position:
    """How far all partitions were browsed, and of what."""

    def __init__(self, cursors: Mapping[int, Cursor] | None = None, incarnation: Incarnation = Incarnation()) -> None:
        self.cursors: dict[int, Cursor] = dict(cursors or {})
        self.incarnation = incarnation

    @classmethod
    def parse(cls, saved: Mapping[str, Any] | None) -> "Position":
        """What :meth:`to_json` gave, or one cursor alone; the beginning for the mark of draining, and for None."""
        if saved is None or saved == DRAINED:
            return cls()
        if "partitions" not in saved:
            cursor = _cursor(saved)
            return cls({partition_of(cursor.sequence_number): cursor})
        incarnation = Incarnation(saved.get("entity"), _parsed(saved.get("created_at")))
        cursors = {int(partition): _cursor(values) for partition, values in saved["partitions"].items()}
        return cls(cursors, incarnation)

    @classmethod
    def check(cls, saved: Mapping[str, Any]) -> None:
        """Look at a position that somebody wrote by hand.

        Raises:
            ValueError: It is not one; the text says what it looks like.
        """
        try:
            cursors = cls.parse(saved).cursors
        except (TypeError, ValueError, KeyError, AttributeError):
            raise ValueError(_ADVICE) from None
        for partition, cursor in cursors.items():
            number, time = cursor.sequence_number, cursor.enqueued_time
            if type(number) is not int or not 0 <= number < 2**63 or partition_of(number) != partition:
                raise ValueError(_ADVICE)
            if time is not None and time.tzinfo is None:
                raise ValueError("has an `enqueued_time` without a time zone: end it with Z for UTC")

    def to_json(self) -> dict[str, Any]:
        """The position as it is kept between syncs."""
        partitions = {}
        for partition, cursor in sorted(self.cursors.items()):
            values: dict[str, Any] = {
                "sequence_number": cursor.sequence_number,
                "enqueued_time": cursor.enqueued_time.isoformat() if cursor.enqueued_time else None,
            }
            if cursor.gaps:
                values["gaps"] = [
                    [gap.first, gap.last, gap.noticed.isoformat() if gap.noticed else None] for gap in cursor.gaps
                ]
            partitions[str(partition)] = values
        entity, created_at = self.incarnation.entity, self.incarnation.created_at
        return (
            {"partitions": partitions}
            | ({"entity": entity} if entity else {})
            | ({"created_at": created_at.isoformat()} if created_at else {})
        )

    @property
    def last_enqueued(self) -> datetime | None:
        """When the latest message was enqueued that was read."""
        return max((cursor.enqueued_time for cursor in self.cursors.values() if cursor.enqueued_time), default=None)

    def after(self, sequence_number: int) -> int:
        """The next number to ask for once those up to this one are known."""
        cursor = self.cursors.get(partition_of(sequence_number))
        return max(sequence_number, cursor.sequence_number if cursor else 0) + 1

    def gaps(self) -> Iterator[Gap]:
        """The gaps of all partitions."""
        for cursor in self.cursors.values():
            yield from cursor.gaps

    def unseen(self, page: Page) -> Page | None:
        """The messages of a page that lie beyond the cursors; None when there are none."""
        first, last = page.numbers[0], page.last_sequence
        cursor = self.cursors.get(partition_of(first))
        if partition_of(first) == partition_of(last) and (cursor is None or first > cursor.sequence_number):
            return page
        seen = {partition: cursor.sequence_number for partition, cursor in self.cursors.items()}
        return page.only({number for number in page.numbers if number > seen.get(partition_of(number), -1)})

    def advance(self, page: Page) -> None:
        """Move the cursors behind the messages of a page, all of which lie beyond them."""
        if partition_of(page.numbers[0]) == partition_of(page.last_sequence):
            self._advance(page.numbers, page.last_enqueued)
            return
        for partition, numbers in groupby(page.numbers, partition_of):
            self._advance(list(numbers), _latest(page, partition))

    def found(self, page: Page) -> None:
        """Take messages that turned up late out of the gaps."""
        for cursor in self.cursors.values():
            cursor.gaps = [part for gap in cursor.gaps for part in _without(gap, page.numbers)]

    def forget_gaps(self, before: datetime) -> bool:
        """Forget the gaps that were noticed before a time, or at none; whether there were any."""
        forgotten = False
        for cursor in self.cursors.values():
            kept = [gap for gap in cursor.gaps if gap.noticed is not None and gap.noticed >= before]
            forgotten = forgotten or len(kept) < len(cursor.gaps)
            cursor.gaps = kept
        return forgotten

    def _advance(self, numbers: Sequence[int], enqueued: datetime | None) -> None:
        partition = partition_of(numbers[0])
        cursor = self.cursors.setdefault(partition, Cursor(partition << PARTITION_SHIFT))
        if numbers[-1] - cursor.sequence_number != len(numbers):
            before = cursor.sequence_number
            for number in numbers:
                if number > before + 1:
                    cursor.gaps.append(Gap(before + 1, number - 1, enqueued))
                before = number
        cursor.sequence_number = numbers[-1]
        if enqueued is not None:
            cursor.enqueued_time = enqueued
            if cursor.gaps:
                oldest = enqueued - LOOK_BACK
                cursor.gaps = [gap for gap in cursor.gaps if gap.noticed is None or gap.noticed >= oldest][-MOST_GAPS:]


def _without(gap: Gap, numbers: Sequence[int]) -> Iterator[Gap]:
    first = gap.first
    for number in numbers:
        if first <= number <= gap.last:
            if number > first:
                yield Gap(first, number - 1, gap.noticed)
            first = number + 1
    if first <= gap.last:
        yield Gap(first, gap.last, gap.noticed)


def _latest(page: Page, partition: int) -> datetime | None:
    """When the latest message of a partition was enqueued."""
    numbers = page.rows.column("sequence_num")
    first = partition << PARTITION_SHIFT
    last = first + (1 << PARTITION_SHIFT) - 1
    mask = pc.and_(pc.greater_equal(numbers, first), pc.less_equal(numbers, last))
    latest = pc.max(page.rows.column("enqueued_time").filter(mask)).as_py()
    return latest if isinstance(latest, datetime) else None


def _cursor(values: Mapping[str, Any]) -> Cursor:
    if unknown := set(values) - {"sequence_number", "enqueued_time", "gaps"}:
        raise ValueError(f"unknown fields: {unknown}")
    gaps = [Gap(first, last, _parsed(noticed)) for first, last, noticed in values.get("gaps", ())]
    return Cursor(values["sequence_number"], _parsed(values.get("enqueued_time")), gaps)


def _parsed(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
