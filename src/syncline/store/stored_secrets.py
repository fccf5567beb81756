"""The secrets of a connection or destination: sealed, and beside them the names of those that are set.

Answers show which secrets are set, so they need no key: a server with the wrong one can still say what it has.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from syncline.store.database import Database
from syncline.store.models import Connection, Destination, Group
from syncline.store.sealing import Sealer, SealingError

Row = Connection | Destination

_SEALED = (
    Connection.sealed_secrets,
    Destination.sealed_secrets,
    Group.sealed_private_key,
    Group.sealed_hash_salt,
)
"""All columns that only a key opens."""


def seal_into(row: Row, sealer: Sealer, secrets: Mapping[str, Any]) -> None:
    """Store secrets, in whatever objects they are, in a row."""
    row.secret_fields = list(_names(secrets))
    row.sealed_secrets = sealer.seal(secrets) if row.secret_fields else None


def open_or_replace(
    row: Row, sealer: Sealer, sent: Mapping[str, Any], *, masked: str, path: str = ""
) -> dict[str, Any]:
    """The secrets of a row, to lay an update over. Where no key opens them, an update that sends all of them again
    is laid over none.

    Args:
        sent: The update, of the shape of the secrets.
        masked: What stands in an update for a secret that stays as it is.
        path: What an error puts before the names of secrets.

    Raises:
        SealingError: the present keys do not open them, and the update does not replace them all.
    """
    try:
        return dict(sealer.open(row.sealed_secrets)) if row.sealed_secrets is not None else {}
    except SealingError as error:
        names = row.secret_fields or []
        if names and all(_is_replaced(name.split("."), sent, masked) for name in names):
            return {}
        again = (
            f" Or send all of the secrets again in one request: {', '.join(f'{path}{name}' for name in names)}."
            if names
            else ""
        )
        raise SealingError(f"{error}{again}") from error


def note_secret_fields(database: Database, sealer: Sealer) -> None:
    """Note which secrets are set where an older version has not. What no key opens stays as it is."""
    with database.sync_session(read_only=True) as session:
        rows = list(_without_names(session))
    opened = [row for row in rows if _opens(sealer, row.sealed_secrets)]
    if opened:
        with database.sync_session() as session:
            for row in opened:
                model, names = type(row), list(_names(sealer.open(row.sealed_secrets or "")))
                unchanged = (model.id == row.id, model.sealed_secrets == row.sealed_secrets)
                session.execute(update(model).where(*unchanged).values(secret_fields=names))


def all_can_be_opened(database: Database, sealer: Sealer) -> bool:
    """Whether the present keys open everything that is sealed in the store. Stops at the first that they do not."""
    with database.sync_session(read_only=True) as session:
        for column in _SEALED:
            for token in session.scalars(select(column).where(column.is_not(None)).execution_options(yield_per=500)):
                if not _opens(sealer, token):
                    return False
    return True


def _names(secrets: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for name, value in secrets.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{path}{name}.")
        elif value is not None:
            yield f"{path}{name}"


def _is_replaced(path: list[str], sent: object, masked: str) -> bool:
    for name in path:
        sent = sent.get(name) if isinstance(sent, Mapping) else None
    return sent not in (None, "", masked)


def _without_names(session: Session) -> Iterator[Row]:
    for_connections = Connection.sealed_secrets.is_not(None) & Connection.secret_fields.is_(None)
    yield from session.scalars(select(Connection).where(for_connections))
    for_destinations = Destination.sealed_secrets.is_not(None) & Destination.secret_fields.is_(None)
    yield from session.scalars(select(Destination).where(for_destinations))


def _opens(sealer: Sealer, token: str | None) -> bool:
    try:
        sealer.open(token or "")
    except SealingError:
        return False
    return True
