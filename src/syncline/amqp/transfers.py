"""Transfer frames of outgoing deliveries: a message in as many frames as it needs (part 2, section 2.6.14)."""

from syncline.amqp.composites import encode_composite_into
from syncline.amqp.deliveries import OutgoingDelivery
from syncline.amqp.delivery_states import DeliveryState
from syncline.amqp.encoding import encode_uint
from syncline.amqp.frames import FRAME_HEADER_SIZE, frame_header


def transfer_frames(
    delivery: OutgoingDelivery, payload: bytes, state: DeliveryState | None, channel: int, max_frame_size: int
) -> list[bytes]:
    """The frames that carry `payload`, none of them larger than `max_frame_size`.

    Every frame repeats the delivery's id, tag and settled flag, which continuations may leave out, because some
    peers look at the last frame alone.
    """
    last = _performative(delivery, state, more=False)
    room = max_frame_size - FRAME_HEADER_SIZE - len(last)
    if len(payload) <= room:
        return [frame_header(len(last) + len(payload), channel) + last + payload]
    first = _performative(delivery, state, more=True)
    room = max(1, max_frame_size - FRAME_HEADER_SIZE - len(first))
    header = frame_header(len(first) + room, channel) + first
    size = len(payload)
    frames = [header + payload[start : start + room] for start in range(0, size - room, room)]
    tail = payload[len(frames) * room :]
    frames.append(frame_header(len(last) + len(tail), channel) + last + tail)
    return frames


def _performative(delivery: OutgoingDelivery, state: DeliveryState | None, *, more: bool) -> bytes:
    """The transfer performative, written out by hand: it is the frame that a sender sends most."""
    items = bytearray()
    encode_uint(items, delivery.link.handle)
    encode_uint(items, delivery.delivery_id)
    items += bytes((0xA0, len(delivery.delivery_tag)))
    items += delivery.delivery_tag
    encode_uint(items, delivery.message_format)
    items += (
        b"\x41\x41"
        if delivery.settled and more
        else b"\x41\x42"
        if delivery.settled
        else b"\x42\x41"
        if more
        else b"\x42\x42"
    )
    count = 6
    if state is not None:
        items.append(0x40)
        encode_composite_into(items, state)
        count = 8
    if len(items) > 254:
        size = len(items) + 4
        return b"\x00\x53\x14\xd0" + size.to_bytes(4, "big") + count.to_bytes(4, "big") + items
    return bytes((0x00, 0x53, 0x14, 0xC0, len(items) + 1, count)) + items
