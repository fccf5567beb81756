"""What is known of the tables and columns of connections, and the salts of hashed columns."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("groups", sa.Column("sealed_hash_salt", sa.Text(), nullable=True))
    op.create_table(
        "schema_configs",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("schema_change_handling", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("is_type_locked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_schema_configs_connection_id_connections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_schema_configs")),
    )
    op.create_table(
        "known_tables",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("name_in_destination", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("sync_mode", sa.Text(), nullable=False),
        sa.Column("loaded_mode", sa.Text(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["schema_configs.connection_id"],
            name=op.f("fk_known_tables_connection_id_schema_configs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "name", name=op.f("pk_known_tables")),
    )
    op.create_table(
        "known_columns",
        sa.Column("connection_id", sa.String(length=40), nullable=False),
        sa.Column("table_name", sa.String(length=500), nullable=False),
        sa.Column("name_digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_in_destination", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("locked_type", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("hashed", sa.Boolean(), nullable=False),
        sa.Column("set_by_user", sa.Boolean(), nullable=False),
        sa.Column("drop_requested", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id", "table_name"],
            ["known_tables.connection_id", "known_tables.name"],
            name=op.f("fk_known_columns_connection_id_table_name_known_tables"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", "table_name", "name_digest", name=op.f("pk_known_columns")),
    )


def downgrade() -> None:
    op.drop_table("known_columns")
    op.drop_table("known_tables")
    op.drop_table("schema_configs")
    op.drop_column("groups", "sealed_hash_salt")
