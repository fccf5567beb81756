"""Changing what is synced, inside the caller's transaction: everything that a request says, or nothing of it."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from syncline.api.errors import Conflict, InvalidInput, NotFound
from syncline.store.models import Connection, KnownColumn, KnownTable, SchemaConfig
from syncline.sync.catalog import digest_of, new_column, remove_warnings
from syncline.sync.selection import KEY, TYPE_LOCKED, is_system_column
from syncline.tables.answers import primary_key
from syncline.tables.schemas import ColumnUpdate, ConfigUpdate, DropRequest, SchemaUpdate, TableUpdate


class Changes:
    """Changes of one connection's schema config.

    Args:
        session: A session that has locked the connection.
        connection: The connection.
        config: Its schema config.
        ahead: Whether tables may be named that are not known: before the source was looked at.
    """

    def __init__(self, session: Session, connection: Connection, config: SchemaConfig, *, ahead: bool = False) -> None:
        self._session = session
        self._connection = connection
        self._config = config
        self._ahead = ahead

    def apply(self, request: ConfigUpdate) -> None:
        """Change the whole config."""
        if request.schema_change_handling is not None:
            self._config.schema_change_handling = request.schema_change_handling
        if request.is_type_locked is not None:
            self._lock_types(request.is_type_locked)
        self.apply_schemas(request.schemas or {})

    def apply_schemas(self, schemas: Mapping[str, SchemaUpdate]) -> None:
        """Change schemas. A connection has one.

        Raises:
            NotFound: Another one is named, or a table or column that is not known.
        """
        for name, request in schemas.items():
            self.check_schema(name)
            if request.enabled is not None:
                self._config.enabled = request.enabled
            for table, of_table in (request.tables or {}).items():
                self.apply_table(table, of_table)

    def apply_table(self, name: str, request: TableUpdate) -> None:
        """Change a table.

        Raises:
            NotFound: It is not known, or one of its columns.
            InvalidInput: The source has it no longer, or a column cannot be changed so.
        """
        table = self.table(name)
        if request.enabled is not None and request.enabled != table.enabled:
            if table.missing_since is not None:
                raise InvalidInput(
                    f"The table '{name}' cannot be {'enabled' if request.enabled else 'disabled'}: the source has it "
                    "no longer. Once it is there again, reload the schema config."
                )
            table.enabled = request.enabled
        if request.sync_mode is not None:
            table.sync_mode = request.sync_mode
        for column, of_column in (request.columns or {}).items():
            self.apply_column(table, column, of_column)

    def apply_column(self, table: KnownTable, name: str, request: ColumnUpdate) -> None:
        """Change a column.

        Raises:
            NotFound: It is not known.
            InvalidInput: It cannot be blocked or hashed, or its part in the primary key cannot change.
        """
        is_key = name in primary_key(table)
        if request.is_primary_key is not None and request.is_primary_key != is_key:
            raise InvalidInput(
                f"`is_primary_key` of the column '{name}' cannot be {str(request.is_primary_key).lower()}: the primary "
                f"key of the table '{table.name}' is {' and '.join(primary_key(table))}, because that is what tells "
                "messages apart."
            )
        if is_system_column(name):
            self._check_system_column(table, name, request)
            return
        column = self._find_column(table, name)
        if column is None:
            if table.captured_at is not None:
                raise self._unknown_column(table, name)
            column = new_column(table.connection_id, table.name, name)
            self._session.add(column)
        if request.enabled is not None:
            column.enabled = request.enabled
            column.drop_requested = column.drop_requested and not request.enabled
        if request.hashed is not None:
            column.hashed = request.hashed
        if request.enabled is not None or request.hashed is not None:
            column.set_by_user = True

    def drop(self, request: DropRequest) -> None:
        """Have the next sync drop columns in the destination."""
        for schema, tables in request.schemas.items():
            self.check_schema(schema)
            for name, columns in tables.tables.items():
                self.drop_columns(name, columns.columns)

    def drop_columns(self, table_name: str, names: Iterable[str]) -> None:
        """Have the next sync drop columns of a table in the destination.

        Raises:
            NotFound: The table or a column is not known.
            Conflict: A column is not blocked.
        """
        table = self.table(table_name)
        for name in names:
            column = self._find_column(table, name)
            if column is None and not is_system_column(name):
                raise self._unknown_column(table, name)
            if column is None or column.enabled:
                raise Conflict(
                    f"The column '{name}' of the table '{table_name}' is not blocked, so it cannot be dropped. "
                    + ("It is needed to load." if is_system_column(name) else "Set its `enabled` to false first.")
                )
            column.drop_requested = True

    def check_schema(self, name: str) -> None:
        """Refuse another schema than the connection's.

        Raises:
            NotFound: It is another one.
        """
        if name != self._connection.schema:
            hint = f"The schema of this connection is '{self._connection.schema}'; upper and lower case matter."
            raise NotFound("Schema", name, hint=hint)

    def table(self, name: str) -> KnownTable:
        """A table, made when it may be named ahead.

        Raises:
            NotFound: It is not known.
        """
        table = self._session.get(KnownTable, (self._connection.id, name))
        if table is not None:
            return table
        if not self._ahead:
            names = select(KnownTable.name).where(KnownTable.connection_id == self._connection.id)
            hint = "POST .../schemas/reload asks the source for new ones."
            raise NotFound("Table", name, hint=_closest(name, self._session.scalars(names), hint))
        table = KnownTable(connection_id=self._connection.id, name=name, enabled=True, sync_mode="SOFT_DELETE")
        self._session.add(table)
        self._session.flush()
        return table

    def _find_column(self, table: KnownTable, name: str) -> KnownColumn | None:
        return self._session.get(KnownColumn, (table.connection_id, table.name, digest_of(name)))

    def _unknown_column(self, table: KnownTable, name: str) -> NotFound:
        names = select(KnownColumn.name).where(
            KnownColumn.connection_id == table.connection_id, KnownColumn.table_name == table.name
        )
        hint = "A column is known once a sync has met it."
        return NotFound("Column", name, hint=_closest(name, self._session.scalars(names), hint))

    def _check_system_column(self, table: KnownTable, name: str, request: ColumnUpdate) -> None:
        wanted = "disabled" if request.enabled is False else "hashed" if request.hashed else None
        if wanted is not None:
            what = "the primary key" if name == KEY else "a system column"
            raise InvalidInput(f"The column '{name}' of the table '{table.name}' cannot be {wanted}: it is {what}.")

    def _lock_types(self, is_locked: bool) -> None:
        self._config.is_type_locked = is_locked
        if not is_locked:
            remove_warnings(self._session, self._connection.id, TYPE_LOCKED)
            self._session.execute(
                update(KnownColumn).where(KnownColumn.connection_id == self._connection.id).values(locked_type=None)
            )


def _closest(name: str, known: Iterable[str], otherwise: str) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"Did you mean '{close[0]}'? Upper and lower case matter." if close else otherwise
