"""API keys: how they are made and how their secrets are kept."""

import hashlib
import secrets
import string

_KEY_LENGTH = 16
_SECRET_BYTES = 24


def new_api_key() -> tuple[str, str]:
    """A new API key and its secret: 16 letters and digits, and 192 random bits as 32 URL-safe characters."""
    alphabet = string.ascii_letters + string.digits
    key = "".join(secrets.choice(alphabet) for _ in range(_KEY_LENGTH))
    return key, secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> str:
    """SHA-256 of a secret, in hexadecimal.

    A slow password hash would add nothing: the secret is random, so there is no dictionary to try.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
