"""Decode one batch of messages."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.compression import decompress
from syncline.connectors.azure_service_bus.decode.outcome import Decoder
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

REJECT_SCHEMA = pa.schema(
    [
        pa.field("sequence_num", pa.int64()),
        pa.field("message_id", pa.string()),
        pa.field("body", pa.binary()),
        pa.field("reason", pa.string()),
        pa.field("enqueued_time", pa.timestamp("us", tz="UTC")),
    ]
)
"""A message that could not be decoded: its position, its bytes as they came, and why."""

_FOR_DECODING = ["content_encoding", "body"]
"""Columns of messages that are not columns of rows."""


def decode_batch(
    table: pa.Table, message_type: str, sync_type: str, schemas: SchemaRegistry | None = None
) -> tuple[pa.Table, pa.Table]:
    """Decode a batch of messages (``MESSAGE_SCHEMA``).

    Every message ends in exactly one of the two tables.

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
    places = range(table.num_rows)
    if broken:
        places = [place for place in places if place not in broken]  # type: ignore[assignment]
        messages = messages.take(pa.array(places, pa.int64()))
    decoded = decode(messages, schemas)
    reasons = broken | {places[place]: reason for place, reason in decoded.reasons.items()}
    rejected = sorted(reasons)
    accepted = table.drop_columns(_FOR_DECODING)
    if rejected:
        keep = pa.array(sorted(set(range(table.num_rows)).difference(rejected)), pa.int64())
        accepted = accepted.take(keep)
    properties = accepted.schema.get_field_index("application_properties")
    if properties >= 0:
        field = types.arrow_field("application_properties", types.JSON)
        accepted = accepted.set_column(properties, field, accepted.column(properties))
    for field, column in zip(decoded.fields, decoded.columns, strict=True):
        accepted = accepted.append_column(field, column)
    return accepted, rejects(table.take(pa.array(rejected, pa.int64())), [reasons[place] for place in rejected])


def rejects(messages: pa.Table, reasons: Sequence[str]) -> pa.Table:
    """Messages (``MESSAGE_SCHEMA``) as rejects (:data:`REJECT_SCHEMA`), each with its reason."""
    columns = {name: messages.column(name) for name in ("sequence_num", "message_id", "body", "enqueued_time")}
    columns["body"] = pc.cast(columns["body"], pa.binary())
    columns["reason"] = pa.array(reasons, pa.string())
    return pa.table([columns[name] for name in REJECT_SCHEMA.names], schema=REJECT_SCHEMA)
