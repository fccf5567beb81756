"""The tables of the store.

Identifiers are short random strings made by :func:`new_id`. Times are timezone-aware UTC. Secrets never stand in
a plain column: they are sealed (see :mod:`syncline.store.sealing`) into a ``sealed_*`` column.
"""

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_id() -> str:
    """A new identifier: 14 lower-case letters and digits (about 70 bits), the first a letter."""
    return secrets.choice(_ALPHABET[:26]) + "".join(secrets.choice(_ALPHABET) for _ in range(13))


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC time. SQLite keeps no time zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all models."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Account(Base):
    """The account that owns everything on this server."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class User(Base):
    """A person of the account."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("account_id", "email"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    email: Mapped[str] = mapped_column(Text)
    given_name: Mapped[str] = mapped_column(Text, default="")
    family_name: Mapped[str] = mapped_column(Text, default="")
    phone: Mapped[str | None] = mapped_column(Text, default=None)
    picture: Mapped[str | None] = mapped_column(Text, default=None)
    role: Mapped[str] = mapped_column(Text, default="Account Administrator")
    """The account role; empty for a user who may act in single groups alone."""
    invited: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)
    """A deleted user stays, without name and address, for the connections that name who made them."""


class ApiKey(Base):
    """An API key of a user. The secret is kept as a SHA-256 digest: it has 192 random bits, so it cannot be guessed."""

    __tablename__ = "api_keys"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    secret_digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime | None] = mapped_column(default=None)
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    system_key_id: Mapped[str | None] = mapped_column(String(40), index=True, unique=True, default=None)
    """Set for a system key: one of the account, which outlives the user who made it."""
    permissions: Mapped[list[Any] | None] = mapped_column(default=None)
    """What a system key may do, as the request said; a user's key may do what the user's role says."""


