"""Sealing of secrets: what the database holds is useless without a key that is kept apart from it."""

import base64
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from syncline.settings import Settings
from syncline.store.migrate import store_is_new

KEY_FILE = "sealing.key"


class SealingError(Exception):
    """A secret cannot be sealed or opened. The message says what to do and never holds a secret or a key."""


class Sealer:
    """Seals JSON values into tokens and opens them again.

    Args:
        keys: Fernet keys (32 bytes in URL-safe base64). The first one seals, all of them open, so a new key is put
            in front and the old ones stay until every token was rotated.

    Raises:
        SealingError: there is no key, or one is not a Fernet key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SealingError("There is no sealing key. Set SYNCLINE_SEALING_KEYS to at least one Fernet key.")
        fernets = []
        for position, key in enumerate(keys, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError as error:
                raise SealingError(
                    f"Sealing key number {position} is not a Fernet key: it must be 32 bytes in URL-safe base64. "
                    "Check SYNCLINE_SEALING_KEYS or the file sealing.key."
                ) from error
        self._fernet = MultiFernet(fernets)
        self._first_key = base64.urlsafe_b64decode(keys[0])

    def seal(self, value: Any) -> str:
        """Seal any JSON value."""
        return self._fernet.encrypt(json.dumps(value, separators=(",", ":")).encode()).decode()

    def open(self, token: str) -> Any:
        """Open what :meth:`seal` made.

        Raises:
            SealingError: none of the keys fits, or the token was changed.
        """
        try:
            return json.loads(self._fernet.decrypt(token))
        except InvalidToken as error:
            raise _wrong_key() from error

    def rotate(self, token: str) -> str:
        """Seal a token anew with the first key.

        Raises:
            SealingError: as for :meth:`open`.
        """
        try:
            return self._fernet.rotate(token).decode()
        except InvalidToken as error:
            raise _wrong_key() from error

    def derive_key(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (signing tokens, say), made from the first key with HKDF-SHA256 (RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"syncline:{purpose}".encode()).derive(
            self._first_key
        )


def load_sealer(settings: Settings) -> Sealer:
    """The sealer of this installation.

    The keys come from the settings, else from ``sealing.key`` in the home folder. That file is made, readable by its
    owner alone, when it is missing and the store holds nothing yet.

    Raises:
        SealingError: the keys are malformed, the key file cannot be read or holds something else, or it is missing
            although the store has been used.
    """
    if settings.sealing_keys is not None:
        return Sealer(_split(settings.sealing_keys.get_secret_value()))
    path = settings.home / KEY_FILE
    if not path.exists():
        if not store_is_new(settings.store_url):
            raise SealingError(
                f"The store holds sealed secrets but its key file {path} is missing. Put the file back, or set "
                "SYNCLINE_SEALING_KEYS to the key that it held."
            )
        _create_key_file(path)
    return Sealer(_read_key_file(path))


def _read_key_file(path: Path) -> list[str]:
    remedy = "Put the file back that was there, or set SYNCLINE_SEALING_KEYS to the key that it held."
    try:
        if path.exists() and not path.is_file():
            raise SealingError(f"The key file {path} is no regular file. {remedy}")
        keys = _split(path.read_text(encoding="ascii"))
    except OSError as error:
        raise SealingError(
            f"The key file {path} cannot be read: {error.strerror}. Let the user that Syncline runs as read it."
        ) from error
    except UnicodeDecodeError:
        raise SealingError(f"The key file {path} holds bytes that are no key. {remedy}") from None
    if not keys:
        raise SealingError(f"The key file {path} is empty. {remedy}")
    return keys


def _split(text: str) -> list[str]:
    return [key for key in text.replace(",", " ").split() if key]


def _wrong_key() -> SealingError:
    return SealingError(
        "A stored secret cannot be opened with the present sealing keys. Add the key that sealed it to "
        "SYNCLINE_SEALING_KEYS (or to the file sealing.key), after the present ones."
    )


def _create_key_file(path: Path) -> None:
    """Make the key file whole or not at all; when another process was first, its file stands."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(Fernet.generate_key().decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
