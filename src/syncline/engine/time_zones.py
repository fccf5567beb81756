"""The time zones of destinations: hours from UTC, and where daylight saving is kept, the rules of a place.

A destination names an offset and not a place, so the rules are those of the place with this standard time whose
daylight saving most people keep. Where there is none, the offset is the same all year.
"""

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"^([+-]?)(\d{1,2})(?::?([0-5]\d))?$")

_DAYLIGHT_SAVING = {
    -10.0: "America/Adak",
    -9.0: "America/Anchorage",
    -8.0: "America/Los_Angeles",
    -7.0: "America/Denver",
    -6.0: "America/Chicago",
    -5.0: "America/New_York",
    -4.0: "America/Halifax",
    -3.5: "America/St_Johns",
    -3.0: "America/Miquelon",
    -2.0: "America/Nuuk",
    -1.0: "Atlantic/Azores",
    0.0: "Europe/London",
    1.0: "Europe/Berlin",
    2.0: "Europe/Athens",
    9.5: "Australia/Adelaide",
    10.0: "Australia/Sydney",
    10.5: "Australia/Lord_Howe",
    12.0: "Pacific/Auckland",
}
"""Places by their hours from UTC in winter."""


def time_zone(offset: str, *, daylight_saving_time: bool) -> tzinfo:
    """The time zone of a destination.

    Raises:
        ValueError: see :func:`parse_time_zone_offset`.
    """
    fixed = parse_time_zone_offset(offset)
    place = _DAYLIGHT_SAVING.get(fixed / timedelta(hours=1)) if daylight_saving_time else None
    return ZoneInfo(place) if place is not None else timezone(fixed)


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
