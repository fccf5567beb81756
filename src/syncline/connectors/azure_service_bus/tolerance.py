"""Receiving messages as they were encoded.

The SDK decodes every message that is pushed to a receiver. That takes longer than all else that reading does; and where
a message holds a type that its decoder lacks, the SDK drops it without a word and leaves it locked: it would come again
and again, until it is dead-lettered. So a link of ours hands over a stand-in with the same delivery, header and
annotations, whose body is the message as it was encoded.
"""

from collections.abc import Sequence
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage

from syncline.amqp import Data, encode_body
from syncline.amqp.decoding import skip_value
from syncline.amqp.sections import Section, section_code


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
    """Raises DecodeError for bytes that are no message."""
    end = 0
    while end < len(payload):
        code, value_start = section_code(payload, end)
        if code > Section.MESSAGE_ANNOTATIONS:
            break
        end = skip_value(payload, value_start)
    return payload[:end] + encode_body(Data(payload))
