"""Receiving messages that the SDK cannot decode.

Where a message that is pushed to a receiver holds a type that the SDK's decoder lacks, the SDK drops it without a word
and leaves it locked: it would come again and again, until it is dead-lettered. So a link of ours hands over a stand-in
with the same delivery, header and annotations, and keeps the bytes for our own decoder (see
:mod:`~syncline.connectors.azure_service_bus.salvage`).
"""

from typing import Any

from azure.servicebus._pyamqp._decode import decode_payload

from syncline.amqp.sections import Section, walk_sections

_EMPTY_BODY = b"\x00\x53\x75\xa0\x00"
"""A data section of no bytes (AMQP 1.0 part 3, section 3.2.6)."""
_KEPT = (Section.HEADER, Section.MESSAGE_ANNOTATIONS)


def tolerate(link: Any) -> dict[int, bytes]:
    """Have a receiving link of the SDK take every message. Returns the bytes of those that it cannot decode, by their
    delivery, filled as they come."""
    undecoded: dict[int, bytes] = {}
    take = link._incoming_transfer

    def incoming_transfer(frame: Any) -> None:
        try:
            take(frame)
        except Exception:
            # The SDK gives a message of several frames to its decoder before it forgets what it has put together.
            payload = bytes(link._received_payload) or bytes(frame[11])
            stand_in = _stand_in(payload)
            link._received_payload = bytearray()
            undecoded[link._first_frame[1]] = payload
            link._process_incoming_message(link._first_frame, stand_in)

    link._incoming_transfer = incoming_transfer
    return undecoded


def _stand_in(payload: bytes) -> Any:
    """Raises DecodeError for bytes that are no message."""
    kept = [payload[start:end] for code, start, _, end in walk_sections(payload) if code in _KEPT]
    return decode_payload(memoryview(b"".join(kept) + _EMPTY_BODY))
