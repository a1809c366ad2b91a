"""Products, stock, reservations and the append-only stock movements."""

import sqlalchemy as sa

from shopkit.db import Id, Timestamp

metadata = sa.MetaData()

products = sa.Table(
    "products",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("price", sa.Integer, nullable=False),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("image", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
)

# What is on the shelf, and how much of it is promised to orders.
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("on_hand", sa.Integer, nullable=False),
    sa.Column("held", sa.Integer, nullable=False),
)

# One row per order for ever: every reply is derived from it.
reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("rejected_sku", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
)

reservation_lines = sa.Table(
    "reservation_lines",
    metadata,
    sa.Column("order_id", Id, sa.ForeignKey("reservations.order_id"), primary_key=True),
    sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("quantity", sa.Integer, nullable=False),
)

# `cause_id` is the command or adjustment: it changes each stock row once.
stock_movements = sa.Table(
    "stock_movements",
    metadata,
    sa.Column("cause_id", Id, primary_key=True),
    sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
    sa.Column("on_hand", sa.Integer, nullable=False),
    sa.Column("held", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", Timestamp, nullable=False),
)
