"""When a connection's next sync starts: pure functions of the schedule and the time."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

SYNC_FREQUENCIES = (1, 5, 15, 30, 60, 120, 180, 360, 480, 720, 1440)
"""The minutes that may lie between two syncs. Each divides a day, so the starts are the same every day."""

DAILY = 1440
"""The frequency at which `daily_sync_time` counts."""

MOST_OFFSET_MINUTES = 60
"""Starts are spread over an hour, so that the connections of many destinations do not begin at the same second."""

FIRST_RETRY = timedelta(minutes=1)
MOST_EARLY_RETRIES = 6
"""After so many failures in a row (about an hour), failed syncs wait for their schedule."""

_OFFSET = re.compile(r"^([+-]?)(\d{1,2})(?::?([0-5]\d))?$")
_ANCHOR_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Schedule:
    """What decides when a connection syncs. `time_zone_offset` and `destination_id` are its destination's."""

    sync_frequency: int
    """Minutes between two starts."""
    daily_sync_time: str | None
    """`HH:00` in the destination's time zone; counts only when `sync_frequency` is 1440."""
    schedule_type: str
    """`auto`, or `manual`: then nothing but a request starts a sync."""
    time_zone_offset: str
    """Hours from UTC, such as `-5`, `+10` or `+5:30`."""
    destination_id: str


def next_sync_at(schedule: Schedule, after: datetime) -> datetime | None:
    """The first start of the schedule that is later than `after`, in UTC; None when the schedule is manual.

    The starts are counted from midnight in the destination's time zone, or from the daily sync time, and are moved
    by the destination's fixed offset.
    """
    if schedule.schedule_type == "manual":
        return None
    zone = timezone(parse_time_zone_offset(schedule.time_zone_offset))
    baseline = datetime(_ANCHOR_YEAR, 1, 1, tzinfo=zone) + start_offset(schedule.destination_id)
    if schedule.sync_frequency == DAILY and schedule.daily_sync_time is not None:
        baseline += timedelta(hours=int(schedule.daily_sync_time.partition(":")[0]))
    step = timedelta(minutes=schedule.sync_frequency)
    return (baseline + ((after - baseline) // step + 1) * step).astimezone(UTC)


def retry_at(schedule: Schedule, failures: int, after: datetime) -> datetime | None:
    """The next start after `failures` failed syncs in a row: sooner than the schedule at first, never later.

    The waits are 1, 2, 4, ... 32 minutes; from then on the schedule alone counts, so that a source that stays away
    is not asked forever. None when the schedule is manual.
    """
    scheduled = next_sync_at(schedule, after)
    if scheduled is None or failures > MOST_EARLY_RETRIES:
        return scheduled
    doublings = max(failures, 1) - 1
    return min(scheduled, after + FIRST_RETRY * (1 << doublings))


def start_offset(destination_id: str) -> timedelta:
    """The fixed offset of all syncs into a destination: 0 to 60 whole minutes, derived from its identifier."""
    digest = hashlib.sha256(destination_id.encode()).digest()
    return timedelta(minutes=int.from_bytes(digest[:4]) % (MOST_OFFSET_MINUTES + 1))


def parse_time_zone_offset(text: str) -> timedelta:
    """The time zone offset of a destination.

    Raises:
        ValueError: the text is not a number of hours from -12 to +14.
    """
    match = _OFFSET.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time zone offset: write hours from UTC, such as -5 or +10")
    sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    if not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        raise ValueError(f"{text!r} is not a time zone offset: it must lie between -12 and +14 hours")
    return offset
