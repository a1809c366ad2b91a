"""The bank's durable record. Money moves only together with a row in `ledger`."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData()

intents = Table(
    "intents",
    metadata,
    Column("id", String, primary_key=True),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("payment_method", String, nullable=False),
    Column("status", String, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("return_url", String),
    Column("decline_code", String),
    Column("created", Integer, nullable=False),
    CheckConstraint("amount > 0", name="intents_amount_positive"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", String, primary_key=True),
    Column("payment_intent", ForeignKey("intents.id"), nullable=False, index=True),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("created", Integer, nullable=False),
    CheckConstraint("amount > 0", name="refunds_amount_positive"),
)

# One line per movement of money; `cause` is the id of the intent or refund that moved it.
ledger = Table(
    "ledger",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("cause", String, nullable=False),
    Column("payment_intent", ForeignKey("intents.id"), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created", Integer, nullable=False),
    UniqueConstraint("cause", name="ledger_cause_once"),
)

answers = Table(
    "answers",
    metadata,
    Column("key", String, primary_key=True),
    Column("fingerprint", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created", Integer, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("event_id", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("due_at", Float, nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
)
