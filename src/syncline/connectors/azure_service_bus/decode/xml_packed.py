"""XML, packed: the whole message is one XML column, `value`, its text as it came.

The text is checked for being well-formed, nothing more. libxml2 does that without building a tree, so memory does not
grow with the message; it fetches nothing, from files or over a network, and a document type declaration has no effect
but to be checked for its own syntax. Entities that expand to far more than the document are an error, at once. Costs
11 µs for 1 KB.
"""

import re
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from lxml import etree

from syncline.connectors.azure_service_bus.decode.charsets import (
    BYTE_ORDER_MARKS,
    declared_charset,
    decode_text,
    detect_wide,
    is_charset,
)
from syncline.connectors.azure_service_bus.decode.outcome import Decoded, Undecodable, brief
from syncline.connectors.schema_registry import SchemaRegistry
from syncline.warehouses import types

_DECLARED = re.compile(rb"^<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")


_WIDE_CHARSET = re.compile(r"(utf|ucs|iso-10646-ucs)[-_]?(16|32|2|4)", re.IGNORECASE)

_NOTHING: Any = SimpleNamespace(close=lambda: None)
"""What the parser builds: nothing."""


def decode(messages: pa.Table, schemas: SchemaRegistry | None = None) -> Decoded:
    """Check that each body is a well-formed document, and keep its text."""
    parser = etree.XMLParser(
        target=_NOTHING,
        encoding="utf-8",  # over what the document declares: it is recoded below
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
    )
    texts: list[str] = []
    reasons: dict[int, str] = {}
    columns = (messages.column(name).to_pylist() for name in ("body", "content_type", "content_encoding"))
    for place, (body, content_type, content_encoding) in enumerate(zip(*columns, strict=True)):
        try:
            text = _text(body, content_type, content_encoding)
            etree.fromstring(text.encode(), parser)
        except Undecodable as error:
            reasons[place] = str(error)
        except etree.XMLSyntaxError as error:
            reasons[place] = f"The body is not well-formed XML: {brief(error)}."
        else:
            texts.append(text)
    return Decoded([types.arrow_field("value", types.XML)], [pa.array(texts, pa.string())], reasons)


def _text(body: bytes, content_type: str | None, content_encoding: str | None) -> str:
    """The text of a document. The charset that its own declaration names counts where nothing else names one (RFC
    7303, section 3). Many documents name another than they are in: what .NET makes of text in memory says UTF-16 and is
    sent as UTF-8. So a name that cannot be true, or that does not hold, gives way to UTF-8."""
    if any(body.startswith(mark) for mark, _ in BYTE_ORDER_MARKS) or detect_wide(body) is not None:
        return decode_text(body, content_type, content_encoding).rstrip("\0")
    body = body.rstrip(b"\0")
    declared = declared_charset(content_type, content_encoding)
    if declared is None and (named := _DECLARED.match(body)):
        declared = named[1].decode()
    if declared is None or (_WIDE_CHARSET.match(declared) and body.lstrip()[:1] == b"<"):
        # What begins with a `<` of one byte is in no charset that has two for it, whatever it says of itself.
        return decode_text(body, None, None)
    try:
        return decode_text(body, f"charset={declared}", None)
    except Undecodable:
        if is_charset(declared):
            with suppress(UnicodeDecodeError):
                return body.decode()
        raise
