"""Durations as ISO 8601 writes them, the way the administration API and the topology file use them."""

import re
from datetime import timedelta

from syncline.emulator.descriptions import UNBOUNDED
from syncline.emulator.errors import InvalidEntityError

UNBOUNDED_TEXT = "P10675199DT2H48M5.4775807S"
"""How the service writes a duration without an end: the longest that .NET can hold."""

_LONGEST_DAYS = 10675199
_PATTERN = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12}(?:\.[0-9]{1,12})?)S)?)?",
    re.ASCII,
)


def parse_duration(text: str) -> timedelta:
    """Read `PT1M30S`, `P7D` and the like; a year counts 365 days, a month 30, as in .NET.

    What is as long as the service's longest duration is `UNBOUNDED`. Raises `InvalidEntityError`
    for anything else.
    """
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise InvalidEntityError(f"{text!r} is not an ISO 8601 duration; write PT30S, PT5M or P7D, for example.")
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups()[:-1])
    all_days = years * 365 + months * 30 + weeks * 7 + days
    if all_days >= _LONGEST_DAYS:
        return UNBOUNDED
    duration = timedelta(days=all_days, hours=hours, minutes=minutes, seconds=float(match.group(7) or 0))
    return UNBOUNDED if duration.days >= _LONGEST_DAYS else duration


def format_duration(duration: timedelta) -> str:
    """Write a duration, to the microsecond; `UNBOUNDED` as the service writes it."""
    if duration.days >= _LONGEST_DAYS:
        return UNBOUNDED_TEXT
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    time = f"{hours}H" if hours else ""
    time += f"{minutes}M" if minutes else ""
    if duration.microseconds:
        time += f"{seconds}.{duration.microseconds:06}".rstrip("0") + "S"
    elif seconds:
        time += f"{seconds}S"
    date = f"{duration.days}D" if duration.days else ""
    return f"P{date}T{time}" if time else f"P{date or 'T0S'}"
