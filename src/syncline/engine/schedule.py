"""When a connection's next sync starts: pure functions of the schedule and the time."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from syncline.engine.time_zones import time_zone
from syncline.engine.timetable import Timetable

SYNC_FREQUENCIES = (1, 5, 15, 30, 60, 120, 180, 360, 480, 720, 1440)
"""The minutes that may lie between two syncs. Each divides a day, so the starts are the same every day."""

DAILY = 1440
"""The frequency at which `daily_sync_time` counts."""

MOST_OFFSET_MINUTES = 60
"""Starts are spread over an hour, so that the connections of many destinations do not begin at the same second."""

FIRST_RETRY = timedelta(minutes=1)
MOST_EARLY_RETRIES = 6
"""After so many failures in a row (about an hour), failed syncs wait for their schedule."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


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
    daylight_saving_time: bool = False
    """Whether the clocks of the destination's time zone go forward in summer."""
    timetable: Timetable | None = None
    """Counts in place of `sync_frequency` and `daily_sync_time`."""


def next_sync_at(schedule: Schedule, after: datetime) -> datetime | None:
    """The first start of the schedule that is later than `after`, in UTC; None when the schedule is manual.

    The starts are counted from midnight in the destination's time zone, or from the daily sync time, and are moved
    by the destination's fixed offset. With daylight saving, starts two hours and more apart stand at the same times on
    the clock all year; those that are closer together keep their distance, since no hour may pass without one.
    """
    if schedule.schedule_type == "manual":
        return None
    zone = time_zone(schedule.time_zone_offset, daylight_saving_time=schedule.daylight_saving_time)
    offset, step = start_offset(schedule.destination_id), timedelta(minutes=schedule.sync_frequency)
    if schedule.timetable is not None:
        return schedule.timetable.next_start(after, zone, offset)
    moved = after - offset
    if step <= _HOUR:
        # Time zones differ by whole quarters of an hour, summer time by whole halves.
        midnight = datetime(2000, 1, 1, tzinfo=zone).astimezone(UTC)
        return midnight + ((moved - midnight) // step + 1) * step + offset
    first = timedelta(0)
    if schedule.sync_frequency == DAILY and schedule.daily_sync_time is not None:
        first = timedelta(hours=int(schedule.daily_sync_time.partition(":")[0]))
    today = moved.astimezone(zone).date()
    starts = (start for day in (today - _DAY, today, today + _DAY) for start in _starts(day, first, step, zone))
    return min(start for start in starts if start > moved) + offset


def due_after(schedule: Schedule, moment: datetime) -> datetime:
    """When the sync that follows one at this moment is due, whether anything starts it or not."""
    if schedule.timetable is None:
        return moment + timedelta(minutes=schedule.sync_frequency)
    zone = time_zone(schedule.time_zone_offset, daylight_saving_time=schedule.daylight_saving_time)
    return schedule.timetable.next_start(moment, zone, start_offset(schedule.destination_id))


def _starts(day: date, first: timedelta, step: timedelta, zone: tzinfo) -> list[datetime]:
    """The starts of a day by the clock of a time zone, in UTC. A time that the clock skips is an hour later."""
    midnight = datetime.combine(day, time())
    return [(midnight + first + count * step).replace(tzinfo=zone).astimezone(UTC) for count in range(_DAY // step)]


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
