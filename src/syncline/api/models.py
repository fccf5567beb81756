"""The bases of request and response models."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
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


class RequestModel(BaseModel):
    """A request body. Unknown fields are errors and types are strict: "true" is not true, 1.0 is not 1.

    Choices are best written as ``Literal``: strict mode takes no text for an ``Enum``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class ResponseModel(BaseModel):
    """What an endpoint answers. Write its times as :data:`Timestamp`, and give what may be left out a default."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the fields. A serializer may leave fields out, which those with a default allow for."""
        return handler({name: part for name, part in schema.items() if name != "serialization"})
