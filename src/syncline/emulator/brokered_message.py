"""The content of a message as the broker keeps it: encoded once, shared by every copy.

A message arrives as bytes and leaves as bytes. The bare message (properties, application
properties, body) and the footer are never touched: a message whose sender gave it no identifier
has none. What a delivery needs besides, the header and the annotations of the service, is put in
front of them by :meth:`BrokeredMessage.encode`.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache

from syncline.amqp import (
    AmqpException,
    Header,
    Properties,
    Sections,
    Symbol,
    UInt,
    encode_application_properties,
    encode_header,
    encode_value,
    split_sections,
)
from syncline.emulator.conditions import InvalidRequestError, UnreadableMessageError

SCHEDULED_ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
PARTITION_KEY = "x-opt-partition-key"
_DEAD_LETTER_SOURCE = "x-opt-deadletter-source"

_GIVEN_BY_THE_SERVICE = frozenset(
    {
        "x-opt-sequence-number",
        "x-opt-enqueued-time",
        "x-opt-enqueue-sequence-number",
        "x-opt-locked-until",
        "x-opt-lock-token",
        "x-opt-message-state",
        _DEAD_LETTER_SOURCE,
    }
)
"""Annotations that a sender cannot set: what it sends under these names is dropped."""

_LONGEST_TIME_TO_LIVE = 2**32 - 1
"""The header's time to live is an unsigned 32-bit number of milliseconds."""


def _symbol(name: str) -> bytes:
    return encode_value(Symbol(name))


# The annotations that every delivery has, in one fixed layout: sequence number (long 0x81),
# enqueued time (timestamp 0x83) and state (smallint 0x54). Part 1, sections 1.6.9, 1.6.12, 1.6.17.
_FIXED = struct.Struct(
    f">{len(_symbol('x-opt-sequence-number')) + 1}sq{len(_symbol('x-opt-enqueued-time')) + 1}sq"
    f"{len(_symbol('x-opt-message-state')) + 1}sB"
)
_FIXED_NUMBER = _symbol("x-opt-sequence-number") + b"\x81"
_FIXED_TIME = _symbol("x-opt-enqueued-time") + b"\x83"
_FIXED_STATE = _symbol("x-opt-message-state") + b"\x54"
_FIXED_ENTRIES = 6

_LOCKED_UNTIL = _symbol("x-opt-locked-until") + b"\x83"
_ENQUEUE_NUMBER = _symbol("x-opt-enqueue-sequence-number") + b"\x81"
_LONG = struct.Struct(">q")
_SMALL_MAP = b"\x00\x53\x72\xc1"
_LARGE_MAP = b"\x00\x53\x72\xd1"
_TWO_LONG_SIZES = struct.Struct(">II")


@lru_cache(maxsize=1024)
def _header(durable: bool | None, priority: int | None, ttl: int | None, delivery_count: int) -> bytes:
    return encode_header(
        Header(
            durable=durable, priority=priority, ttl=None if ttl is None else UInt(ttl), delivery_count=delivery_count
        )
    )


