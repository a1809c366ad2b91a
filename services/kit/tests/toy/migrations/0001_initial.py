import sqlalchemy as sa
from alembic import op

from shopkit.db import Id
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None


def upgrade() -> None:
    create_kit_tables_v1()
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("free", sa.Integer, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("order_id", Id, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
    )
    op.create_table(
        "payments",
        sa.Column("order_id", Id, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
    )
    op.create_table(
        "timeline",
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("state", sa.Text),
    )
