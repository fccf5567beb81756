"""How the names of a connection's tables and columns are made."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("destination_schema_names", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("connections", "destination_schema_names")
