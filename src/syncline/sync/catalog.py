"""What is known of a connection's tables and columns, and what of them is synced.

A sync takes note of what it meets. The choices that it goes by are those of its start; what is new is chosen by the
policy of the moment. The store is written to only when there is something new.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from syncline.store.database import Database
from syncline.store.models import Connection, Group, KnownColumn, KnownTable, Notice, SchemaConfig, utc_now
from syncline.store.sealing import Sealer
from syncline.sync.selection import (
    COLUMNS_NOT_DROPPED,
    OTHER,
    ChangeHandling,
    Selection,
    SyncMode,
    is_system_column,
    stored_name,
)
from syncline.warehouses import types
from syncline.warehouses.types import ColumnType


class Catalog(Protocol):
    """What a sync asks of the schema config, and tells it."""

    def choose_streams(self, names: Sequence[str]) -> frozenset[str]:
        """Take note of the streams of the source. Returns those to read."""

    def choose_columns(self, stream: str, columns: Mapping[str, ColumnType]) -> Selection:
        """Take note of the columns of a batch. Returns what to do with them."""

    def note_load(self, stream: str, table: str, columns: Mapping[str, str], sync_mode: SyncMode) -> None:
        """Take note of a load: the destination's names of the table and its columns."""

    def doomed_columns(self) -> Mapping[str, Sequence[str]]:
        """The columns to drop in the destination, by stream."""

    def note_drop(self, stream: str) -> None:
        """Take note that the doomed columns of a stream are gone."""

    def note_end(self) -> None:
        """Take note that the sync came to its end: what it loaded is captured."""


class EverythingCatalog:
    """Syncs everything and remembers nothing."""

    def choose_streams(self, names: Sequence[str]) -> frozenset[str]:
        """All of them."""
        return frozenset(names)

    def choose_columns(self, stream: str, columns: Mapping[str, ColumnType]) -> Selection:
        """All of them, as they are."""
        return Selection()

    def note_load(self, stream: str, table: str, columns: Mapping[str, str], sync_mode: SyncMode) -> None:
        """Nothing is remembered."""

    def doomed_columns(self) -> Mapping[str, Sequence[str]]:
        """None."""
        return {}

    def note_drop(self, stream: str) -> None:
        """Nothing is remembered."""

    def note_end(self) -> None:
        """Nothing is remembered."""


