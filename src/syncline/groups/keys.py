"""The SSH key pair of a group."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def new_key_pair(comment: str) -> tuple[str, str]:
    """A new Ed25519 pair in OpenSSH form: the public key as one line with a comment, and the private key."""
    private = Ed25519PrivateKey.generate()
    public_line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private_text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return f"{public_line} {comment}", private_text