class BrokeredMessage:
    """The immutable content of a message.

    `time_to_live` is what the sender asked for in milliseconds and `scheduled_at` the moment
    (milliseconds since 1970) before which nobody may receive it; both None when not given.
    `size` is the length in bytes as it was sent.
    """

    __slots__ = (
        "_annotation_count",
        "_annotations",
        "_durable",
        "_priority",
        "_rest",
        "message_id",
        "partition_key",
        "scheduled_at",
        "session_id",
        "size",
        "time_to_live",
    )

    def __init__(self, payload: bytes) -> None:
        """Read an encoded message.

        :raises UnreadableMessageError: the bytes are not one.
        """
        if not payload:
            raise UnreadableMessageError("The message is empty; it needs a body at least.")
        try:
            sections = split_sections(payload)
            header = sections.decode_header()
            annotations = sections.decode_message_annotations() if sections.message_annotations else {}
            properties = (sections.decode_properties() if sections.properties else None) or Properties()
            if sections.application_properties:
                sections.decode_application_properties()
        except AmqpException as error:
            raise UnreadableMessageError(f"The message cannot be read: {error}") from error
        self.size = len(payload)
        self._rest = sections.rest
        self._durable = header.durable if header else None
        self._priority = header.priority if header else None
        self.time_to_live: int | None = header.ttl if header else None
        self.message_id: object = properties.message_id
        self.session_id: str | None = properties.group_id
        scheduled = annotations.get(SCHEDULED_ENQUEUE_TIME)
        self.scheduled_at = int(scheduled) if isinstance(scheduled, int) else None
        partition_key = annotations.get(PARTITION_KEY)
        self.partition_key = partition_key if isinstance(partition_key, str) else None
        kept = {key: value for key, value in annotations.items() if str(key) not in _GIVEN_BY_THE_SERVICE}
        self._annotation_count = 2 * len(kept)
        self._annotations = _encode_entries(kept)

    def encode(
        self,
        *,
        sequence_number: int,
        enqueued_at: int,
        state: int,
        delivery_count: int,
        time_to_live: int | None,
        locked_until: int | None,
        enqueue_sequence_number: int | None,
    ) -> bytes:
        """The whole message as one receiver gets it; times and durations in milliseconds."""
        entries = _FIXED.pack(_FIXED_NUMBER, sequence_number, _FIXED_TIME, enqueued_at, _FIXED_STATE, state)
        count = _FIXED_ENTRIES
        if locked_until is not None:
            entries += _LOCKED_UNTIL + _LONG.pack(locked_until)
            count += 2
        if enqueue_sequence_number is not None:
            entries += _ENQUEUE_NUMBER + _LONG.pack(enqueue_sequence_number)
            count += 2
        if self._annotation_count:
            entries += self._annotations
            count += self._annotation_count
        size = len(entries)
        if size < 255 and count < 256:
            head = _SMALL_MAP + bytes((size + 1, count))
        else:
            head = _LARGE_MAP + _TWO_LONG_SIZES.pack(size + 4, count)
        if time_to_live is not None and time_to_live > _LONGEST_TIME_TO_LIVE:
            time_to_live = None
        return b"".join(
            (_header(self._durable, self._priority, time_to_live, delivery_count), head, entries, self._rest)
        )

    def properties(self) -> Properties:
        """The properties section, empty when the message has none."""
        return self._sections().decode_properties() or Properties()

    def application_properties(self) -> dict[str, object]:
        """The application properties, empty when the message has none."""
        sections = self._sections()
        return dict(sections.decode_application_properties()) if sections.application_properties else {}

    def with_application_properties(self, changes: Mapping[str, object]) -> "BrokeredMessage":
        """A copy whose application properties are updated with `changes`.

        :raises InvalidRequestError: AMQP cannot carry one of the values.
        """
        if not changes:
            return self
        sections = self._sections()
        try:
            encoded = encode_application_properties({**self.application_properties(), **changes})
        except AmqpException as error:
            raise InvalidRequestError(f"The properties to modify cannot be kept: {error}") from error
        copy = self._copy()
        copy._rest = sections.properties + encoded + sections.body + sections.footer
        copy.size = self.size + len(copy._rest) - len(self._rest)
        return copy

    def with_dead_letter_source(self, path: str) -> "BrokeredMessage":
        """A copy that says it was dead-lettered in the entity `path` and may be received at once."""
        copy = self._copy()
        copy.scheduled_at = None
        if _symbol(_DEAD_LETTER_SOURCE) not in copy._annotations:
            copy._annotations += _encode_entries({_DEAD_LETTER_SOURCE: path})
            copy._annotation_count += 2
        return copy

    def _sections(self) -> Sections:
        return split_sections(self._rest)

    def _copy(self) -> "BrokeredMessage":
        copy = object.__new__(BrokeredMessage)
        for name in BrokeredMessage.__slots__:
            setattr(copy, name, getattr(self, name))
        return copy


def _encode_entries(entries: Mapping[str, object]) -> bytes:
    return b"".join(_symbol(str(key)) + encode_value(value) for key, value in entries.items())
