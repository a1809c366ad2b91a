"""The bank's durable record. Money moves only together with a row in `ledger`."""

import sqlalchemy as sa

from shopkit.db import Json, Timestamp

metadata = sa.MetaData()

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("payment_method", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("return_url", sa.Text),
    sa.Column("decline_code", sa.Text),
    sa.Column("created", sa.Integer, nullable=False),
    sa.CheckConstraint("amount > 0", name="intents_amount_positive"),
)

refunds = sa.Table(
    "refunds",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("payment_intent", sa.ForeignKey("intents.id"), nullable=False, index=True),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("created", sa.Integer, nullable=False),
    sa.CheckConstraint("amount > 0", name="refunds_amount_positive"),
)

# One line per movement of money; `cause` is the id of the intent or refund that moved it.
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("payment_intent", sa.ForeignKey("intents.id"), nullable=False),
    sa.Column("amount", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("created", sa.Integer, nullable=False),
    sa.UniqueConstraint("cause", name="ledger_cause_once"),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False, index=True),
)

# A webhook that is still to be sent; an event has several.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("due_at", Timestamp, nullable=False, index=True),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("traceparent", sa.Text, nullable=False, server_default=""),
)
