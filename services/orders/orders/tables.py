"""Carts, orders with the prices they were promised, and timelines; the sagas are the kit's."""

import sqlalchemy as sa

from shopkit.db import Id, Timestamp

metadata = sa.MetaData()

# One row per user who ever had a cart or an order: what concerns them all locks it.
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("user_id", Id, primary_key=True),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("erasing_since", Timestamp),
    sa.Column("erased_at", Timestamp),
)

cart_lines = sa.Table(
    "cart_lines",
    metadata,
    sa.Column("user_id", Id, sa.ForeignKey("customers.user_id"), primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("customers.user_id"), nullable=False),
    sa.Column("quote_id", Id, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("action_url", sa.Text),
    sa.Column("cancel_reason", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
)

order_lines = sa.Table(
    "order_lines",
    metadata,
    sa.Column("order_id", Id, sa.ForeignKey("orders.id"), primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("unit_price", sa.BigInteger, nullable=False),
)

# `number` counts from 1 within an order; it is the id of the server-sent event.
timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("order_id", Id, sa.ForeignKey("orders.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", Timestamp, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
)
