"""When a user asked to be forgotten."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Timestamp

revision, down_revision = "2", "1"


def upgrade() -> None:
    op.add_column("users", sa.Column("erasing_since", Timestamp))
