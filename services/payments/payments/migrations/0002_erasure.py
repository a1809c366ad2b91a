"""Who has payment methods, and whom the shop is asked to forget: that row stays."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Id, Timestamp

revision, down_revision = "2", "1"


def upgrade() -> None:
    op.create_table(
        "payers",
        sa.Column("user_id", Id, primary_key=True),
        sa.Column("erasing_since", Timestamp),
        sa.Column("erased_at", Timestamp),
    )