class Group(Base):
    """A group: one destination and the connections that load into it."""

    __tablename__ = "groups"
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        Index("ix_groups_account_id_id", "account_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(Text)
    public_key: Mapped[str] = mapped_column(Text)
    """The group's SSH public key, one line in OpenSSH form."""
    sealed_private_key: Mapped[str] = mapped_column(Text)
    sealed_hash_salt: Mapped[str | None] = mapped_column(Text, default=None)
    """What hashed columns are salted with, the same in all connections of the group, so that hashes can be joined."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class GroupUser(Base):
    """A user of a group, and the role there."""

    __tablename__ = "group_users"

    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Destination(Base):
    """The destination of a group. It has the group's id, so a group has at most one."""

    __tablename__ = "destinations"

    id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    service: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(Text)
    time_zone_offset: Mapped[str] = mapped_column(Text)
    daylight_saving_time_enabled: Mapped[bool] = mapped_column(default=False)
    networking_method: Mapped[str] = mapped_column(Text, default="Directly")
    setup_status: Mapped[str] = mapped_column(Text, default="incomplete")
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The config without its secrets."""
    sealed_secrets: Mapped[str | None] = mapped_column(Text, default=None)
    """Sealed JSON object of the config's secret fields."""
    secret_fields: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    """The names of those that are set; null where an older version stored them and no key has opened them since."""
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Other request fields that are stored and answered as they came (agents, private link, ...)."""
    setup_tests: Mapped[list[Any]] = mapped_column(default=list)
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Connection(Base):
    """A connection: what to read, into which schema, and when."""

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("group_id", "schema"),
        Index("ix_connections_account_id_id", "account_id", "id"),
        Index("ix_connections_account_id_group_id_id", "account_id", "group_id", "id"),
        Index("ix_connections_account_id_schema_id", "account_id", "schema", "id"),
        Index("ix_connections_group_id_lower_schema", "group_id", text("lower(schema)"), unique=True),
        Index("ix_connections_next_sync_at", "next_sync_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"))
    service: Mapped[str] = mapped_column(Text)
    service_version: Mapped[int] = mapped_column(default=1)
    schema: Mapped[str] = mapped_column(Text)
    connected_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    paused: Mapped[bool] = mapped_column(default=False)
    pause_after_trial: Mapped[bool] = mapped_column(default=False)
    sync_frequency: Mapped[int] = mapped_column(default=360)
    """Minutes between two syncs."""
    daily_sync_time: Mapped[str | None] = mapped_column(Text, default=None)
    schedule_type: Mapped[str] = mapped_column(Text, default="auto")
    schedule: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """The `schedule` of a request, which counts in place of `sync_frequency` and `daily_sync_time`."""
    data_delay_sensitivity: Mapped[str] = mapped_column(Text, default="NORMAL")
    data_delay_threshold: Mapped[int] = mapped_column(default=0)
    trust_certificates: Mapped[bool] = mapped_column(default=False)
    trust_fingerprints: Mapped[bool] = mapped_column(default=False)
    networking_method: Mapped[str] = mapped_column(Text, default="Directly")
    private_link_id: Mapped[str | None] = mapped_column(Text, default=None)
    proxy_agent_id: Mapped[str | None] = mapped_column(Text, default=None)
    hybrid_deployment_agent_id: Mapped[str | None] = mapped_column(Text, default=None)
    local_processing_agent_id: Mapped[str | None] = mapped_column(Text, default=None)
    connect_card_config: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    destination_schema_names: Mapped[str | None] = mapped_column(Text, default=None)
    """How the names of its tables and columns are made; null when nothing was said, which is `FIVETRAN_NAMING`."""

    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The config without its secrets."""
    sealed_secrets: Mapped[str | None] = mapped_column(Text, default=None)
    """Sealed JSON object `{"config": {...secret fields...}, "auth": {...}}`."""
    secret_fields: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    """The paths of those that are set, such as `config.connection_string`; null as for a destination."""

    setup_tests: Mapped[list[Any]] = mapped_column(default=list)
    """The latest setup tests, as answered."""
    setup_tested_at: Mapped[datetime | None] = mapped_column(default=None)
    was_connected: Mapped[bool] = mapped_column(default=False)
    """Whether the setup tests ever succeeded: tells `incomplete` from `broken`."""

    is_historical_sync: Mapped[bool] = mapped_column(default=True)
    succeeded_at: Mapped[datetime | None] = mapped_column(default=None)
    failed_at: Mapped[datetime | None] = mapped_column(default=None)
    rescheduled_for: Mapped[datetime | None] = mapped_column(default=None)
    next_sync_at: Mapped[datetime | None] = mapped_column(default=None)
    """When the scheduler starts the next sync; null while paused, incomplete or `manual`."""
    pending_resync: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What the next run reads from the beginning: `{"streams": [...]}`, or `{"streams": null}` for all of them."""
    trial_ended_at: Mapped[datetime | None] = mapped_column(default=None)
    """When the connection was paused because its trial was over. It happens once: whoever resumes it keeps it."""


class RunState(StrEnum):
    """The state of a run. The first two are active: a connection has at most one active run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The process died under it."""
    RESCHEDULED = "rescheduled"
    """The source asked for a pause."""


class Run(Base):
    """One sync of a connection."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_connection_id_queued_at", "connection_id", "queued_at"),
        Index("ix_runs_state", "state"),
        UniqueConstraint("active_connection_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"))
    active_connection_id: Mapped[str | None] = mapped_column(String(40), default=None)
    """The connection's id while the run is active, else null: its uniqueness lets only one run be active."""
    trigger: Mapped[str] = mapped_column(Text)
    """`schedule`, `api`, `terminal` or `recovery`."""
    state: Mapped[str] = mapped_column(Text, default=RunState.QUEUED)
    is_historical: Mapped[bool] = mapped_column(default=False)
    queued_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    heartbeat_at: Mapped[datetime | None] = mapped_column(default=None)
    """The latest sign of life of the process that carries the run out."""
    owner: Mapped[str | None] = mapped_column(Text, default=None)
    """The process that carries the run out, as `installation/process`."""
    stop_requested: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the process that carries the run out shall cancel it, wherever that process is."""
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    """Rows merged into the destination."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes of message bodies read."""
    batches: Mapped[int] = mapped_column(default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    """Messages that could not be decoded or loaded and went to a `__rejected` table."""
    error: Mapped[str | None] = mapped_column(Text, default=None)
    """What went wrong and what to do about it, for a person."""


class Cursor(Base):
    """How far one stream of a connection is in the destination. Moves only after a load has been committed."""

    __tablename__ = "cursors"

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    stream: Mapped[str] = mapped_column(Text, primary_key=True)
    """The source's name for the stream: a topic's name."""
    position: Mapped[dict[str, Any]] = mapped_column()
    """Opaque to all but the connector."""
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class TrustedCertificate(Base):
    """A TLS certificate that somebody approved for one connection or one destination."""

    __tablename__ = "trusted_certificates"
    __table_args__ = (
        UniqueConstraint("connection_id", "sha256"),
        UniqueConstraint("destination_id", "sha256"),
        CheckConstraint("(connection_id IS NULL) <> (destination_id IS NULL)", name="one_owner"),
    )

    row_id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), default=None)
    destination_id: Mapped[str | None] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"), default=None)
    identifier: Mapped[str] = mapped_column(Text)
    """The base64url of `hash`: the identifier among those of its connection or destination."""
    hash: Mapped[str] = mapped_column(Text)
    """The SHA-256 of the certificate as the client wrote it."""
    sha256: Mapped[str] = mapped_column(String(64))
    """The SHA-256 of the certificate, in hexadecimal."""
    encoded_cert: Mapped[str] = mapped_column(Text)
    """The certificate's DER form in base64."""
    validated_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    validated_at: Mapped[datetime] = mapped_column(default=utc_now)


