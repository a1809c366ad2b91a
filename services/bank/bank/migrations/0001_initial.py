"""Intents, refunds, the append-only ledger, answers by key and webhooks to send."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Json, Timestamp
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None


def upgrade() -> None:
    create_kit_tables_v1()
    create_intents()
    create_refunds()
    create_ledger()
    create_answers()
    create_deliveries()


def create_intents() -> None:
    op.create_table(
        "intents",
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


def create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payment_intent", sa.Text, sa.ForeignKey("intents.id"), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.CheckConstraint("amount > 0", name="refunds_amount_positive"),
    )
    op.create_index("refunds_intent", "refunds", ["payment_intent"])


def create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("payment_intent", sa.Text, sa.ForeignKey("intents.id"), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.UniqueConstraint("cause", name="ledger_cause_once"),
    )
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER ledger_no_{change.lower()} BEFORE {change} ON ledger "
            "BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
        )


def create_answers() -> None:
    op.create_table(
        "answers",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
    )
    op.create_index("answers_created", "answers", ["created_at"])


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("due_at", Timestamp, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("deliveries_due", "deliveries", ["due_at"])
