"""SHA-256 hashes as people and tools write them, and the identifiers made from them."""

import base64
import binascii
import re

_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX = re.compile(r"^sha-?256:", re.IGNORECASE)


def read_sha256(text: str) -> bytes | None:
    """The 32 bytes of a hash: base64 or base64url, padded or not, or hexadecimal, each perhaps after ``SHA256:``.

    None when the text is none of these.
    """
    text = _PREFIX.sub("", text.strip())
    if _HEXADECIMAL.fullmatch(text.replace(":", "")):
        return bytes.fromhex(text.replace(":", ""))
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        digest = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == 32 else None


def identifier_of(written: str) -> str:
    """The identifier of a record: the base64url of its hash as it was written, without padding."""
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")
