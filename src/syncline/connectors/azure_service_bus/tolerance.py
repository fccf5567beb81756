"""Receiving messages as they were encoded.

Where a message that is pushed to a receiver holds a type that the SDK's decoder lacks, the SDK drops it without a word
and leaves it locked: it would come again and again, until it is dead-lettered. So a link of ours hands over a stand-in
with the same delivery, header and annotations, whose body is the message as it was encoded.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage

from syncline.amqp import DecodeError, skip_value
from syncline.amqp.sections import Section, section_code

_SHORT_DESCRIPTOR = b"\x00\x53"
_DATA = b"\x00\x53\x75\xb0"
"""How a data section begins (AMQP 1.0 part 3, section 3.2.6); its size in four bytes follows."""


def keep_encoded(link: Any) -> None:
    """Have a receiving link of the SDK take every message, and not decode what its sender wrote. What comes over it is
    for :func:`encoded_messages`."""
    take = link._incoming_transfer

    def incoming_transfer(frame: Any) -> None:
        if not frame[5]:  # the last frame of its message
            payload = bytes(link._received_payload) + bytes(frame[11])
            link._received_payload = bytearray()
            frame = [*frame[:11], memoryview(_stand_in(payload))]
        take(frame)

    link._incoming_transfer = incoming_transfer


def encoded_messages(messages: Sequence[ServiceBusReceivedMessage]) -> list[bytes]:
    """Messages of such a link, as they were encoded."""
    return [b"".join(message.body) for message in messages]


def _stand_in(payload: bytes) -> bytes:
    end = 0
    with suppress(DecodeError, IndexError):  # where the sender's part begins, which may be anything
        while True:
            code, value_start = payload[end + 2], end + 3
            if payload[end : end + 2] != _SHORT_DESCRIPTOR:
                code, value_start = section_code(payload, end)
            if code > Section.MESSAGE_ANNOTATIONS:
                break
            end = skip_value(payload, value_start)
    return b"".join((payload[:end], _DATA, len(payload).to_bytes(4, "big"), payload))
