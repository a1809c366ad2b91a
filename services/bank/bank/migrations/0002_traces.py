"""A webhook belongs to the trace of the request that it tells of."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "2", "1"


def upgrade() -> None:
    op.add_column(
        "deliveries", sa.Column("traceparent", sa.Text, nullable=False, server_default="")
    )
