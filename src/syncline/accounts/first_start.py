"""Making an installation ready: the home folder, the database, the sealing key, the account and its first API key."""

import asyncio
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import structlog

from syncline.accounts.service import NewKey, ensure_account
from syncline.engine.context import home_of
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.migrate import migrate
from syncline.store.sealing import load_sealer
from syncline.store.stored_secrets import note_secret_fields

KEY_FILE = "api-key.json"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FirstKey:
    """The API key of a first start, and the file (mode 600) that it was written to."""

    key: str
    secret: str
    path: Path

    def __repr__(self) -> str:
        return f"FirstKey(key={self.key!r}, secret='******', path={str(self.path)!r})"


async def prepare(settings: Settings) -> FirstKey | None:
    """Make the installation ready to serve. Harmless to repeat, and to do from several processes at once.

    Returns the first API key when this call made the account, so that it can be shown once; else None.

    Raises:
        SealingError, MigrationError, DatabaseUrlError: with what to do about it.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = await asyncio.to_thread(home_of(settings).make_private)
    if left:
        log.warning(
            "others may look into these files and folders: give Syncline a home folder of its own, owned by its user",
            paths=[str(path) for path in left],
        )
    sealer = await asyncio.to_thread(load_sealer, settings)
    await asyncio.to_thread(migrate, settings.store_url)
    database = Database(settings.store_url)
    try:
        await asyncio.to_thread(note_secret_fields, database, sealer)
        async with database.session() as session:
            made = await ensure_account(session)
            if made is None:
                return None
            # Before the commit: a key that nobody was told is worse than a file whose key was never made.
            path = settings.home / KEY_FILE
            await asyncio.to_thread(_write_key_file, path, made)
        return FirstKey(made.key, made.secret, path)
    finally:
        await database.close()


def _write_key_file(path: Path, made: NewKey) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"key": made.key, "secret": made.secret}, file, indent=2)
        file.write("\n")
    draft.replace(path)
