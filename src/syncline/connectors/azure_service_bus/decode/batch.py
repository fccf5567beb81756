"""Decode one batch of messages."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import count
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.charsets import BYTE_ORDER_MARKS
from syncline.connectors.azure_service_bus.decode.compression import decompress
from syncline.connectors.azure_service_bus.decode.dotnet_body import unwrap
from syncline.connectors.azure_service_bus.decode.outcome import Decoder
from syncline.connectors.azure_service_bus.messages import MESSAGE_SCHEMA
from syncline.connectors.errors import SourceConfigurationError
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types

DECODERS: Mapping[tuple[str, str], str] = {
    ("Json", "Packed"): "json_packed",
    ("Json", "Unpacked"): "json_unpacked",
    ("Text", "Packed"): "text_packed",
    ("Xml", "Packed"): "xml_packed",
    ("Avro", "Unpacked"): "avro",
    ("Protobuf", "Unpacked"): "protobuf",
}
"""The module of each `message_type` and `sync_type`. It is imported when it is needed: what it stands on takes time and
memory, and a connection has one format."""

_APPLICATION_PROPERTIES = types.arrow_field("application_properties", types.JSON)
_IN_DESTINATIONS = {_APPLICATION_PROPERTIES.name: _APPLICATION_PROPERTIES, "body": pa.field("body", pa.binary())}
"""Columns of messages that are of another type there."""

REJECT_SCHEMA = pa.schema(
    [*(_IN_DESTINATIONS.get(field.name, field) for field in MESSAGE_SCHEMA), pa.field("reason", pa.string())]
)
"""A message that could not be decoded: all that it came with, its bytes as they came, and why."""

_FOR_DECODING = ["content_encoding", "body"]
"""Columns of messages that are not columns of rows."""

_TEXTS = frozenset({"Json", "Text", "Xml"})
"""The types of messages that are text, whose charset a byte order mark may say."""
_EMPTY_TEXTS = frozenset({b"", *(mark for mark, _ in BYTE_ORDER_MARKS)})
_LONGEST_EMPTY = max(map(len, _EMPTY_TEXTS))


def decode_batch(
    table: pa.Table, message_type: str, sync_type: str, schemas: SchemaRegistry | None = None
) -> tuple[pa.Table, pa.Table]:
    """Decode a batch of messages (``MESSAGE_SCHEMA``).

    Every message ends in exactly one of the two tables. One without a body is a row whose decoded columns are null.

    Args:
        table: The messages.
        message_type: The format, by its name in the configuration.
        sync_type: Packed or Unpacked.
        schemas: The registry, for the formats that need one.

    Returns:
        The rows: the columns of the messages without those that only matter here, and those of the decoded body
        (`value`, or `value_<field>` with the field's name as it is in the source). And the rejects
        (:data:`REJECT_SCHEMA`).

    Raises:
        SourceConfigurationError: There is no decoder for this format, or no registry for one that needs it.
        SourceError: A schema cannot be had from the registry.
    """
    module = DECODERS.get((message_type, sync_type))
    if module is None:
        raise SourceConfigurationError(
            f"Messages of type {message_type} cannot be decoded as {sync_type}.",
            "Correct config.message_type and config.sync_type: Json is Packed or Unpacked, Text and Xml are Packed, "
            "Avro and Protobuf Unpacked.",
        )
    decode = cast(Decoder, import_module(f"{__package__}.{module}").decode)
    messages, broken = decompress(table)
    broken = {place: reason for place, reason in broken.items() if table.column("body")[place].as_py()}
    if message_type in _TEXTS:
        place = messages.schema.get_field_index("body")
        messages = messages.set_column(place, messages.schema.field(place), unwrap(messages.column(place)))
    empty = _empty_bodies(messages, is_text=message_type in _TEXTS).difference(broken)
    places: Sequence[int] = range(table.num_rows)
    if broken or empty:
        places = [place for place in places if place not in broken and place not in empty]
        messages = messages.take(pa.array(places, pa.int64()))
    decoded = decode(messages, schemas)
    reasons = broken | {places[place]: reason for place, reason in decoded.reasons.items()}
    rejected = sorted(reasons)
    accepted = table.drop_columns(_FOR_DECODING)
    if rejected:
        keep = pa.array(sorted(set(range(table.num_rows)).difference(rejected)), pa.int64())
        accepted = accepted.take(keep)
    properties = accepted.schema.get_field_index(_APPLICATION_PROPERTIES.name)
    if properties >= 0:
        accepted = accepted.set_column(properties, _APPLICATION_PROPERTIES, accepted.column(properties))
    columns = decoded.columns
    if empty:
        columns = _with_nulls(columns, empty, set(range(table.num_rows)).difference(rejected))
    # All at once: a table with thousands of columns takes minutes to make one by one.
    schema = pa.schema([*accepted.schema, *decoded.fields])
    accepted = pa.table([*accepted.columns, *columns], schema=schema)
    return accepted, rejects(table.take(pa.array(rejected, pa.int64())), [reasons[place] for place in rejected])


def rejects(messages: pa.Table, reasons: Sequence[str]) -> pa.Table:
    """Messages (``MESSAGE_SCHEMA``) as rejects (:data:`REJECT_SCHEMA`), each with its reason."""
    columns = [messages.column(name) for name in MESSAGE_SCHEMA.names]
    return pa.table([*columns, pa.array(reasons, pa.string())], names=REJECT_SCHEMA.names).cast(REJECT_SCHEMA)


def _empty_bodies(messages: pa.Table, *, is_text: bool) -> set[int]:
    """The places of messages without a body; a text that is a byte order mark and nothing more is none either."""
    bodies = messages.column("body")
    short = pc.indices_nonzero(pc.less_equal(pc.binary_length(bodies), _LONGEST_EMPTY if is_text else 0)).to_pylist()
    return {place for place in short if bodies[place].as_py() in _EMPTY_TEXTS}


def _with_nulls(
    columns: Sequence[pa.Array | pa.ChunkedArray], empty: set[int], accepted: set[int]
) -> list[pa.Array | pa.ChunkedArray]:
    """The decoded columns with a null for each message without a body, all places being those in the batch."""
    decoded = count()
    rows = pa.array([None if place in empty else next(decoded) for place in sorted(accepted)], pa.int64())
    return [column.take(rows) for column in columns]
