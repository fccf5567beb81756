"""Hashes as people and tools write them."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.trust.hashes import identifier_of, read_sha256


@given(st.binary(max_size=50))
def test_every_way_to_write_a_hash_is_read(content: bytes) -> None:
    digest = hashlib.sha256(content).digest()
    standard = base64.b64encode(digest).decode()
    url_safe = base64.urlsafe_b64encode(digest).decode()
    colons = ":".join(f"{byte:02X}" for byte in digest)
    for written in (standard, standard.rstrip("="), url_safe, url_safe.rstrip("="), digest.hex(), colons):
        assert read_sha256(written) == digest
        assert read_sha256(f"SHA256:{written}") == digest


@given(st.text(max_size=100))
def test_anything_else_is_refused_quietly(text: str) -> None:
    found = read_sha256(text)
    assert found is None or len(found) == 32


@pytest.mark.parametrize("text", ["", "SHA256:", "abc", "MD5:00:11", "A" * 42, "ä" * 43])
def test_what_is_no_hash(text: str) -> None:
    assert read_sha256(text) is None


def test_an_identifier_is_the_base64url_of_the_hash_as_written() -> None:
    assert identifier_of("connector certificate hash") == "Y29ubmVjdG9yIGNlcnRpZmljYXRlIGhhc2g"