class StoreCatalog:
    """The catalog of one connection in the store.

    Raises:
        SealingError: There are columns to hash, and the salt cannot be opened with the present keys.
    """

    def __init__(self, database: Database, sealer: Sealer, connection_id: str) -> None:
        self._database = database
        self._connection_id = connection_id
        self._tables: dict[str, KnownTable] = {}
        self._columns: dict[str, dict[str, KnownColumn]] = {}
        self._locks_types = False
        self._loaded: set[str] = set()
        with database.sync_session(read_only=True) as session:
            config = session.get(SchemaConfig, connection_id)
            self._is_enabled = config is None or config.enabled
            self._locks_types = config is not None and config.is_type_locked
            self._tables = {table.name: table for table in session.scalars(_tables_of(connection_id))}
            for column in session.scalars(select(KnownColumn).where(KnownColumn.connection_id == connection_id)):
                self._columns.setdefault(column.table_name, {})[column.name] = column
        has_hashes = any(column.hashed for columns in self._columns.values() for column in columns.values())
        self._salt = salt_of(database, sealer, connection_id) if has_hashes else b""

    def choose_streams(self, names: Sequence[str]) -> frozenset[str]:
        """Take note of the streams of the source. Returns those to read."""
        tables = self._tables
        present = {name for name, table in tables.items() if table.first_seen_at and not table.missing_since}
        if present != set(names):
            with self._database.sync_session() as session:
                found = note_tables(session, self._connection_id, names)
            # What is known already stays as it was at the start.
            self._tables = {name: tables.get(name, table) for name, table in found.items()}
        if not self._is_enabled:
            return frozenset()
        return frozenset(name for name in names if self._tables[name].enabled)

    def choose_columns(self, stream: str, columns: Mapping[str, ColumnType]) -> Selection:
        """Take note of the columns of a batch. Returns what to do with them."""
        columns = {stored_name(name): column_type for name, column_type in columns.items()}
        known = self._columns.setdefault(stream, {})
        changed = {
            name: joined
            for name, found in columns.items()
            if (joined := _joined(known.get(name), found)) is not None
            and not (self._locks_types and name in known and known[name].locked_type)
        }
        if changed:
            self._write_columns(stream, changed)
        table = self._tables[stream]
        return Selection(
            sync_mode=SyncMode(table.sync_mode),
            loaded_mode=SyncMode(table.loaded_mode) if table.loaded_mode else None,
            blocked=frozenset(
                name for name, column in known.items() if not column.enabled and not is_system_column(name)
            ),
            hashed=frozenset(name for name, column in known.items() if column.hashed and not is_system_column(name)),
            locked_types={
                name: parse_type(column.locked_type)
                for name, column in known.items()
                if self._locks_types and column.locked_type and not column.hashed
            },
            salt=self._salt,
        )

    def note_load(self, stream: str, table: str, columns: Mapping[str, str], sync_mode: SyncMode) -> None:
        """Take note of a load: the destination's names of the table and its columns."""
        self._loaded.add(stream)
        stored = self._tables[stream]
        named = {stored_name(source): name for source, name in columns.items()}
        known = self._columns[stream]
        renamed = {
            name: named[name]
            for name, column in known.items()
            if name in named and column.name_in_destination != named[name]
        }
        if not renamed and (stored.name_in_destination, stored.loaded_mode) == (table, sync_mode):
            return
        with self._database.sync_session() as session:
            changes: list[tuple[KnownTable | KnownColumn | None, KnownTable | KnownColumn, dict[str, str]]] = [
                (
                    session.get(KnownTable, (self._connection_id, stream)),
                    stored,
                    {"name_in_destination": table, "loaded_mode": sync_mode.value},
                )
            ]
            changes += [
                (session.get(KnownColumn, _key_of(known[name])), known[name], {"name_in_destination": new})
                for name, new in renamed.items()
            ]
            for row, copy, values in changes:
                for attribute, value in values.items():
                    setattr(copy, attribute, value)
                    if row is not None:
                        setattr(row, attribute, value)

    def doomed_columns(self) -> Mapping[str, Sequence[str]]:
        """The columns to drop in the destination, by stream."""
        doomed = {
            stream: sorted(name for name, column in columns.items() if column.drop_requested)
            for stream, columns in self._columns.items()
        }
        return {stream: names for stream, names in doomed.items() if names}

    def note_drop(self, stream: str) -> None:
        """Take note that the doomed columns of a stream are gone."""
        with self._database.sync_session() as session:
            remove_warnings(session, self._connection_id, COLUMNS_NOT_DROPPED, stream)
            for column in self._columns[stream].values():
                row = session.get(KnownColumn, _key_of(column)) if column.drop_requested else None
                if row is not None:
                    row.drop_requested = column.drop_requested = False
                    row.name_in_destination = column.name_in_destination = None

    def note_end(self) -> None:
        """Take note that the sync came to its end: what it loaded is captured, and a lock has its types."""
        with self._database.sync_session() as session:
            for table in session.scalars(_tables_of(self._connection_id)):
                if table.name in self._loaded and table.captured_at is None:
                    table.captured_at = utc_now()
            if self._locks_types:
                unlocked = select(KnownColumn).where(
                    KnownColumn.connection_id == self._connection_id,
                    KnownColumn.locked_type.is_(None),
                    KnownColumn.type.is_not(None),
                )
                for column in session.scalars(unlocked):
                    column.locked_type = column.type

    def _write_columns(self, stream: str, changed: Mapping[str, ColumnType]) -> None:
        known = self._columns[stream]
        with self._database.sync_session() as session:
            config = lock_config(session, self._connection_id)
            table = session.get_one(KnownTable, (self._connection_id, stream))
            # The columns of the first sync are no new ones.
            allowed = table.captured_at is None or ChangeHandling(config.schema_change_handling).allows_columns
            for name, column_type in changed.items():
                row = session.get(KnownColumn, (self._connection_id, stream, digest_of(name)))
                if row is None:
                    row = new_column(self._connection_id, stream, name)
                    # What is in OTHER was let in by itself.
                    row.enabled = allowed or is_system_column(name) or name == OTHER
                    session.add(row)
                row.type = str(column_type)
                row.first_seen_at = row.first_seen_at or utc_now()
                if name in known:
                    known[name].type, known[name].first_seen_at = row.type, row.first_seen_at
                else:
                    known[name] = row


