"""Whom the shop is asked to forget: the customer's row stays, as the only trace."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Timestamp

revision, down_revision = "2", "1"


def upgrade() -> None:
    op.add_column("customers", sa.Column("erasing_since", Timestamp))
    op.add_column("customers", sa.Column("erased_at", Timestamp))
