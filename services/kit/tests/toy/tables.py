"""Both toys use one schema, each in a database of its own."""

import sqlalchemy as sa

from shopkit.db import Id

metadata = sa.MetaData()
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("free", sa.Integer, nullable=False),
)
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
)
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("order_id", Id, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
)
timeline = sa.Table(
    "timeline",
    metadata,
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("order_id", Id, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("state", sa.Text),
)
