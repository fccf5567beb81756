"""Cutting an encoded message into its sections without decoding them (part 3, section 3.2).

A broker changes the header and the annotations of a message and must leave the rest untouched. `split_sections`
finds where each section begins and ends by the sizes alone.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from syncline.amqp.composites import decode_composite
from syncline.amqp.messages import Message
from syncline.amqp.sections import (
    BODY_SECTIONS,
    Header,
    Properties,
    decode_map_section,
    walk_sections,
)


@dataclass(slots=True)
class Sections:
    """An encoded message cut into its sections, each with its descriptor; b"" when absent.

    `body` holds all data sections or all sequences together. `rest` is everything from the properties to the
    footer: what must arrive as it was sent.
    """

    header: bytes = b""
    delivery_annotations: bytes = b""
    message_annotations: bytes = b""
    properties: bytes = b""
    application_properties: bytes = b""
    body: bytes = b""
    footer: bytes = b""
    rest: bytes = field(default=b"", repr=False)

    def decode(self) -> Message:
        """The whole message, decoded."""
        return Message.decode(self.header + self.delivery_annotations + self.message_annotations + self.rest)

    def decode_header(self) -> Header | None:
        """The header, or None when there is none. Raises DecodeError, as the other methods here do."""
        return decode_composite(self.header)[0] if self.header else None

    def decode_properties(self) -> Properties | None:
        """The properties, or None when there are none."""
        return decode_composite(self.properties)[0] if self.properties else None

    def decode_delivery_annotations(self) -> dict[Any, Any]:
        """The delivery annotations; empty when there are none."""
        return decode_map_section(self.delivery_annotations) if self.delivery_annotations else {}

    def decode_message_annotations(self) -> dict[Any, Any]:
        """The message annotations; empty when there are none."""
        return decode_map_section(self.message_annotations) if self.message_annotations else {}

    def decode_application_properties(self) -> dict[Any, Any]:
        """The application properties; empty when there are none."""
        return decode_map_section(self.application_properties) if self.application_properties else {}


# Descriptor code -> attribute of Sections, for sections that stand alone.
_ATTRIBUTES: Final = {
    0x70: "header",
    0x71: "delivery_annotations",
    0x72: "message_annotations",
    0x73: "properties",
    0x74: "application_properties",
    0x78: "footer",
}


def split_sections(buffer: bytes) -> Sections:
    """Cut an encoded message into its sections without decoding them.

    Checks that the sections are known, in order and complete; what is inside them is not looked at.
    """
    sections = Sections()
    rest_start = len(buffer)
    body_start = body_end = 0
    for code, start, _, end in walk_sections(buffer):
        if code >= 0x73 and start < rest_start:
            rest_start = start
        if code in BODY_SECTIONS:
            body_start = body_start if body_end else start
            body_end = end
        else:
            setattr(sections, _ATTRIBUTES[code], buffer[start:end])
    sections.body = buffer[body_start:body_end]
    sections.rest = buffer[rest_start:]
    return sections
