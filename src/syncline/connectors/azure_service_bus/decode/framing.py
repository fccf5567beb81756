"""How a message says which schema it was written with.

Confluent's wire format is a byte 0 and the schema's number in four bytes (big-endian), or a byte 1 and its GUID in
sixteen; then the content follows. Azure's serializers name the schema in the content type, `avro/binary+<id>`, and the
body is the content alone.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from syncline.connectors.azure_service_bus.decode.outcome import Undecodable
from syncline.connectors.schema_registry import AzureSchemaId, SchemaGuid, SchemaId, SchemaIdentifier

_AZURE_CONTENT_TYPE = re.compile(r"\s*avro/binary\s*\+\s*([^\s;]+)", re.IGNORECASE)
_AZURE_ID = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class Framed:
    """A message's content, and the schema that it was written with."""

    schema: SchemaIdentifier
    body: bytes
    start: int
    """Where in the body the content begins."""


def confluent_frame(body: bytes) -> Framed:
    """Take a body in Confluent's wire format apart.

    Raises:
        Undecodable: It is not in that format.
    """
    if body[:1] == b"\x00" and len(body) >= 5:
        return Framed(SchemaId(int.from_bytes(body[1:5])), body, 5)
    if body[:1] == b"\x01" and len(body) >= 17:
        return Framed(SchemaGuid(UUID(bytes=bytes(body[1:17]))), body, 17)
    raise Undecodable(
        "The body does not begin with the schema it was written with: a byte 0 and four bytes, or a byte 1 and "
        f"sixteen. It begins with {body[:5].hex(' ')}."
    )


def azure_schema(content_type: str | None) -> SchemaIdentifier | None:
    """The schema that a content type names; None when it names none.

    One of 32 hexadecimal digits is Azure's, a number is Confluent's, and a GUID with hyphens is Confluent's too.

    Raises:
        Undecodable: It names something else.
    """
    found = _AZURE_CONTENT_TYPE.match(content_type) if content_type else None
    if found is None:
        return None
    name = found[1]
    if _AZURE_ID.fullmatch(name):
        return AzureSchemaId(name.lower())
    if name.isascii() and name.isdecimal() and int(name) < 2**32:
        return SchemaId(int(name))
    try:
        return SchemaGuid(UUID(name))
    except ValueError:
        raise Undecodable(f"The content type names the schema {name[:80]!r}, which is no schema's name.") from None
