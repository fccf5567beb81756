"""The bases of request and response models."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


def format_timestamp(value: datetime) -> str:
    """ISO 8601 in UTC with microseconds and ``Z``: ``2024-12-01T15:43:29.013729Z``."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(format_timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time as every answer writes it."""


T = TypeVar("T")
_CLEARS: Final = "null and empty text take the value away"
Clearable = Annotated[T | None, _CLEARS]
"""The type of a request's field whose value null and ``""`` take away: an identifier, or a text that may be absent."""


class RequestModel(BaseModel):
    """A request body. Unknown fields are errors and types are strict: "true" is not true, 1.0 is not 1.

    A field that is null counts as absent, for clients that send every field they know; it takes the value away where
    the field is :data:`Clearable`, as ``""`` does there.

    Choices are best written as ``Literal``: strict mode takes no text for an ``Enum``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    @classmethod
    def clearable_fields(cls) -> frozenset[str]:
        """The fields whose value null and ``""`` take away."""
        return frozenset(name for name, field in cls.model_fields.items() if _CLEARS in field.metadata)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        cleared = {name: None for name in cls.clearable_fields() if values.get(name, ...) in (None, "")}
        return {name: value for name, value in values.items() if value is not None or name not in optional} | cleared


class ResponseModel(BaseModel):
    """What an endpoint answers. Write its times as :data:`Timestamp`, and give what may be left out a default."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the fields. A serializer may leave fields out, which those with a default allow for."""
        return handler({name: part for name, part in schema.items() if name != "serialization"})
