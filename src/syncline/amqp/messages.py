"""Messages (part 3, section 3.2): sections decoded to Python values and encoded from them."""

from dataclasses import dataclass
from typing import Any, Final

from syncline.amqp.composites import decode_composite
from syncline.amqp.decoding import MALFORMED, Buffer, decode_value
from syncline.amqp.encoding import encode_binary, encode_into
from syncline.amqp.errors import DecodeError, EncodeError
from syncline.amqp.sections import (
    BODY_SECTIONS,
    Header,
    Properties,
    Section,
    decode_map_at,
    encode_application_properties,
    encode_delivery_annotations,
    encode_footer,
    encode_header,
    encode_message_annotations,
    encode_properties,
    walk_sections,
)


@dataclass(slots=True, init=False)
class Data:
    """A body of one or several binary sections. `Data(b"..")` and `Data((b"..", b".."))` both make one."""

    sections: tuple[bytes, ...]

    def __init__(self, sections: bytes | tuple[bytes, ...] | list[bytes]) -> None:
        self.sections = (sections,) if isinstance(sections, bytes) else tuple(sections)

    @property
    def content(self) -> bytes:
        """All sections joined."""
        return self.sections[0] if len(self.sections) == 1 else b"".join(self.sections)


@dataclass(slots=True)
class Value:
    """A body of one AMQP value of any type."""

    value: Any


@dataclass(slots=True)
class Sequence:
    """A body of one or several lists."""

    sections: tuple[list[Any], ...]


Body = Data | Value | Sequence


@dataclass(slots=True)
class Message:
    """A message. Each part is None when absent; application properties are a dict with str keys.

    Values in the maps keep their AMQP types through decoding and encoding: see `syncline.amqp.types`.
    """

    header: Header | None = None
    delivery_annotations: dict[Any, Any] | None = None
    message_annotations: dict[Any, Any] | None = None
    properties: Properties | None = None
    application_properties: dict[Any, Any] | None = None
    body: Body | None = None
    footer: dict[Any, Any] | None = None

    @classmethod
    def decode(cls, buffer: Buffer) -> "Message":
        """Decode an encoded message. Raises DecodeError, whatever the bytes."""
        message = cls()
        data: list[bytes] = []
        sequences: list[list[Any]] = []
        try:
            for code, start, value_start, end in walk_sections(buffer):
                if code == Section.DATA:
                    data.append(_decode_data(buffer, value_start, end))
                    continue
                if code in _COMPOSITE_SECTIONS:
                    value, stop = decode_composite(buffer, start)
                elif code in BODY_SECTIONS:
                    value, stop = decode_value(buffer, value_start)
                else:
                    value, stop = decode_map_at(buffer, value_start)
                if stop != end:
                    raise DecodeError(f"a section ends at byte {stop}, its size says byte {end}")
                if code == Section.SEQUENCE:
                    sequences.append(value)
                else:
                    setattr(message, _ATTRIBUTES[code], Value(value) if code == Section.VALUE else value)
        except MALFORMED as error:
            raise DecodeError(f"malformed message: {error}") from error
        if data:
            message.body = Data(data)
        elif sequences:
            if not all(isinstance(sequence, list) for sequence in sequences):
                raise DecodeError("an amqp-sequence section holds something other than a list")
            message.body = Sequence(tuple(sequences))
        return message

    def encode(self) -> bytes:
        """Encode this message. Raises EncodeError, naming the section and field."""
        return b"".join(
            (
                encode_header(self.header),
                encode_delivery_annotations(self.delivery_annotations),
                encode_message_annotations(self.message_annotations),
                encode_properties(self.properties),
                encode_application_properties(self.application_properties),
                encode_body(self.body),
                encode_footer(self.footer),
            )
        )


_ATTRIBUTES: Final[dict[int, str]] = {
    Section.HEADER: "header",
    Section.DELIVERY_ANNOTATIONS: "delivery_annotations",
    Section.MESSAGE_ANNOTATIONS: "message_annotations",
    Section.PROPERTIES: "properties",
    Section.APPLICATION_PROPERTIES: "application_properties",
    Section.FOOTER: "footer",
    Section.VALUE: "body",
}
_COMPOSITE_SECTIONS: Final = frozenset({0x70, 0x73})


def _decode_data(buffer: Buffer, offset: int, end: int) -> bytes:
    constructor = buffer[offset]
    if constructor not in (0xA0, 0xB0):
        raise DecodeError(f"0x{constructor:02x} at byte {offset} where the binary of a data section belongs")
    return bytes(buffer[offset + (2 if constructor == 0xA0 else 5) : end])


def encode_body(body: Body | None) -> bytes:
    """Encode the body's sections; b"" for None."""
    output = bytearray()
    if isinstance(body, Data):
        for section in body.sections:
            output += b"\x00\x53\x75"
            encode_binary(output, section)
    elif isinstance(body, Sequence):
        for sequence in body.sections:
            output += b"\x00\x53\x76"
            encode_into(output, sequence)
    elif isinstance(body, Value):
        output += b"\x00\x53\x77"
        encode_into(output, body.value)
    elif body is not None:
        raise EncodeError(f"a body is Data, Value or Sequence, not {type(body).__name__}")
    return bytes(output)
