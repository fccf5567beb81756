"""Decode one batch of messages."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode import json_packed, json_unpacked
from syncline.connectors.azure_service_bus.decode.outcome import Decoder
from syncline.connectors.errors import SourceConfigurationError
from syncline.warehouses import types

DECODERS: Mapping[tuple[str, str], Decoder] = {
    ("Json", "Packed"): json_packed.decode,
    ("Json", "Unpacked"): json_unpacked.decode,
}
"""The decoder of each `message_type` and `sync_type`."""

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


def decode_batch(table: pa.Table, message_type: str, sync_type: str) -> tuple[pa.Table, pa.Table]:
    """Decode a batch of messages (``MESSAGE_SCHEMA``).

    Every message ends in exactly one of the two tables.

    Returns:
        The rows: the columns of the messages without `body`, and those of the decoded body (`value`, or
        `value_<field>` with the field's name as it is in the source). And the rejects (:data:`REJECT_SCHEMA`).

    Raises:
        SourceConfigurationError: There is no decoder for this format.
    """
    decoder = DECODERS.get((message_type, sync_type))
    if decoder is None:
        raise SourceConfigurationError(
            f"Messages of type {message_type} cannot be decoded as {sync_type} yet.",
            "Set message_type to Json, and sync_type to Packed or Unpacked.",
        )
    decoded = decoder(table.column("body"))
    rejected = sorted(decoded.reasons)
    accepted = table.drop_columns(["body"])
    if rejected:
        keep = pa.array(sorted(set(range(table.num_rows)).difference(rejected)), pa.int64())
        accepted = accepted.take(keep)
    properties = accepted.schema.get_field_index("application_properties")
    if properties >= 0:
        field = types.arrow_field("application_properties", types.JSON)
        accepted = accepted.set_column(properties, field, accepted.column(properties))
    for field, column in zip(decoded.fields, decoded.columns, strict=True):
        accepted = accepted.append_column(field, column)
    return accepted, _rejects(table.take(pa.array(rejected, pa.int64())), [decoded.reasons[i] for i in rejected])


def _rejects(messages: pa.Table, reasons: list[str]) -> pa.Table:
    columns = {name: messages.column(name) for name in ("sequence_num", "message_id", "body", "enqueued_time")}
    columns["body"] = pc.cast(columns["body"], pa.binary())
    columns["reason"] = pa.array(reasons, pa.string())
    return pa.table([columns[name] for name in REJECT_SCHEMA.names], schema=REJECT_SCHEMA)
