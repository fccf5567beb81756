"""Avro object containers: a schema, and blocks of values that were written with it.

See "Object Container Files" in the specification of Avro 1.12. Blocks may be compressed in each of the ways that it
knows; what comes out is bounded.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
import pyarrow as pa

from syncline.connectors.azure_service_bus.decode.compression import most_bytes
from syncline.connectors.azure_service_bus.decode.outcome import Undecodable, brief

MAGIC = b"Obj\x01"
_MARKER_BYTES = 16
_CHECKSUM_BYTES = 4
_VARINT_BITS = 7
_LONGEST_VARINT = 5
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
    limit = left = most_bytes(len(body))
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
        try:
            content = _CODECS[codec](content, left)
        except _TooMuch:
            raise Undecodable(
                f"The Avro container is decompressed to more than {limit:,} bytes; that is too much."
            ) from None
        left -= len(content) if codec != "null" else 0
        blocks.append((count, content))
    return text, blocks


def _plain(content: bytes, limit: int) -> bytes:
    return content


def _decompressed(make: Callable[[], Any], failures: tuple[type[Exception], ...]) -> Callable[[bytes, int], bytes]:
    """For the decompressors of Python's own library, which are alike."""

    def decompress(content: bytes, limit: int) -> bytes:
        decompressor = make()
        try:
            plain: bytes = decompressor.decompress(content, limit + 1)
        except failures as error:
            raise _broken(error) from None
        if len(plain) > limit:
            raise _TooMuch
        if not decompressor.eof:
            raise Undecodable("A block of the Avro container ends too early.")
        return plain  # and whatever follows: fastavro leaves a part of zlib's checksum after deflate

    return decompress


def _zstandard(content: bytes, limit: int) -> bytes:
    """As a stream: a frame need not say how much comes out of it."""
    if not content:
        raise Undecodable("A block of the Avro container ends too early.")
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
            plain: bytes = stream.read(limit + 1)
    except (OSError, pa.ArrowException) as error:
        raise _broken(error) from None
    if len(plain) > limit:
        raise _TooMuch
    return plain


def _snappy(content: bytes, limit: int) -> bytes:
    """Snappy's format for blocks, followed by the CRC-32 of what comes out, the highest byte first."""
    compressed, checksum = content[:-_CHECKSUM_BYTES], content[-_CHECKSUM_BYTES:]
    size = _snappy_size(compressed)
    if size > limit:
        raise _TooMuch
    try:
        plain: bytes = pa.Codec("snappy").decompress(compressed, size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise _broken(error) from None
    if zlib.crc32(plain).to_bytes(_CHECKSUM_BYTES) != checksum:
        raise Undecodable(
            "A block of the Avro container has another checksum than it says: it was damaged, or is not in snappy."
        )
    return plain


def _snappy_size(compressed: bytes) -> int:
    """How many bytes come out, as the beginning says: seven bits a byte, the lowest first."""
    size = 0
    for place, byte in enumerate(compressed[:_LONGEST_VARINT]):
        size |= (byte & 0x7F) << (_VARINT_BITS * place)
        if byte < 0x80:
            return size
    if len(compressed) < _LONGEST_VARINT:
        raise Undecodable("A block of the Avro container ends too early.")
    raise Undecodable("A block of the Avro container does not begin with its size, as snappy does.")


def _broken(error: Exception) -> Undecodable:
    return Undecodable(f"A block of the Avro container cannot be decompressed: {brief(error)}.")


class _TooMuch(Exception):  # noqa: N818 - says it all without a suffix
    """More comes out than may."""


_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _plain,
    "deflate": _decompressed(lambda: zlib.decompressobj(-zlib.MAX_WBITS), (zlib.error,)),
    "bzip2": _decompressed(bz2.BZ2Decompressor, (OSError, ValueError)),
    "snappy": _snappy,
    "xz": _decompressed(lambda: lzma.LZMADecompressor(memlimit=256 * 1024 * 1024), (lzma.LZMAError,)),
    "zstandard": _zstandard,
}
