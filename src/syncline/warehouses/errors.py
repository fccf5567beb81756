"""What can go wrong with a destination, and why. No message ever holds a secret."""

import re
from collections.abc import Iterable

from syncline.networking import HostRefused, chain

_LONGEST_REASON = 500
_VALUES_OF_ROWS = re.compile(
    r"\s(?:CONTEXT:|QUERY:|LINE \d+:|DETAIL:\s+Failing row contains).*?(?=\s(?:DETAIL|HINT):|\Z)", re.DOTALL
)
"""What PostgreSQL adds to its reason: values of the row, and statements."""


class WarehouseError(Exception):
    """The destination refused something. `message` says what happened, `remedy` what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message, remedy)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class WarehouseUnavailable(WarehouseError):  # noqa: N818 - says it all without a suffix
    """The destination could not be reached, or is in use by someone else. A later sync may succeed."""


class WarehouseConfigurationError(WarehouseError):
    """A person has to change something. Trying again alone will not help."""


class RowsRefused(WarehouseError):  # noqa: N818 - says it all without a suffix
    """The destination refused rows for what is in them. It may take others, and none of these came in."""


def refused_host(error: HostRefused) -> WarehouseConfigurationError:
    """The error of a destination for a host that is not connected to."""
    return WarehouseConfigurationError(error.message, error.remedy)


def reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """What an error says, in one line of bounded length, without `secrets` and without values of rows."""
    text = str(error).strip()
    if isinstance(error, LookupError) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "******")
    text = " ".join(_VALUES_OF_ROWS.sub("", text).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


def first_reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """The same of where it began: libraries put their own words, and many of them, around an error."""
    *_, first = chain(error)
    return reason(first, secrets)
