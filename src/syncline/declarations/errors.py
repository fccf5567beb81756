"""What can be wrong with a configuration."""

import json
from dataclasses import dataclass
from typing import Any

_LONGEST_SHOWN = 100
"""Characters of an offending value that an error shows."""


class InvalidField(ValueError):  # noqa: N818 - it names a finding, and the API layer turns it into an error
    """A field that is unknown, has the wrong type, or a value that is not allowed.

    ``field`` is its path (``config.topics[0]``), ``message`` says what is wrong and what to do, and ``value`` is the
    offending value as JSON, shortened; it is None where the value is or may be a secret.
    """

    def __init__(self, field: str, message: str, *, value: str | None = None) -> None:
        self.field = field
        self.message = message
        self.value = value
        super().__init__(field, message)

    def __str__(self) -> str:
        got = "" if self.value is None else f" (got {self.value})"
        return f"`{self.field}` {self.message}{got}"


@dataclass(frozen=True, slots=True)
class MissingField:
    """A field that is needed and was not given. The thing can be created, but it is incomplete."""

    field: str
    """Its path, such as ``config.connection_string``."""
    title: str
    reason: str
    """When it is needed, such as "needed when `auth_type` is ConnectionString"."""

    def __str__(self) -> str:
        return f"`{self.field}` ({self.reason})"


def shown(value: Any) -> str:
    """A value as it may stand in an error message: JSON, shortened. Never call it with a secret."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        text = json.dumps(repr(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
