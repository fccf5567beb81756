"""Bodies that .NET's `BrokeredMessage` made of a string or of bytes.

That client, retired but still in use, writes what it is given through DataContractSerializer, as binary XML: an element
`string` or `base64Binary` with the text or the bytes in it ([MC-NBFX], the .NET Binary Format: XML Data Structure).
"""

import pyarrow as pa
import pyarrow.compute as pc

_NAMESPACE = b"http://schemas.microsoft.com/2003/10/Serialization/"
_SHORT_ELEMENT, _SHORT_XMLNS, _END_ELEMENT = 0x40, 0x08, 0x01
_WITH_END = 1
"""What is added to a text record's type where the element ends with it."""
_FIXED = {0x80: b"0", 0x82: b"1", 0x84: b"false", 0x86: b"true", 0xA8: b""}
_SIZES = {0x98: 1, 0x9A: 2, 0x9C: 4, 0x9E: 1, 0xA0: 2, 0xA2: 4, 0xB6: 1, 0xB8: 2, 0xBA: 4}
"""How many bytes say how long a text is, by the record's type: UTF-8, bytes, UTF-16."""
_UTF_16 = frozenset({0xB6, 0xB8, 0xBA})
_BYTES = frozenset({0x9E, 0xA0, 0xA2})


def _beginning(name: bytes) -> bytes:
    return bytes((_SHORT_ELEMENT, len(name))) + name + bytes((_SHORT_XMLNS, len(_NAMESPACE))) + _NAMESPACE


_BEGINNINGS = {_beginning(b"string"): False, _beginning(b"base64Binary"): True}
"""What such a body begins with, and whether bytes follow."""


def unwrap(bodies: pa.ChunkedArray) -> pa.ChunkedArray:
    """The bodies, those of `BrokeredMessage` without what is around them: text in UTF-8, bytes as they are. A body that
    only begins like one stays as it is."""
    wrapped = [pc.starts_with(bodies, beginning) for beginning in _BEGINNINGS]
    either = pc.or_(*wrapped)
    if not pc.any(either).as_py():
        return bodies
    pairs = zip(bodies, either.to_pylist(), strict=True)
    return pa.chunked_array(
        [pa.array([unwrapped(body.as_py()) if is_wrapped else body.as_py() for body, is_wrapped in pairs], bodies.type)]
    )


def unwrapped(body: bytes) -> bytes:
    """What a body holds that `BrokeredMessage` made; any other body as it is."""
    for beginning, holds_bytes in _BEGINNINGS.items():
        if body.startswith(beginning):
            content = _content(body, len(beginning), holds_bytes)
            return body if content is None else content
    return body


def _content(body: bytes, offset: int, holds_bytes: bool) -> bytes | None:
    """The text records from an offset on, if the body ends with their element; else None."""
    parts: list[bytes] = []
    while offset < len(body):
        record = body[offset]
        if record == _END_ELEMENT:
            return b"".join(parts) if offset + 1 == len(body) else None
        kind, start = record & ~_WITH_END, offset + 1
        if kind in _FIXED and not (holds_bytes and _FIXED[kind]):
            parts.append(_FIXED[kind])
            offset = start
        elif kind in _SIZES and (kind in _BYTES) == holds_bytes:
            first = start + _SIZES[kind]
            offset = first + int.from_bytes(body[start:first], "little")
            if offset > len(body):
                return None
            try:
                parts.append(_as_utf8(body[first:offset], kind))
            except UnicodeDecodeError:
                return None
        else:
            return None
        if record & _WITH_END:
            return b"".join(parts) if offset == len(body) else None
    return None


def _as_utf8(content: bytes, kind: int) -> bytes:
    return content.decode("utf-16-le").encode() if kind in _UTF_16 else content
