"""The kit's own tables; every service's database holds a set of them.

A changed column comes as a new `..._v2` function that alters; what `create_kit_tables_v1` makes
then has to be frozen, because databases that ran it exist.
"""

import sqlalchemy as sa

from shopkit.columns import Id, Json, Timestamp

metadata = sa.MetaData()

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("correlation_id", Id, nullable=False),
    sa.Column("causation_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False, index=True),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Timestamp),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", Id, primary_key=True),
    sa.Column("received_at", Timestamp, nullable=False, index=True),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("message_id", Id, primary_key=True),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("headers", Json, nullable=False),
    sa.Column("data", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("first_at", Timestamp, nullable=False),
    sa.Column("last_at", Timestamp, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("method", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("headers", Json),
    sa.Column("body", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False, index=True),
)

sagas = sa.Table(
    "sagas",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("data", Json, nullable=False),
    sa.Column("pending_target", sa.Text),
    sa.Column("pending_type", sa.Text),
    sa.Column("pending_version", sa.Integer),
    sa.Column("pending_data", sa.Text),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", Timestamp, index=True),
    sa.Column("last_attempt_at", Timestamp),
    sa.Column("deadline_at", Timestamp, index=True),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Timestamp),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
)


def create_kit_tables_v1() -> None:
    """For a service's first migration."""
    # alembic costs a third of a service's start and is needed only here.
    from alembic import op

    metadata.create_all(op.get_bind(), checkfirst=False)
