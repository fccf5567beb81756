"""Bodies that their sender compressed, as the AMQP property `content-encoding` says.

gzip (also several members in a row) and deflate (with and without zlib's header) are undone, one after another where
several are named. What comes out is bounded, so that a small message cannot fill the memory. Some senders say the
charset of a text in this property (`utf-8` is what IoT devices set): that is no compression, and is left to
:mod:`~syncline.connectors.azure_service_bus.decode.charsets`.
"""

import zlib

import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.charsets import is_charset
from syncline.connectors.azure_service_bus.decode.outcome import Undecodable, brief

MOST_BYTES = 100 * 1024 * 1024
"""Of a decompressed body: as large as Service Bus allows a message to be."""
MOST_RATIO = 250
"""Decompressed to compressed size, where the former is above :data:`SMALL_BYTES`. Text hardly ever reaches a tenth."""
SMALL_BYTES = 1024 * 1024

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW_DEFLATE = -zlib.MAX_WBITS
_MOST_LAYERS = 3


def decompress(messages: pa.Table) -> tuple[pa.Table, dict[int, str]]:
    """The messages with plain bodies, and why the bodies of some (by their place) could not be had.

    A message of the latter keeps its place and has an empty body.
    """
    encodings = messages.column("content_encoding")
    if encodings.null_count == len(encodings):
        return messages, {}
    reasons: dict[int, str] = {}
    bodies = messages.column("body").to_pylist()
    for place, encoding in enumerate(encodings.to_pylist()):
        if not encoding:
            continue
        try:
            bodies[place] = _plain(bodies[place], encoding)
        except Undecodable as error:
            reasons[place] = str(error)
            bodies[place] = b""
    index = messages.schema.get_field_index("body")
    return messages.set_column(index, messages.schema.field(index), pa.array(bodies, pa.large_binary())), reasons


def most_bytes(compressed: int) -> int:
    """How many bytes may come out of a body of so many, compressed ones."""
    return min(MOST_BYTES, max(SMALL_BYTES, compressed * MOST_RATIO))


def _plain(body: bytes, encoding: str) -> bytes:
    layers = [name.strip().lower() for name in encoding.split(",")]
    if len(layers) > _MOST_LAYERS:
        raise Undecodable(f"The content encoding {encoding[:80]!r} has more than {_MOST_LAYERS} layers.")
    limit = most_bytes(len(body))
    for layer in reversed(layers):
        if layer in ("gzip", "x-gzip", "deflate"):
            body = _inflate(body, layer, limit)
        elif layer not in ("", "identity") and not is_charset(layer):
            raise Undecodable(f"The content encoding {layer[:80]!r} is not known: gzip, deflate and identity are.")
    return body


def _inflate(body: bytes, layer: str, limit: int) -> bytes:
    # The low nibble of zlib's header names deflate, and the header's two bytes are a multiple of 31.
    raw = layer == "deflate" and not (body[:1] and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0)
    parts: list[bytes] = []
    size = 0
    rest = body
    while rest or not parts:
        stream = zlib.decompressobj(_RAW_DEFLATE if raw else _GZIP_OR_ZLIB)
        try:
            part = stream.decompress(rest, limit - size + 1)
        except zlib.error as error:
            raise Undecodable(f"The body is not {layer}, as its content encoding says: {brief(error)}.") from None
        size += len(part)
        if size > limit:
            raise Undecodable(
                f"The body is decompressed to more than {limit:,} bytes, {len(body):,} before; that is too much."
            )
        if not stream.eof:
            raise Undecodable(f"The body is {layer} that ends too early.")
        parts.append(part)
        rest = stream.unused_data
        if layer == "deflate" and rest:
            raise Undecodable("The body is deflate with something else after its end.")
    return b"".join(parts)
