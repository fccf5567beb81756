"""What a format's decoder takes and gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from syncline.connectors.schema_registry import SchemaRegistry


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded bodies of a batch."""

    fields: Sequence[pa.Field]
    """The columns found, with names as in the source."""
    columns: Sequence[pa.Array | pa.ChunkedArray]
    """One value for each message that was not rejected, in the order of the messages."""
    reasons: dict[int, str]
    """Why a message was rejected, by its place in the batch."""


Decoder = Callable[[pa.Table, SchemaRegistry | None], Decoded]
"""Decodes a batch of messages (`MESSAGE_SCHEMA`, bodies not compressed any more). Bad messages get a reason; a decoder
never raises for what is in them, but a SourceError where a schema that it needs cannot be had."""


class Undecodable(ValueError):  # noqa: N818 - it is the message's, not ours
    """A message that cannot be decoded; the text says why."""


EMPTY_BODY = "The body is empty."
"""The reason to reject a message without a body, in a format that has no such thing."""


def brief(error: Exception) -> str:
    """What an error says, on one line of bounded length, for the reason of a reject."""
    text = " ".join(str(error).split()).encode("utf-8", "replace").decode() or type(error).__name__
    return (text if len(text) <= 300 else f"{text[:300]}...").rstrip(".")
