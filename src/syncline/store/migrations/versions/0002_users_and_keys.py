"""Users of groups, details of users, and keys that belong to the account."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("phone", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("picture", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("invited", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("system_key_id", sa.String(length=40), nullable=True))
    op.add_column("api_keys", sa.Column("permissions", sa.JSON(), nullable=True))
    op.add_column("api_keys", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_api_keys_system_key_id"), "api_keys", ["system_key_id"], unique=True)
    op.create_table(
        "group_users",
        sa.Column("group_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_users_group_id_groups"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_group_users_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_users")),
    )
    op.create_index(op.f("ix_group_users_user_id"), "group_users", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_group_users_user_id"), table_name="group_users")
    op.drop_table("group_users")
    op.drop_index(op.f("ix_api_keys_system_key_id"), table_name="api_keys")
    for column in ("expires_at", "updated_at", "permissions", "system_key_id"):
        op.drop_column("api_keys", column)
    for column in ("deleted_at", "invited", "picture", "phone"):
        op.drop_column("users", column)
