"""Avro object containers: a schema, and blocks of values that were written with it.

See "Object Container Files" in the specification of Avro 1.12. Blocks may be compressed; what comes out is bounded.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro

from syncline.connectors.azure_service_bus.decode.outcome import Undecodable, brief

MAGIC = b"Obj\x01"
_MARKER_BYTES = 16
_MOST_BYTES = 100 * 1024 * 1024
_META = fastavro.parse_schema({"type": "map", "values": "bytes"})
_LONG = fastavro.parse_schema("long")


def open_container(body: bytes) -> tuple[str, list[tuple[int, bytes]]]:
    """The text of the container's schema, and its blocks: how many values each has, and their bytes.

    Raises:
        Undecodable: The body is no container, or one in a compression that is not known.
    """
    stream = BytesIO(body)
    stream.seek(len(MAGIC))
    try:
        meta: Any = fastavro.schemaless_reader(stream, _META, None)
        text = meta["avro.schema"].decode()
        codec = meta.get("avro.codec", b"null").decode()
    except Exception as error:  # whatever bytes that mean nothing make a reader do
        raise Undecodable(f"The body is an Avro container with a broken header: {brief(error)}.") from None
    if codec not in _CODECS:
        known = ", ".join(_CODECS)
        raise Undecodable(f"The Avro container is compressed with {codec[:40]!r}; known are {known}.")
    marker = stream.read(_MARKER_BYTES)
    blocks: list[tuple[int, bytes]] = []
    left = _MOST_BYTES
    while stream.tell() < len(body):
        try:
            count: Any = fastavro.schemaless_reader(stream, _LONG, None)
            size: Any = fastavro.schemaless_reader(stream, _LONG, None)
        except EOFError:
            raise Undecodable("The Avro container ends too early.") from None
        if count < 0 or not 0 <= size <= len(body):
            raise Undecodable("The Avro container has a broken block.")
        content = stream.read(size)
        if len(content) != size or len(marker) != _MARKER_BYTES or stream.read(_MARKER_BYTES) != marker:
            raise Undecodable("The Avro container has a broken block.")
        content = _CODECS[codec](content, left)
        left -= len(content)
        blocks.append((count, content))
    return text, blocks


def _plain(content: bytes, limit: int) -> bytes:
    return content


def _decompressed(make: Callable[[], Any], failures: tuple[type[Exception], ...]) -> Callable[[bytes, int], bytes]:
    def decompress(content: bytes, limit: int) -> bytes:
        decompressor = make()
        try:
            plain: bytes = decompressor.decompress(content, limit + 1)
        except failures as error:
            raise Undecodable(f"A block of the Avro container cannot be decompressed: {brief(error)}.") from None
        if len(plain) > limit:
            raise Undecodable(
                f"The Avro container is decompressed to more than {_MOST_BYTES:,} bytes; that is too much."
            )
        if not decompressor.eof:
            raise Undecodable("A block of the Avro container ends too early.")
        return plain

    return decompress


_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _plain,
    "deflate": _decompressed(lambda: zlib.decompressobj(-zlib.MAX_WBITS), (zlib.error,)),
    "bzip2": _decompressed(bz2.BZ2Decompressor, (OSError, ValueError)),
    "xz": _decompressed(lambda: lzma.LZMADecompressor(memlimit=256 * 1024 * 1024), (lzma.LZMAError,)),
}
