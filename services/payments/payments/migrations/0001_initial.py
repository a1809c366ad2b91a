"""Payment methods, payments, refunds and the append-only ledger."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Id, Timestamp
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None


# What was booked is corrected by another entry, never by a change.
APPEND_ONLY = {
    "postgresql": [
        """
        CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ledger is append-only'; END $$
        """,
        """
        CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger
        FOR EACH ROW EXECUTE FUNCTION ledger_append_only()
        """,
    ],
    "sqlite": [
        f"""
        CREATE TRIGGER ledger_no_{change.lower()} BEFORE {change} ON ledger
        BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END
        """
        for change in ("UPDATE", "DELETE")
    ],
}


def upgrade() -> None:
    create_kit_tables_v1()
    create_payment_methods()
    create_payments()
    create_refunds()
    create_ledger()


def create_payment_methods() -> None:
    op.create_table(
        "payment_methods",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("deleted_at", Timestamp),
    )
    op.create_index("payment_methods_user", "payment_methods", ["user_id"])


def create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("id", Id, primary_key=True),
        sa.Column("order_id", Id, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("user_id", Id),
        sa.Column("token", sa.Text),
        sa.Column("amount", sa.Integer),
        sa.Column("currency", sa.String(3)),
        sa.Column("intent_id", sa.Text),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("action_url", sa.Text),
        sa.Column("reply_to", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        *work_columns(),
        sa.UniqueConstraint("order_id", name="payments_order_once"),
        sa.CheckConstraint(
            "status IN ('STARTED', 'CREATED', 'ACTION', 'CHARGED', 'DECLINED', 'VOID')",
            name="payments_status",
        ),
        # A tombstone knows only its order; whatever may still move money knows everything.
        sa.CheckConstraint(
            "status = 'VOID' OR (amount > 0 AND currency IS NOT NULL AND user_id IS NOT NULL)",
            name="payments_complete",
        ),
    )
    op.create_index("payments_due", "payments", ["next_attempt_at"], **open_rows())
    op.create_index("payments_intent", "payments", ["intent_id"])


def create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", Id, primary_key=True),
        sa.Column("payment_id", Id, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        *work_columns(),
        sa.CheckConstraint("amount > 0", name="refunds_amount_positive"),
        sa.CheckConstraint("cause IN ('COMPENSATION', 'MERCHANT')", name="refunds_cause"),
        sa.CheckConstraint("status IN ('PENDING', 'SUCCEEDED', 'FAILED')", name="refunds_status"),
    )
    op.create_index("refunds_due", "refunds", ["next_attempt_at"], **open_rows())
    op.create_index("refunds_payment", "refunds", ["payment_id"])


def create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("cause_id", Id, primary_key=True),
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("payment_id", Id, sa.ForeignKey("payments.id"), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
    )
    op.create_index("ledger_payment", "ledger", ["payment_id"])
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def work_columns() -> list[sa.Column]:
    return [
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", Timestamp),
        sa.Column("lease_token", sa.Text),
        sa.Column("lease_until", Timestamp),
    ]


def open_rows() -> dict[str, sa.TextClause]:
    where = sa.text("next_attempt_at IS NOT NULL")
    return {"postgresql_where": where, "sqlite_where": where}
