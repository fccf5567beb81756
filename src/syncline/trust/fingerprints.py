"""SSH host keys: reading one that a client sent."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from syncline.api.errors import InvalidInput
from syncline.trust.hashes import read_sha256


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's public key."""

    public_key: str
    """One line in OpenSSH form, as it was sent."""
    sha256: str
    """The hash of the key's binary form, in hexadecimal."""


def approve_host_key(public_key: str, written_hash: str) -> HostKey:
    """The host key that a client approves.

    Args:
        public_key: One line in OpenSSH form; a comment is allowed.
        written_hash: Its SHA-256, as ``ssh-keygen -l`` shows it.

    Raises:
        InvalidInput: it is no key, or not the one that the hash belongs to.
    """
    line = public_key.strip()
    blob = _read(line)
    digest = read_sha256(written_hash)
    if digest is None:
        raise InvalidInput(
            "`hash` is not a SHA-256 hash in base64 or hexadecimal. Send the one that the failed setup test has."
        )
    expected = hashlib.sha256(blob).digest()
    if digest != expected:
        raise InvalidInput(
            "`hash` is not the SHA-256 hash of `public_key`. Send the two as the failed setup test has them."
        )
    return HostKey(line, expected.hex())


def _read(line: str) -> bytes:
    parts = line.split()
    try:
        if len(parts) < 2 or "\n" in line:
            raise ValueError("a key is one line: its type and its base64 form")
        load_ssh_public_key(f"{parts[0]} {parts[1]}".encode())
        return base64.b64decode(parts[1], validate=True)
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise InvalidInput(
            f"`public_key` is not an SSH public key in OpenSSH form: {str(error)[:200].rstrip('.')}."
        ) from None
