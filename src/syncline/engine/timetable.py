"""The starts that a connection's `schedule` names: at an interval, at a time of the day, or as cron says.

All are by the clock of the destination's time zone. Where that clock goes forward, a start in the hour that it skips is
at the moment when it goes on; where it goes back, cron counts a time that the clock shows twice as two.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Literal

from croniter import croniter

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Timetable:
    """A `schedule` that starts syncs, with the fields that its kind has."""

    schedule_type: Literal["INTERVAL", "TIME_OF_DAY", "CRON"]
    interval: int = 0
    """Minutes from one start to the next, counted from midnight."""
    time_of_day: str = ""
    """`HH:MM`, perhaps with `:00`."""
    cron: Sequence[str] = ()
    """Expressions of five fields; each names starts."""
    days_of_week: Sequence[str] = ()
    """Names of :data:`WEEKDAYS`; none is every day."""

    @classmethod
    def of(cls, schedule: Mapping[str, Any] | None) -> "Timetable | None":
        """The timetable of a stored `schedule`; None when there is none, or when it starts nothing by itself."""
        if schedule is None or schedule["schedule_type"] == "MANUAL":
            return None
        cron = schedule.get("cron", ())
        return cls(**{**schedule, "cron": (cron,) if isinstance(cron, str) else tuple(cron)})

    def next_start(self, after: datetime, zone: tzinfo, offset: timedelta) -> datetime:
        """The first start later than `after`, in UTC.

        Args:
            zone: The destination's time zone.
            offset: How much starts at an interval are moved, so that they are spread. Times that somebody chose to the
                minute are kept.
        """
        if self.schedule_type == "CRON":
            return min(next_by_cron(expression, after, zone) for expression in self.cron)
        if self.schedule_type == "TIME_OF_DAY":
            return self._on_days(after, zone, self._at_the_time)
        return self._on_days(after - offset, zone, self._at_the_interval) + offset

    def _on_days(
        self, after: datetime, zone: tzinfo, start_on: Callable[[date, datetime, tzinfo], datetime | None]
    ) -> datetime:
        day = after.astimezone(zone).date()
        while True:
            if not self.days_of_week or WEEKDAYS[day.weekday()] in self.days_of_week:
                start = start_on(day, after, zone)
                if start is not None:
                    return start
            day += _DAY

    def _at_the_time(self, day: date, after: datetime, zone: tzinfo) -> datetime | None:
        hour, minute = map(int, self.time_of_day.split(":")[:2])
        start = _at(day, time(hour, minute), zone)
        return start if start > after else None

    def _at_the_interval(self, day: date, after: datetime, zone: tzinfo) -> datetime | None:
        midnight, step = _at(day, time(), zone), timedelta(minutes=self.interval)
        start = midnight if after < midnight else midnight + ((after - midnight) // step + 1) * step
        return start if start < _at(day + _DAY, time(), zone) else None


def next_by_cron(expression: str, after: datetime, zone: tzinfo) -> datetime:
    """The first time later than `after` that a cron expression names, in UTC.

    Raises:
        ValueError: It is no cron expression, or names a day that never comes.
    """
    found: datetime = croniter(expression, after.astimezone(zone)).get_next(datetime)
    return found.astimezone(UTC)


def _at(day: date, clock: time, zone: tzinfo) -> datetime:
    """A time on the clock of a day, in UTC. One that the clock skips is as much later as the clock goes forward."""
    return datetime.combine(day, clock, zone).astimezone(UTC)
