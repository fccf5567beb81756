"""Which secrets are set, apart from their sealed text. The server notes them when it starts: that needs the key."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("secret_fields", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("destinations", sa.Column("secret_fields", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("destinations", "secret_fields")
    op.drop_column("connections", "secret_fields")
