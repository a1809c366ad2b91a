"""Customers, carts, orders and timelines."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Id, Timestamp
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None

STATES = (
    "'RESERVING', 'CHARGING', 'PAYMENT_ACTION', 'VOIDING', 'RELEASING', 'CONFIRMED', "
    "'COMPLETED', 'REJECTED', 'CANCELLED'"
)


def upgrade() -> None:
    create_kit_tables_v1()
    create_carts()
    create_orders()
    create_timeline()


def create_carts() -> None:
    op.create_table(
        "customers",
        sa.Column("user_id", Id, primary_key=True),
        sa.Column("created_at", Timestamp, nullable=False),
    )
    op.create_table(
        "cart_lines",
        sa.Column("user_id", Id, sa.ForeignKey("customers.user_id"), primary_key=True),
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity BETWEEN 1 AND 99", name="cart_lines_quantity"),
    )


def create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", Id, primary_key=True),
        sa.Column("user_id", Id, sa.ForeignKey("customers.user_id"), nullable=False),
        sa.Column("quote_id", Id, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("action_url", sa.Text),
        sa.Column("cancel_reason", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.CheckConstraint(f"state IN ({STATES})", name="orders_state"),
        sa.CheckConstraint("total > 0", name="orders_total_positive"),
        sa.UniqueConstraint("quote_id", name="orders_quote"),
    )
    op.create_index("orders_of_user", "orders", ["user_id", "id"])
    op.create_table(
        "order_lines",
        sa.Column("order_id", Id, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price", sa.BigInteger, nullable=False),
        sa.CheckConstraint("quantity > 0 AND unit_price >= 0", name="order_lines_positive"),
    )


def create_timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("order_id", Id, sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", Timestamp, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
