"""Users, sessions, refresh tokens, login failures."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Id, Timestamp
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None


def upgrade() -> None:
    create_kit_tables_v1()
    _users()
    _sessions()
    op.create_table(
        "login_failures",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("since", Timestamp, nullable=False),
    )


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", Id, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("revoked_at", Timestamp),
    )
    op.create_index("sessions_user", "sessions", ["user_id"])
    session = sa.ForeignKey("sessions.id", ondelete="CASCADE")
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("session_id", Id, session, nullable=False),
        sa.Column("expires_at", Timestamp, nullable=False),
        sa.Column("rotated_at", Timestamp),
    )
    op.create_index("refresh_tokens_session", "refresh_tokens", ["session_id"])
    op.create_index("refresh_tokens_expiry", "refresh_tokens", ["expires_at"])
