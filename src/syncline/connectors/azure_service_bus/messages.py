"""The columns of a batch of messages as they were read."""

import pyarrow as pa

MESSAGE_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("sequence_num", pa.int64(), nullable=False),
        pa.field("enqueued_sequence_number", pa.int64()),
        pa.field("session_id", pa.string()),
        pa.field("content_type", pa.string()),
        pa.field("enqueued_time", pa.timestamp("us", tz="UTC")),
        pa.field("correlation_id", pa.string()),
        pa.field("dead_letter_error_description", pa.string()),
        pa.field("dead_letter_reason", pa.string()),
        pa.field("dead_letter_source", pa.string()),
        pa.field("application_properties", pa.string()),
        pa.field("content_encoding", pa.string()),
        pa.field("body", pa.large_binary(), nullable=False),
    ]
)
"""One row a message. `application_properties` is a JSON object as text (null when there are none); `body` is the
bytes of the data sections, joined, or JSON text in UTF-8 for a body that is an AMQP value or sequence.
`content_encoding` is there for decoding and goes no further, and neither does `body`. A message
without a `message_id` gets one that :func:`fallback_message_id` makes."""


def fallback_message_id(sequence_number: int) -> str:
    """The key of a message whose sender gave it none, such as ``sequence_num:42``: stable, so that reading it again
    meets the same row."""
    return f"sequence_num:{sequence_number}"
