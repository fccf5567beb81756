"""Text of bytes.

Which charset they are in is said, in this order, by: a byte order mark at their start; the charset that the sender
declared (`content-type: text/plain; charset=...`, or a charset's name as `content-encoding`); the null bytes that
every UTF-16 or UTF-32 text in a western script has; and else they are UTF-8. Bytes that are not text in that charset
make no text: a guess would now and then be wrong, and nobody would see it.

Null bytes alone give nothing away: C programs send one at the end of their text, and others pad with them. They stand
for UTF-16 or UTF-32 only where all of the bytes are such text, and text that somebody writes.
"""

import codecs
import re

import pyarrow as pa
import pyarrow.compute as pc

from syncline.connectors.azure_service_bus.decode.outcome import Undecodable

_IN_NO_TEXT = frozenset(map(chr, range(0x1B))) - frozenset("\t\n\r\f")
"""Control characters that texts have not."""

_MANY = 0.5
_FAR = "\U00040000"
"""The first of the planes of Unicode that are empty."""

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""In this order, because the mark of UTF-32 in little-endian order begins with that of UTF-16."""

_NOT_FOR_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
"""Codecs of Python that are no charsets, though it treats them alike."""

_BIG_ENDIAN_UNLESS_MARKED = {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}
"""As RFC 2781 has it. Where null bytes say otherwise they are believed, since most senders do not know that."""


def decode_text(body: bytes, content_type: str | None, content_encoding: str | None) -> str:
    """The text of a body, without a byte order mark.

    Raises:
        Undecodable: It is no text in the charset that it has to be in, or that charset is not known.
    """
    for mark, charset in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], charset, "its byte order mark")
    declared = declared_charset(content_type, content_encoding)
    if declared is not None:
        name = _codec(declared)
        if name is None:
            raise Undecodable(f"The charset {declared[:80]!r}, which the message declares, is not known.")
        if name in _BIG_ENDIAN_UNLESS_MARKED:
            name = _byte_order(body, name)
        return _decode(body, name, "its sender")
    return _decode(body, detect_wide(body) or "utf-8", "")


def declared_charset(content_type: str | None, content_encoding: str | None) -> str | None:
    """The charset that a message declares, as it is written there."""
    found = _CHARSET.search(content_type) if content_type else None
    if found:
        return found[1]
    if content_encoding and is_charset(content_encoding.strip()):
        return content_encoding.strip()
    return None


def is_charset(name: str) -> bool:
    """Whether a name is that of a charset."""
    return _codec(name) is not None


def detect_wide(body: bytes) -> str | None:
    """The kind of UTF-16 or UTF-32 that the null bytes of a body give away; None where there are none, or they stand
    as they do in no such text."""
    if b"\0" not in body or _is_ended_text(body):
        return None
    # Text of one byte a character with nulls here and there decodes as wide text too: to one character of a far script
    # for several of its own. So of what may be such text, only what has no far character is wide.
    is_narrow = _is_narrow_text(body)
    shares = {charset: _narrow_share(_text_of(body, charset)) for charset in ("utf-16-le", "utf-16-be")}
    likely = max(shares, key=shares.__getitem__)
    if shares[likely] == 1 or (shares[likely] > _MANY and not is_narrow):
        return likely
    for charset in ("utf-32-be", "utf-32-le"):
        text = _text_of(body, charset)
        if text is not None and max(text) < _FAR and (not is_narrow or _narrow_share(text) == 1):
            return charset
    return likely if shares[likely] > 0 and not is_narrow else None


def _byte_order(body: bytes, charset: str) -> str:
    """UTF-16 or UTF-32 with the order of bytes that gives more characters with null bytes, big-endian where neither
    does."""
    shares = {f"{charset}-{order}": _narrow_share(_text_of(body, f"{charset}-{order}")) for order in ("le", "be")}
    likely = max(shares, key=shares.__getitem__)
    return likely if shares[likely] > 0 else _BIG_ENDIAN_UNLESS_MARKED[charset]


def _is_ended_text(body: bytes) -> bool:
    """Whether a body has null bytes at its end alone, as a C program's text in any charset of bytes. One byte before
    them that is no text is the one character of a wide text."""
    text = body.rstrip(b"\0")
    return b"\0" not in text and (len(text) != 1 or text < b"\x80")


def _text_of(body: bytes, charset: str) -> str | None:
    """The text of a body in a charset, without nulls at its end; None where it has characters that no text has."""
    try:
        text = body.decode(charset).rstrip("\0")
    except UnicodeDecodeError:
        return None
    return text if text and _IN_NO_TEXT.isdisjoint(text) else None


def _narrow_share(text: str | None) -> float:
    """Which share of a text's characters have a null byte in UTF-16."""
    return sum(ord(character) < 0x100 for character in text) / len(text) if text else 0.0


def _is_narrow_text(body: bytes) -> bool:
    """Whether a body is UTF-8 but for null bytes."""
    try:
        return (_IN_NO_TEXT - {"\0"}).isdisjoint(body.decode())
    except UnicodeDecodeError:
        return False


def seem_utf8(bodies: pa.ChunkedArray) -> bool:
    """Whether no body has a byte order mark or a null byte, so that all are UTF-8 if they are valid as such."""
    if pc.any(pc.match_substring(bodies, b"\0")).as_py():
        return False
    return not any(pc.any(pc.starts_with(bodies, mark)).as_py() for mark, _ in BYTE_ORDER_MARKS)


def _codec(name: str) -> str | None:
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name.replace("-", "_") in _NOT_FOR_TEXT:
        return None
    return codec.name


def _decode(body: bytes, charset: str, said_by: str) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        according = f", which {said_by} says it is" if said_by else ""
        raise Undecodable(
            f"The body is not text in {charset}{according}: byte {error.start} cannot be decoded."
        ) from None
