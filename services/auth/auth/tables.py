"""What auth stores. Emails are stored in their normal form; tokens only as SHA-256."""

import sqlalchemy as sa

from shopkit.db import Id, Timestamp

metadata = sa.MetaData()

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("erasing_since", Timestamp),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("revoked_at", Timestamp),
    sa.Index("sessions_user", "user_id"),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("session_id", Id, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires_at", Timestamp, nullable=False),
    sa.Column("rotated_at", Timestamp),
    sa.Index("refresh_tokens_session", "session_id"),
    sa.Index("refresh_tokens_expiry", "expires_at"),
)

login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("since", Timestamp, nullable=False),
)
