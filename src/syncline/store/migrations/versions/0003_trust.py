"""Certificates and fingerprints that were approved."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, content in (("trusted_certificates", "encoded_cert"), ("trusted_fingerprints", "public_key")):
        op.create_table(
            table,
            sa.Column("row_id", sa.String(length=40), nullable=False),
            sa.Column("connection_id", sa.String(length=40), nullable=True),
            sa.Column("destination_id", sa.String(length=40), nullable=True),
            sa.Column("identifier", sa.Text(), nullable=False),
            sa.Column("hash", sa.Text(), nullable=False),
            sa.Column("sha256", sa.String(length=64), nullable=False),
            sa.Column(content, sa.Text(), nullable=False),
            sa.Column("validated_by", sa.String(length=40), nullable=False),
            sa.Column("validated_at", sa.DateTime(timezone=True), nullable=False),
            sa.CheckConstraint(
                "(connection_id IS NULL) <> (destination_id IS NULL)", name=op.f(f"ck_{table}_one_owner")
            ),
            sa.ForeignKeyConstraint(
                ["connection_id"],
                ["connections.id"],
                name=op.f(f"fk_{table}_connection_id_connections"),
                ondelete="CASCADE",
            ),
            sa.ForeignKeyConstraint(
                ["destination_id"],
                ["destinations.id"],
                name=op.f(f"fk_{table}_destination_id_destinations"),
                ondelete="CASCADE",
            ),
            sa.ForeignKeyConstraint(["validated_by"], ["users.id"], name=op.f(f"fk_{table}_validated_by_users")),
            sa.PrimaryKeyConstraint("row_id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint("connection_id", "sha256", name=op.f(f"uq_{table}_connection_id_sha256")),
            sa.UniqueConstraint("destination_id", "sha256", name=op.f(f"uq_{table}_destination_id_sha256")),
        )


def downgrade() -> None:
    op.drop_table("trusted_fingerprints")
    op.drop_table("trusted_certificates")
