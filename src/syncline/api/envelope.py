"""The envelope of every answer: ``{"code": "Success", "message": "...", "data": {...}}``."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from syncline.api.models import ResponseModel

T = TypeVar("T")


class Envelope(ResponseModel, Generic[T]):
    """A successful answer with its data."""

    code: Literal["Success"] = "Success"
    message: str
    data: T


class Failure(ResponseModel):
    """An answer other than success."""

    code: str
    """What programs look at, such as `InvalidInput`."""
    message: str
    """For a person: what was wrong and what to do."""


class Acknowledgement(ResponseModel):
    """A successful answer that has nothing to show."""

    code: Literal["Success"] = "Success"
    message: str


class Items(ResponseModel, Generic[T]):
    """One page of a list. ``next_cursor`` is absent on the last one."""

    items: list[T]
    next_cursor: str | None = None

    @model_serializer(mode="wrap")
    def _without_empty_cursor(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        if self.next_cursor is None:
            values.pop("next_cursor", None)
        return values


D = TypeVar("D", bound=BaseModel)


def success(data: D, message: str = "Operation performed.") -> Envelope[D]:
    """Put data in the envelope."""
    envelope: type[Envelope[D]] = Envelope.__class_getitem__(type(data))  # type: ignore[assignment]
    return envelope(message=message, data=data)


def acknowledge(message: str) -> Acknowledgement:
    """An envelope without data."""
    return Acknowledgement(message=message)