def digest_of(name: str) -> str:
    """The digest by which the store finds a column's name."""
    return hashlib.sha256(name.encode()).hexdigest()


def new_column(connection_id: str, stream: str, name: str) -> KnownColumn:
    """A column that was not known."""
    return KnownColumn(
        connection_id=connection_id,
        table_name=stream,
        name=name,
        name_digest=digest_of(name),
        enabled=True,
        hashed=False,
        set_by_user=False,
        drop_requested=False,
    )


def lock_config(session: Session, connection_id: str) -> SchemaConfig:
    """The connection's schema config, made when it is missing. Until the transaction ends, nobody else changes what
    is known of the connection: its row in the store is locked."""
    session.get_one(Connection, connection_id, with_for_update=True)
    config = session.get(SchemaConfig, connection_id)
    if config is None:
        config = SchemaConfig(
            connection_id=connection_id, schema_change_handling="ALLOW_ALL", enabled=True, is_type_locked=False
        )
        session.add(config)
        session.flush()
    return config


def remove_warnings(session: Session, connection_id: str, code: str, subject: str | None = None) -> None:
    """Take warnings of one kind, perhaps about one subject alone, from a connection: they hold no longer."""
    statement = delete(Notice).where(Notice.connection_id == connection_id, Notice.code == code)
    session.execute(statement if subject is None else statement.where(Notice.subject == subject))


def note_tables(session: Session, connection_id: str, names: Iterable[str]) -> dict[str, KnownTable]:
    """Take note of the tables that the source has; those it has no longer stay known as missing. Returns all.

    The tables of the first look are enabled, unless a request has said before what is to be synced; later ones are as
    the policy says.
    """
    config = lock_config(session, connection_id)
    tables = {table.name: table for table in session.scalars(_tables_of(connection_id))}
    allowed = not tables or ChangeHandling(config.schema_change_handling).allows_tables
    now = utc_now()
    present = set(names)
    for name in sorted(present - tables.keys()):
        tables[name] = KnownTable(connection_id=connection_id, name=name, enabled=allowed, sync_mode="SOFT_DELETE")
        session.add(tables[name])
    for name, table in tables.items():
        if name in present:
            table.first_seen_at = table.first_seen_at or now
            table.missing_since = None
        elif table.first_seen_at is not None:
            table.missing_since = table.missing_since or now
    session.flush()
    return tables


def salt_of(database: Database, sealer: Sealer, connection_id: str) -> bytes:
    """The salt of the hashes in a connection's destination, made at the first need.

    Raises:
        SealingError: It cannot be opened with the present keys.
    """
    with database.sync_session() as session:
        connection = session.get_one(Connection, connection_id)
        group = session.get_one(Group, connection.group_id, with_for_update=True)
        if group.sealed_hash_salt is None:
            group.sealed_hash_salt = sealer.seal(secrets.token_hex(32))
        return bytes.fromhex(sealer.open(group.sealed_hash_salt))


def parse_type(text: str) -> ColumnType:
    """The column type that was written as `text`."""
    if not text.startswith("DECIMAL("):
        return ColumnType(types.Kind(text))
    precision, scale = map(int, text.removeprefix("DECIMAL(").removesuffix(")").split(","))
    return types.decimal(precision - scale, scale)


def _tables_of(connection_id: str) -> Select[KnownTable]:
    return select(KnownTable).where(KnownTable.connection_id == connection_id)


def _key_of(column: KnownColumn) -> tuple[str, str, str]:
    return column.connection_id, column.table_name, column.name_digest


def _joined(known: KnownColumn | None, found: ColumnType) -> ColumnType | None:
    """The type of a column with the values found now; None when nothing is new about it."""
    if known is None or known.type is None:
        return found
    before = parse_type(known.type)
    joined = types.join(before, found)
    return None if joined == before else joined
