"""Protocol headers and frames (part 2, sections 2.2 and 2.3)."""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from syncline.amqp.composites import encode_composite_into
from syncline.amqp.conditions import ErrorCondition
from syncline.amqp.errors import DecodeError

AMQP_HEADER: Final = b"AMQP\x00\x01\x00\x00"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
HEADER_SIZE: Final = 8

AMQP_FRAME: Final = 0x00
SASL_FRAME: Final = 0x01
FRAME_HEADER_SIZE: Final = 8
MINIMUM_MAX_FRAME_SIZE: Final = 512
EMPTY_FRAME: Final = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""A frame without body: it only keeps the connection from being idle."""

_FRAME_HEADER: Final = Struct(">IBBH")


@dataclass(slots=True)
class Frame:
    """A frame: its type (AMQP_FRAME or SASL_FRAME), its channel and its body, empty for a heartbeat."""

    frame_type: int
    channel: int
    body: bytes


class FrameDecoder:
    """Cuts a stream of bytes into frames and keeps what is not yet complete: at most one frame's bytes.

    `maximum_size` is what this side advertised as max-frame-size; a frame that claims more is refused from its
    first four bytes.
    """

    __slots__ = ("_buffer", "_offset", "maximum_size")

    def __init__(self, maximum_size: int = MINIMUM_MAX_FRAME_SIZE) -> None:
        self.maximum_size = maximum_size
        self._buffer = b""
        self._offset = 0

    @property
    def buffered(self) -> int:
        """How many bytes have been fed and not been answered as part of a frame or header."""
        return len(self._buffer) - self._offset

    def feed(self, data: bytes) -> None:
        """Add bytes as they came from the transport."""
        self._buffer = self._buffer[self._offset :] + data if self.buffered else data
        self._offset = 0

    def next_header(self) -> bytes | None:
        """Take the eight bytes of a protocol header, or None until they are there."""
        if self.buffered < HEADER_SIZE:
            return None
        start = self._offset
        self._offset = start + HEADER_SIZE
        return self._buffer[start : self._offset]

    def next_frame(self) -> Frame | None:
        """Take the next complete frame, or None until one is there.

        Raises DecodeError (amqp:connection:framing-error) for a size or data offset that cannot be.
        """
        buffer, start = self._buffer, self._offset
        available = len(buffer) - start
        if available < FRAME_HEADER_SIZE:
            return None
        size, data_offset, frame_type, channel = _FRAME_HEADER.unpack_from(buffer, start)
        if size > self.maximum_size or size < FRAME_HEADER_SIZE:
            raise DecodeError(
                f"a frame of {size} bytes: frames here have {FRAME_HEADER_SIZE} to {self.maximum_size} bytes",
                ErrorCondition.FRAMING_ERROR,
            )
        if data_offset < 2 or data_offset * 4 > size:
            raise DecodeError(
                f"a frame of {size} bytes with its body at word {data_offset}", ErrorCondition.FRAMING_ERROR
            )
        if size > available:
            return None
        self._offset = start + size
        return Frame(frame_type, channel, buffer[start + data_offset * 4 : start + size])


def encode_frame(
    channel: int, performative: object, payload: bytes | memoryview = b"", frame_type: int = AMQP_FRAME
) -> bytes:
    """One frame with a performative and, for a transfer, its payload."""
    output = bytearray(FRAME_HEADER_SIZE)
    encode_composite_into(output, performative)
    output += payload
    _FRAME_HEADER.pack_into(output, 0, len(output), 2, frame_type, channel)
    return bytes(output)


def frame_header(body_size: int, channel: int) -> bytes:
    """The eight bytes before an AMQP frame's body of `body_size` bytes."""
    return _FRAME_HEADER.pack(FRAME_HEADER_SIZE + body_size, 2, AMQP_FRAME, channel)
