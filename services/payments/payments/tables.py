"""Payment methods, payments, refunds and the ledger."""

import sqlalchemy as sa

from shopkit.db import Id, Timestamp

metadata = sa.MetaData()

# One row per user who ever added a payment method: what may not cross an erasure locks it.
payers = sa.Table(
    "payers",
    metadata,
    sa.Column("user_id", Id, primary_key=True),
    sa.Column("erasing_since", Timestamp),
    sa.Column("erased_at", Timestamp),
)

payment_methods = sa.Table(
    "payment_methods",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Id, nullable=False, index=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("deleted_at", Timestamp),
)

# `next_attempt_at` is when a worker may take the row: null once the outcome is known.
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("order_id", Id, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("user_id", Id),
    sa.Column("token", sa.Text),
    sa.Column("amount", sa.Integer),
    sa.Column("currency", sa.String(3)),
    sa.Column("intent_id", sa.Text, index=True),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("reason", sa.Text),
    sa.Column("action_url", sa.Text),
    sa.Column("reply_to", sa.Text, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("next_attempt_at", Timestamp),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Timestamp),
)

refunds = sa.Table(
    "refunds",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("payment_id", Id, sa.ForeignKey("payments.id"), nullable=False, index=True),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("next_attempt_at", Timestamp),
    sa.Column("lease_token", sa.Text),
    sa.Column("lease_until", Timestamp),
)

# `cause_id` is the payment or refund that moved the money: it can do so once.
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("cause_id", Id, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("payment_id", Id, sa.ForeignKey("payments.id"), nullable=False),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
)
