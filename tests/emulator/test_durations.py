"""Durations in ISO 8601."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.emulator.descriptions import UNBOUNDED
from syncline.emulator.durations import UNBOUNDED_TEXT, format_duration, parse_duration
from syncline.emulator.errors import InvalidEntityError


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT1M", timedelta(minutes=1)),
        ("PT0S", timedelta()),
        ("P7D", timedelta(days=7)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("PT300S", timedelta(minutes=5)),
        ("P2W", timedelta(days=14)),
        ("P1Y1M", timedelta(days=395)),
        (UNBOUNDED_TEXT, UNBOUNDED),
        # What the Python SDK sends back after rounding the longest duration.
        ("P10675199DT2H48M5.477580S", UNBOUNDED),
        ("P999999999Y", UNBOUNDED),
        ("PT999999999H", UNBOUNDED),
    ],
)
def test_reads(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1", "1M", "PT1", "-PT1M", "PT1M1H", "P1DT", "five minutes", "00:05:00"]
)
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidEntityError, match="not an ISO 8601 duration"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10_000)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_writes_as_the_service_does() -> None:
    assert format_duration(timedelta(minutes=1)) == "PT1M"
    assert format_duration(timedelta(days=7)) == "P7D"
    assert format_duration(timedelta()) == "PT0S"
    assert format_duration(timedelta(days=1, seconds=0.25)) == "P1DT0.25S"
    assert format_duration(UNBOUNDED) == UNBOUNDED_TEXT
