"""When the next sync starts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.engine.schedule import (
    SYNC_FREQUENCIES,
    Schedule,
    next_sync_at,
    retry_at,
    start_offset,
)
from syncline.engine.time_zones import parse_time_zone_offset

GROUP = "group_one"
OFFSET = start_offset(GROUP)


def schedule(
    frequency: int,
    *,
    daily: str | None = None,
    kind: str = "auto",
    zone: str = "0",
    destination: str = GROUP,
    summer: bool = False,
) -> Schedule:
    return Schedule(frequency, daily, kind, zone, destination, summer)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_schedule", "after", "expected"),
    [
        # The baseline is midnight.
        (schedule(1440), "2026-03-01T12:00", "2026-03-02T00:00"),
        (schedule(360), "2026-03-01T07:30", "2026-03-01T12:00"),
        (schedule(720), "2026-03-01T13:30", "2026-03-02T00:00"),
        (schedule(480), "2026-02-28T17:30", "2026-03-01T00:00"),
        # In the destination's time zone.
        (schedule(1440, zone="-5"), "2026-03-01T12:00", "2026-03-02T05:00"),
        (schedule(1440, zone="+10"), "2026-03-01T12:00", "2026-03-01T14:00"),
        (schedule(1440, zone="+5:30"), "2026-03-01T12:00", "2026-03-01T18:30"),
        (schedule(360, zone="-5"), "2026-03-01T12:00", "2026-03-01T17:00"),
        # The daily sync time counts at 1440 alone.
        (schedule(1440, daily="14:00"), "2026-03-01T12:00", "2026-03-01T14:00"),
        (schedule(1440, daily="14:00"), "2026-03-01T16:00", "2026-03-02T14:00"),
        (schedule(1440, daily="14:00", zone="-5"), "2026-03-01T12:00", "2026-03-01T19:00"),
        (schedule(1440, daily="00:00"), "2026-12-31T12:00", "2027-01-01T00:00"),
        (schedule(720, daily="14:00"), "2026-03-01T02:00", "2026-03-01T12:00"),
    ],
)
def test_starts_are_counted_from_midnight_and_moved_by_the_offset(
    given_schedule: Schedule, after: str, expected: str
) -> None:
    assert next_sync_at(given_schedule, utc(after)) == utc(expected) + OFFSET


@pytest.mark.parametrize(
    ("given_schedule", "after", "expected"),
    [
        # New York: clocks go forward on 8 March 2026, back on 1 November 2026.
        (schedule(1440, zone="-5", summer=True), "2026-03-01T12:00", "2026-03-02T05:00"),
        (schedule(1440, zone="-5", summer=True), "2026-07-01T12:00", "2026-07-02T04:00"),
        (schedule(1440, zone="-5"), "2026-07-01T12:00", "2026-07-02T05:00"),
        (schedule(1440, zone="-5", daily="14:00", summer=True), "2026-03-07T23:00", "2026-03-08T18:00"),
        (schedule(1440, zone="-5", daily="02:00", summer=True), "2026-03-08T05:00", "2026-03-08T07:00"),
        (schedule(1440, zone="-5", daily="01:00", summer=True), "2026-11-01T02:00", "2026-11-01T05:00"),
        (schedule(1440, zone="-5", daily="01:00", summer=True), "2026-11-01T06:30", "2026-11-02T06:00"),
        (schedule(360, zone="-5", summer=True), "2026-03-08T06:30", "2026-03-08T10:00"),
        (schedule(60, zone="-5", summer=True), "2026-11-01T05:00", "2026-11-01T06:00"),
        (schedule(60, zone="-5", summer=True), "2026-11-01T06:00", "2026-11-01T07:00"),
        # Berlin, Sydney, and an offset where nobody changes the clocks.
        (schedule(1440, zone="+1", summer=True), "2026-07-01T12:00", "2026-07-01T22:00"),
        (schedule(1440, zone="+10", summer=True), "2026-01-01T14:30", "2026-01-02T13:00"),
        (schedule(1440, zone="+9", summer=True), "2026-07-01T16:30", "2026-07-02T15:00"),
    ],
)
def test_with_daylight_saving_starts_stand_at_the_same_time_on_the_clock(
    given_schedule: Schedule, after: str, expected: str
) -> None:
    assert next_sync_at(given_schedule, utc(after) + OFFSET) == utc(expected) + OFFSET


def test_short_frequencies_keep_the_offset_as_their_phase() -> None:
    after = utc("2026-03-01T12:00")
    found = next_sync_at(schedule(5), after)
    assert found is not None
    assert after < found <= after + timedelta(minutes=5)
    assert (found - utc("2026-03-01T00:00") - OFFSET) % timedelta(minutes=5) == timedelta(0)


def test_a_start_that_is_reached_exactly_leads_to_the_one_after_it() -> None:
    reached = utc("2026-03-01T12:00") + OFFSET
    assert next_sync_at(schedule(60), reached) == reached + timedelta(hours=1)


def test_manual_connections_have_no_next_start() -> None:
    assert next_sync_at(schedule(5, kind="manual"), utc("2026-03-01T12:00")) is None
    assert retry_at(schedule(5, kind="manual"), 1, utc("2026-03-01T12:00")) is None


@given(
    frequency=st.sampled_from(SYNC_FREQUENCIES),
    daily=st.none() | st.integers(0, 23).map(lambda hour: f"{hour:02}:00"),
    zone=st.integers(-12, 14).map(str),
    destination=st.text(min_size=1, max_size=20),
    after=st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_next_start_is_later_by_at_most_one_frequency(
    frequency: int, daily: str | None, zone: str, destination: str, after: datetime
) -> None:
    given_schedule = schedule(frequency, daily=daily, zone=zone, destination=destination)
    found = next_sync_at(given_schedule, after)
    assert found is not None
    assert after < found <= after + timedelta(minutes=frequency)
    assert next_sync_at(given_schedule, found) == found + timedelta(minutes=frequency)
    in_summer = next_sync_at(replace(given_schedule, daylight_saving_time=True), after)
    assert in_summer is not None
    assert after < in_summer <= after + timedelta(minutes=frequency) + timedelta(hours=1)


@given(st.text(max_size=40))
def test_the_offset_is_fixed_and_at_most_an_hour(destination: str) -> None:
    assert start_offset(destination) == start_offset(destination)
    assert timedelta(0) <= start_offset(destination) <= timedelta(minutes=60)


def test_the_offsets_of_destinations_differ() -> None:
    assert len({start_offset(f"destination {number}") for number in range(200)}) > 30


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, None), (1000, None)]
)
def test_failures_are_retried_ever_later_and_then_wait_for_the_schedule(failures: int, minutes: int | None) -> None:
    daily = schedule(1440)
    after = utc("2026-03-01T12:00")
    expected = next_sync_at(daily, after) if minutes is None else after + timedelta(minutes=minutes)
    assert retry_at(daily, failures, after) == expected


def test_a_retry_is_never_later_than_the_schedule() -> None:
    after = utc("2026-03-01T12:00")
    assert retry_at(schedule(5), 6, after) == next_sync_at(schedule(5), after)


@pytest.mark.parametrize(
    ("text", "hours"), [("0", 0), ("-5", -5), ("+10", 10), ("5", 5), ("+05:30", 5.5), ("-0330", -3.5), ("+14", 14)]
)
def test_time_zone_offsets(text: str, hours: float) -> None:
    assert parse_time_zone_offset(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "UTC", "+15", "-13", "5:70", "Europe/Berlin", "--5"])
def test_what_is_not_a_time_zone_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time zone offset"):
        parse_time_zone_offset(text)