class TrustedFingerprint(Base):
    """An SSH host key that somebody approved for one connection or one destination."""

    __tablename__ = "trusted_fingerprints"
    __table_args__ = (
        UniqueConstraint("connection_id", "sha256"),
        UniqueConstraint("destination_id", "sha256"),
        CheckConstraint("(connection_id IS NULL) <> (destination_id IS NULL)", name="one_owner"),
    )

    row_id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    connection_id: Mapped[str | None] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), default=None)
    destination_id: Mapped[str | None] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"), default=None)
    identifier: Mapped[str] = mapped_column(Text)
    """The base64url of `hash`: the identifier among those of its connection or destination."""
    hash: Mapped[str] = mapped_column(Text)
    """The SHA-256 of the key as the client wrote it."""
    sha256: Mapped[str] = mapped_column(String(64))
    """The SHA-256 of the key, in hexadecimal."""
    public_key: Mapped[str] = mapped_column(Text)
    """The key as one line in OpenSSH form."""
    validated_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    validated_at: Mapped[datetime] = mapped_column(default=utc_now)


class Notice(Base):
    """A task or a warning on a connection: something a person should know or do."""

    __tablename__ = "notices"
    __table_args__ = (UniqueConstraint("connection_id", "code", "subject"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_id)
    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    """`task` or `warning`."""
    code: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text, default="")
    """What it is about (a topic, a table), so that it is raised once and updated in place."""
    message: Mapped[str] = mapped_column(Text)
    details: Mapped[str] = mapped_column(Text, default="")
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now)


class SchemaConfig(Base):
    """What a connection syncs of its source: made when the source was first asked, or by a request before that."""

    __tablename__ = "schema_configs"

    connection_id: Mapped[str] = mapped_column(ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True)
    schema_change_handling: Mapped[str] = mapped_column(Text, default="ALLOW_ALL")
    """What happens with tables and columns that are new: `ALLOW_ALL`, `ALLOW_COLUMNS` or `BLOCK_ALL`."""
    enabled: Mapped[bool] = mapped_column(default=True)
    """Whether the schema is synced at all."""
    is_type_locked: Mapped[bool] = mapped_column(default=False)
    """Whether columns keep the types that they had when the lock was first in force."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class KnownTable(Base):
    """A table that is known of a connection, and how it is synced."""

    __tablename__ = "known_tables"

    connection_id: Mapped[str] = mapped_column(
        ForeignKey("schema_configs.connection_id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(500), primary_key=True)
    """The source's name for it: a topic's name."""
    name_in_destination: Mapped[str | None] = mapped_column(Text, default=None)
    """As the last load named it; null before the first."""
    enabled: Mapped[bool] = mapped_column(default=True)
    sync_mode: Mapped[str] = mapped_column(Text, default="SOFT_DELETE")
    loaded_mode: Mapped[str | None] = mapped_column(Text, default=None)
    """The mode of the last load, which says what the rows in the destination are."""
    first_seen_at: Mapped[datetime | None] = mapped_column(default=None)
    """Null while only a request has named it, and the source has not."""
    captured_at: Mapped[datetime | None] = mapped_column(default=None)
    """When a sync first read it to its end. Columns that come later are new ones."""
    missing_since: Mapped[datetime | None] = mapped_column(default=None)
    """Since when the source has it no longer."""


class KnownColumn(Base):
    """A column that is known of a table, and how it is synced."""

    __tablename__ = "known_columns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["connection_id", "table_name"], ["known_tables.connection_id", "known_tables.name"], ondelete="CASCADE"
        ),
    )

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    table_name: Mapped[str] = mapped_column(String(500), primary_key=True)
    name_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the name: a field's name may be longer than an index takes."""
    name: Mapped[str] = mapped_column(Text)
    """The source's name for it."""
    name_in_destination: Mapped[str | None] = mapped_column(Text, default=None)
    """As the last load named it; null before the first, and after it was dropped."""
    type: Mapped[str | None] = mapped_column(Text, default=None)
    """The narrowest type that holds all values that were seen."""
    locked_type: Mapped[str | None] = mapped_column(Text, default=None)
    """The type that the column keeps while types are locked."""
    enabled: Mapped[bool] = mapped_column(default=True)
    hashed: Mapped[bool] = mapped_column(default=False)
    set_by_user: Mapped[bool] = mapped_column(default=False)
    """Whether a request ever set one of the two."""
    drop_requested: Mapped[bool] = mapped_column(default=False)
    """Whether the next sync drops it in the destination."""
    first_seen_at: Mapped[datetime | None] = mapped_column(default=None)
    """Null while only a request has named it, and no message has."""
