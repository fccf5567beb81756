"""When the syncs of a connection with a `schedule` start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.engine.schedule import Schedule, due_after, next_sync_at, start_offset
from syncline.engine.timetable import WEEKDAYS, Timetable

GROUP = "group_one"
OFFSET = start_offset(GROUP)
EVERY_DAY = {"schedule_type": "TIME_OF_DAY", "time_of_day": "09:30"}


def schedule(stored: dict[str, Any], zone: str = "0", *, summer: bool = False, kind: str = "auto") -> Schedule:
    return Schedule(1440, "03:00", kind, zone, GROUP, summer, Timetable.of(stored))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(*expressions: str) -> dict[str, Any]:
    return {"schedule_type": "CRON", "cron": expressions[0] if len(expressions) == 1 else list(expressions)}


def every(minutes: int, *days: str) -> dict[str, Any]:
    return {"schedule_type": "INTERVAL", "interval": minutes, "days_of_week": list(days)}


@pytest.mark.parametrize(
    ("stored", "zone", "after", "expected"),
    [
        (cron("0 9 * * 1-5"), "0", "2026-03-06T09:00", "2026-03-09T09:00"),  # from Friday to Monday
        (cron("0 9 * * 1-5"), "0", "2026-03-06T08:59", "2026-03-06T09:00"),
        (cron("*/15 * * * *"), "0", "2026-03-06T09:15", "2026-03-06T09:30"),
        (cron("0 6 * * *"), "-5", "2026-03-06T12:00", "2026-03-07T11:00"),
        (cron("0 6 * * *", "30 18 * * *"), "0", "2026-03-06T12:00", "2026-03-06T18:30"),
        (cron("0 0 1 JAN *"), "0", "2026-03-06T12:00", "2027-01-01T00:00"),
        (cron("0 0 29 2 *"), "0", "2026-03-06T12:00", "2028-02-29T00:00"),
        (EVERY_DAY, "0", "2026-03-06T09:29", "2026-03-06T09:30"),
        (EVERY_DAY, "0", "2026-03-06T09:30", "2026-03-07T09:30"),
        (EVERY_DAY, "+10", "2026-03-06T12:00", "2026-03-06T23:30"),
        (EVERY_DAY | {"time_of_day": "09:30:00"}, "0", "2026-03-06T09:00", "2026-03-06T09:30"),
        (EVERY_DAY | {"days_of_week": ["SUNDAY"]}, "0", "2026-03-06T12:00", "2026-03-08T09:30"),
    ],
)
def test_times_that_somebody_chose_are_kept_to_the_minute(
    stored: dict[str, Any], zone: str, after: str, expected: str
) -> None:
    assert next_sync_at(schedule(stored, zone), utc(after)) == utc(expected)


@pytest.mark.parametrize(
    ("stored", "zone", "after", "expected"),
    [
        (every(60), "0", "2026-03-06T09:20", "2026-03-06T10:00"),
        (every(60), "+5:30", "2026-03-06T09:20", "2026-03-06T09:30"),
        (every(1440), "0", "2026-03-06T09:20", "2026-03-07T00:00"),
        # Counted anew from each midnight.
        (every(420), "0", "2026-03-06T20:00", "2026-03-06T21:00"),
        (every(420), "0", "2026-03-06T21:00", "2026-03-07T00:00"),
        (every(60, "MONDAY", "WEDNESDAY"), "0", "2026-03-06T09:20", "2026-03-09T00:00"),
        (every(60, "FRIDAY"), "0", "2026-03-06T23:00", "2026-03-13T00:00"),
    ],
)
def test_intervals_are_counted_from_midnight_and_moved_by_the_offset(
    stored: dict[str, Any], zone: str, after: str, expected: str
) -> None:
    assert next_sync_at(schedule(stored, zone), utc(after) + OFFSET) == utc(expected) + OFFSET


@pytest.mark.parametrize(
    ("stored", "after", "expected"),
    [
        # Berlin skips 02:00 to 03:00 on the 29th of March, and shows it twice on the 25th of October.
        (cron("30 2 * * *"), "2026-03-28T12:00", "2026-03-29T01:00"),
        (cron("0 6 * * *"), "2026-03-28T12:00", "2026-03-29T04:00"),
        (cron("0 * * * *"), "2026-10-25T00:00", "2026-10-25T01:00"),
        (EVERY_DAY | {"time_of_day": "02:30"}, "2026-03-28T12:00", "2026-03-29T01:30"),
        (EVERY_DAY, "2026-10-24T12:00", "2026-10-25T08:30"),
    ],
)
def test_the_clock_of_the_time_zone_counts_in_summer_too(stored: dict[str, Any], after: str, expected: str) -> None:
    assert next_sync_at(schedule(stored, "+1", summer=True), utc(after)) == utc(expected)


def test_a_manual_schedule_starts_nothing() -> None:
    assert next_sync_at(schedule({"schedule_type": "MANUAL"}, kind="manual"), utc("2026-03-06T12:00")) is None
    assert next_sync_at(schedule(cron("* * * * *"), kind="manual"), utc("2026-03-06T12:00")) is None


def test_the_next_sync_is_due_when_the_schedule_says() -> None:
    assert due_after(schedule(cron("0 9 * * 1")), utc("2026-03-06T12:00")) == utc("2026-03-09T09:00")


def _days() -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(WEEKDAYS), unique=True)


STORED = st.one_of(
    st.builds(every, st.integers(1, 1440)),
    st.builds(lambda minutes, days: every(minutes, *days), st.integers(1, 1440), _days()),
    st.builds(
        lambda hour, minute, days: EVERY_DAY | {"time_of_day": f"{hour:02}:{minute:02}", "days_of_week": days},
        *(st.integers(0, 23), st.integers(0, 59), _days()),
    ),
    st.builds(
        lambda minute, hour, day: cron(f"{minute} {hour} * * {day}"),
        *(
            st.sampled_from(["0", "*/7", "5,50"]),
            st.sampled_from(["*", "2", "*/6"]),
            st.sampled_from(["*", "1-5", "7"]),
        ),
    ),
)


@given(stored=STORED, seconds=st.integers(0, 2 * 365 * 86_400), zone=st.sampled_from(["0", "+1"]))
def test_a_start_is_later_within_a_week_and_the_first_one(stored: dict[str, Any], seconds: int, zone: str) -> None:
    made, after = schedule(stored, zone, summer=True), utc("2026-01-01T00:00") + timedelta(seconds=seconds)
    start = next_sync_at(made, after)
    assert start is not None
    assert after < start <= after + timedelta(days=8)
    assert next_sync_at(made, start - timedelta(seconds=1)) == start
    assert next_sync_at(made, after + (start - after) / 2) == start
