"""Bodies that their sender compressed."""

import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.azure_service_bus.decode import decode_batch
from tests.connectors.decode.batches import batch, check_complete

DOCUMENT = b'{"a": "' + b"x" * 1000 + b'"}'


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


def identifier(value: object) -> str:
    """What a test is called after: compressed bytes hold the time, so they would call it something else each time."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, DOCUMENT),
        ("", DOCUMENT),
        ("identity", DOCUMENT),
        ("utf-8", DOCUMENT),
        ("gzip", gzip.compress(DOCUMENT)),
        ("x-gzip", gzip.compress(DOCUMENT)),
        (" GZIP ", gzip.compress(DOCUMENT)),
        ("gzip", gzip.compress(DOCUMENT[:10]) + gzip.compress(DOCUMENT[10:])),
        ("deflate", zlib.compress(DOCUMENT)),
        ("deflate", raw_deflate(DOCUMENT)),
        ("deflate, gzip", gzip.compress(zlib.compress(DOCUMENT))),
        ("utf-8, gzip", gzip.compress(DOCUMENT)),
    ],
    ids=identifier,
)
def test_a_body_is_decompressed_as_its_content_encoding_says(encoding: str | None, body: bytes) -> None:
    rows, rejects = decode_batch(batch([b"1", body], content_encoding=[None, encoding]), "Json", "Packed")
    assert rejects.num_rows == 0, rejects.to_pylist()
    assert rows.column("value").to_pylist() == ["1", DOCUMENT.decode()]
    assert "content_encoding" not in rows.column_names


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        ("br", b"x", "'br' is not known"),
        ("gzip", DOCUMENT, "not gzip"),
        ("gzip", gzip.compress(DOCUMENT)[:-1], "ends too early"),
        ("gzip", gzip.compress(DOCUMENT) + b"xyz", "not gzip"),
        ("deflate", zlib.compress(DOCUMENT) + b"x", "after its end"),
        ("deflate", b"\xff\xff\xff", "not deflate"),
        ("gzip," * 10, b"x", "more than 3 layers"),
        ("gzip", gzip.compress(bytes(50_000_000), mtime=0), "too much"),
        ("deflate", zlib.compress(bytes(50_000_000)), "too much"),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(50_000_000), mtime=0), mtime=0), "too much"),
    ],
    ids=identifier,
)
def test_what_cannot_be_decompressed_is_rejected_as_it_came(encoding: str, body: bytes, reason: str) -> None:
    bodies = [b"1", body, b"3"]
    began = time.monotonic()
    rows, rejects = decode_batch(batch(bodies, content_encoding=[None, encoding, "identity"]), "Json", "Packed")
    assert time.monotonic() - began < 2
    check_complete(bodies, rows, rejects)
    assert rows.column("value").to_pylist() == ["1", "3"]
    assert reason in rejects.column("reason")[0].as_py()


def test_reasons_stay_with_their_messages() -> None:
    bodies = [b"xyz", b"1", gzip.compress(b"oops"), b"2", b"{", gzip.compress(b"3")]
    encodings = ["gzip", None, "gzip", "br", None, "gzip"]
    rows, rejects = decode_batch(batch(bodies, content_encoding=encodings), "Json", "Packed")
    check_complete(bodies, rows, rejects)
    assert rows.column("value").to_pylist() == ["1", "3"]
    reasons = rejects.column("reason").to_pylist()
    for reason, words in zip(reasons, ["not gzip", "not JSON", "'br'", "not JSON"], strict=True):
        assert words in reason


@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from(["gzip", "deflate", "gzip, deflate", "br", ""]))))
def test_every_message_is_a_row_or_a_reject(messages: list[tuple[bytes, str]]) -> None:
    bodies = [body for body, _ in messages]
    table = batch(bodies, content_encoding=[encoding for _, encoding in messages])
    rows, rejects = decode_batch(table, "Text", "Packed")
    check_complete(bodies, rows, rejects)
