"""The columns of a batch of messages as they were read."""

import pyarrow as pa

MESSAGE_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("sequence_num", pa.int64(), nullable=False),
        pa.field("enqueued_sequence_number", pa.int64()),
        pa.field("session_id", pa.string()),
        pa.field("content_type", pa.string()),
        pa.field("enqueued_time", pa.timestamp("us", tz="UTC"), nullable=False),
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
without a `message_id` gets one that :func:`fallback_message_id` makes. `enqueued_time` is part of what tells
deliveries apart, so one without a time, which no real service gives, counts as enqueued at the epoch."""

FALLBACK_ID = "sequence_num:"
"""What the key of a message without an id begins with."""


def fallback_message_id(sequence_number: int, enqueued: int | None) -> str:
    """The key of a message whose sender gave it none, such as ``sequence_num:42@1767225600123`` (its number, and the
    milliseconds of the Unix epoch at which it was enqueued).

    It is stable, so that reading the message again meets the same row. The number alone would be another message's
    too, once the queue or subscription was deleted and made anew.
    """
    return f"{FALLBACK_ID}{sequence_number}@{enqueued or 0}"
