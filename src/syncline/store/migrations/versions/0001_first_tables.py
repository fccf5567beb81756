"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_groups_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_groups_account_id_name")),
    )
    op.create_index("ix_groups_account_id_id", "groups", ["account_id", "id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("given_name", sa.Text(), nullable=False),
        sa.Column("family_name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_users_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("account_id", "email", name=op.f("uq_users_account_id_email")),
    )
    op.create_table(
        "api_keys",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_user_id"), "api_keys", ["user_id"], unique=False)
    op.create_table(
        "connections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("group_id", sa.String(length=40), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("service_version", sa.Integer(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("connected_by", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("pause_after_trial", sa.Boolean(), nullable=False),
        sa.Column("sync_frequency", sa.Integer(), nullable=False),
        sa.Column("daily_sync_time", sa.Text(), nullable=True),
        sa.Column("schedule_type", sa.Text(), nullable=False),
        sa.Column("data_delay_sensitivity", sa.Text(), nullable=False),
        sa.Column("data_delay_threshold", sa.Integer(), nullable=False),
        sa.Column("trust_certificates", sa.Boolean(), nullable=False),
        sa.Column("trust_fingerprints", sa.Boolean(), nullable=False),
        sa.Column("networking_method", sa.Text(), nullable=False),
        sa.Column("private_link_id", sa.Text(), nullable=True),
        sa.Column("proxy_agent_id", sa.Text(), nullable=True),
        sa.Column("hybrid_deployment_agent_id", sa.Text(), nullable=True),
        sa.Column("local_processing_agent_id", sa.Text(), nullable=True),
        sa.Column("connect_card_config", sa.JSON(), nullable=True),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("sealed_secrets", sa.Text(), nullable=True),
        sa.Column("setup_tests", sa.JSON(), nullable=False),
        sa.Column("setup_tested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("was_connected", sa.Boolean(), nullable=False),
        sa.Column("is_historical_sync", sa.Boolean(), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rescheduled_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_connections_account_id_accounts")),
        sa.ForeignKeyConstraint(["connected_by"], ["users.id"], name=op.f("fk_connections_connected_by_users")),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_connections_group_id_groups")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("group_id", "schema", name=op.f("uq_connections_group_id_schema")),
    )
    op.create_index("ix_connections_account_id_id", "connections", ["account_id", "id"], unique=False)
    op.create_index("ix_connections_next_sync_at", "connections", ["next_sync_at"], unique=False)
    op.create_table(
        "destinations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("time_zone_offset", sa.Text(), nullable=False),
        sa.Column("daylight_saving_time_enabled", sa.Boolean(), nullable=False),
        sa.Column("networking_method", sa.Text(), nullable=False),
        sa.Column("setup_status", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("sealed_secrets", sa.Text(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("setup_tests", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_destinations_account_id_accounts")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_destinations_created_by_users")),
        sa.ForeignKeyConstraint(["id"], ["groups.id"], name=op.f("fk_destinations_id_groups")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destinations")),
    )
    op.create_index(op.f("ix_destinations_account_id"), "destinations", ["account_id"], unique=False)
    op.create_table(
        "cursors",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_cursors_connection_id_connections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "stream", name=op.f("pk_cursors")),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_notices_connection_id_connections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint("connection_id", "code", "subject", name=op.f("uq_notices_connection_id_code_subject")),
    )
    op.create_index(op.f("ix_notices_connection_id"), "notices", ["connection_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("active_connection_id", sa.String(length=40), nullable=True),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_historical", sa.Boolean(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_runs_connection_id_connections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("active_connection_id", name=op.f("uq_runs_active_connection_id")),
    )
    op.create_index("ix_runs_connection_id_queued_at", "runs", ["connection_id", "queued_at"], unique=False)
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_runs_state", table_name="runs")
    op.drop_index("ix_runs_connection_id_queued_at", table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_notices_connection_id"), table_name="notices")
    op.drop_table("notices")
    op.drop_table("cursors")
    op.drop_index(op.f("ix_destinations_account_id"), table_name="destinations")
    op.drop_table("destinations")
    op.drop_index("ix_connections_next_sync_at", table_name="connections")
    op.drop_index("ix_connections_account_id_id", table_name="connections")
    op.drop_table("connections")
    op.drop_index(op.f("ix_api_keys_user_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("users")
    op.drop_index("ix_groups_account_id_id", table_name="groups")
    op.drop_table("groups")
    op.drop_table("accounts")
