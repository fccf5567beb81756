"""Who carries out a run, re-syncs that wait for one, ends of trials, and the indexes of long lists."""

import sqlalchemy as sa
from alembic import op

from syncline.store.migrate import MigrationError

revision = "0004"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("stop_requested", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("connections", sa.Column("pending_resync", sa.JSON(), nullable=True))
    op.add_column("connections", sa.Column("trial_ended_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_connections_account_id_group_id_id", "connections", ["account_id", "group_id", "id"])
    op.create_index("ix_connections_account_id_schema_id", "connections", ["account_id", "schema", "id"])
    _refuse_alike_schemas()
    op.create_index(
        "ix_connections_group_id_lower_schema", "connections", ["group_id", sa.text("lower(schema)")], unique=True
    )


def _refuse_alike_schemas() -> None:
    """Earlier versions let two connections load into what is one schema to many destinations."""
    alike = "SELECT group_id, lower(schema) FROM connections GROUP BY group_id, lower(schema) HAVING count(*) > 1"
    found = op.get_bind().execute(sa.text(alike)).first()
    if found is not None:
        raise MigrationError(
            f"Group '{found[0]}' has connections whose schemas are '{found[1]}' and differ by case alone, which this "
            "version does not allow. Delete all but one of them with the version that made them, then start this one "
            "again. Nothing was changed."
        )


def downgrade() -> None:
    for index in ("group_id_lower_schema", "account_id_schema_id", "account_id_group_id_id"):
        op.drop_index(f"ix_connections_{index}", table_name="connections")
    for column in ("trial_ended_at", "pending_resync"):
        op.drop_column("connections", column)
    for column in ("stop_requested", "owner"):
        op.drop_column("runs", column)
