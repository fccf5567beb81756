"""When a connection syncs, as requests say it: `schedule`, or `sync_frequency` with `daily_sync_time`, and whether it
syncs by itself at all.

`schedule` is as the Terraform provider sends it. What is said last is in force.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from syncline.api.models import RequestModel
from syncline.declarations import InvalidField
from syncline.engine.timetable import next_by_cron
from syncline.store.models import Connection

SCHEDULING = frozenset({"schedule_type", "sync_frequency", "daily_sync_time", "schedule"})
"""The fields that say when a connection syncs."""
LONGEST_INTERVAL = 1440
"""Minutes: a connection syncs at least once on each of its days."""
MOST_EXPRESSIONS = 20
LONGEST_EXPRESSION = 200

_NAMES = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|MON|TUE|WED|THU|FRI|SAT|SUN"
_CRON = re.compile(rf"((?:[0-9*,/-]|{_NAMES})+)( +((?:[0-9*,/-]|{_NAMES})+)){{4}}", re.IGNORECASE)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:00)?", re.ASCII)
_FIELDS = {
    "INTERVAL": ("interval", "days_of_week"),
    "TIME_OF_DAY": ("time_of_day", "days_of_week"),
    "CRON": ("cron",),
    "MANUAL": (),
}
"""What a schedule of each type has. The first is needed."""


def _cron(value: object) -> object:
    expressions = value if isinstance(value, list) else [value]
    if not 1 <= len(expressions) <= MOST_EXPRESSIONS:
        raise ValueError(f"must be a cron expression, or a list of 1 to {MOST_EXPRESSIONS} of them")
    for expression in expressions:
        _check_cron(expression)
    return value


def _check_cron(expression: object) -> None:
    if not isinstance(expression, str) or len(expression) > LONGEST_EXPRESSION or not _CRON.fullmatch(expression):
        raise ValueError(
            "must be a cron expression of five fields (minute, hour, day of the month, month, day of the week), such "
            "as 0 9 * * 1-5"
        )
    try:
        next_by_cron(expression, datetime(2000, 1, 1, tzinfo=UTC), UTC)
    except ValueError as error:
        raise ValueError(f"must be a cron expression that names a time: {error}") from None


def _time_of_day(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("must be a time from 00:00 to 23:59, such as 09:30")
    return text


def _each_once(days: list[str]) -> list[str]:
    if len(set(days)) < len(days):
        raise ValueError("names a day twice: remove one")
    return days


_ONE_CRON = {"type": "string", "maxLength": LONGEST_EXPRESSION}
Cron = Annotated[  # not a union, whose errors name its parts
    Any,
    AfterValidator(_cron),
    WithJsonSchema(
        {"anyOf": [_ONE_CRON, {"type": "array", "items": _ONE_CRON, "minItems": 1, "maxItems": MOST_EXPRESSIONS}]}
    ),
]
Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class ScheduleRequest(RequestModel):
    """When a connection syncs. Times are by the clock of the destination's time zone."""

    schedule_type: Literal["INTERVAL", "TIME_OF_DAY", "CRON", "MANUAL"] = Field(
        description="MANUAL: nothing but a request starts a sync."
    )
    interval: Annotated[int, Field(ge=1, le=LONGEST_INTERVAL)] | None = Field(
        default=None, description="With INTERVAL: minutes from one start to the next, counted from midnight."
    )
    time_of_day: Annotated[str, AfterValidator(_time_of_day)] | None = Field(
        default=None, description="With TIME_OF_DAY: when the sync starts.", examples=["09:30"]
    )
    cron: Cron = Field(
        default=None,
        description="With CRON: an expression of five fields, or a list of them.",
        examples=["0 9 * * 1-5"],
    )
    days_of_week: Annotated[list[Weekday], AfterValidator(_each_once)] | None = Field(
        default=None, description="With INTERVAL and TIME_OF_DAY: the days with syncs; every day when absent or empty."
    )

    @field_validator("interval", "time_of_day", "cron", "days_of_week")
    @classmethod
    def _belongs_to_the_type(cls, value: Any, info: ValidationInfo) -> Any:
        kind = info.data.get("schedule_type")
        if kind is not None and value is not None and info.field_name not in _FIELDS[kind]:
            raise ValueError(f"does not belong to a schedule of the type {kind}: leave it out")
        return value

    def stored(self) -> dict[str, Any]:
        """What is stored, and answered: what was sent.

        Raises:
            InvalidField: The schedule lacks what its type needs.
        """
        needed = _FIELDS[self.schedule_type][:1]
        for name in needed:
            if getattr(self, name) is None:
                raise InvalidField(f"schedule.{name}", f"is needed when `schedule_type` is {self.schedule_type}")
        return self.model_dump(exclude_none=True)


def scheduling(request: RequestModel) -> dict[str, Any]:
    """The columns of a connection that say when it syncs, as a request has them.

    Raises:
        InvalidField: The schedule lacks something, or says another thing than `schedule_type`.
    """
    columns: dict[str, Any] = {name: getattr(request, name) for name in SCHEDULING & request.model_fields_set}
    schedule: ScheduleRequest | None = columns.get("schedule")
    if schedule is not None:
        says = "manual" if schedule.schedule_type == "MANUAL" else "auto"
        if columns.get("schedule_type", says) != says:
            raise InvalidField(
                "schedule",
                f"is of the type {schedule.schedule_type}, which excludes `schedule_type` {columns['schedule_type']}: "
                "send one of the two",
            )
        columns |= {"schedule": schedule.stored(), "schedule_type": says}
    elif columns.get("sync_frequency") or columns.get("daily_sync_time"):
        columns["schedule"] = None
    return columns


def settle(connection: Connection) -> None:
    """Drop a stored `schedule` of the type MANUAL from a connection that syncs by itself again."""
    stored = connection.schedule
    if connection.schedule_type == "auto" and stored is not None and stored["schedule_type"] == "MANUAL":
        connection.schedule = None
