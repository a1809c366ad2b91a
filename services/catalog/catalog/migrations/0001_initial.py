"""Products with full-text search, stock, reservations and stock movements."""

import sqlalchemy as sa
from alembic import op

from shopkit.db import Id, Timestamp
from shopkit.schema import create_kit_tables_v1

revision, down_revision = "1", None

SEARCH = {
    "postgresql": [
        """
        ALTER TABLE products ADD COLUMN search tsvector GENERATED ALWAYS AS (
            to_tsvector('simple', title || ' ' || category || ' ' || description)
        ) STORED
        """,
        "CREATE INDEX products_search ON products USING gin (search)",
    ],
    "sqlite": [
        "CREATE VIRTUAL TABLE products_fts USING fts5(sku UNINDEXED, title, category, description)",
        """
        CREATE TRIGGER products_fts_insert AFTER INSERT ON products BEGIN
            INSERT INTO products_fts (sku, title, category, description)
            VALUES (new.sku, new.title, new.category, new.description);
        END
        """,
        """
        CREATE TRIGGER products_fts_update AFTER UPDATE ON products BEGIN
            UPDATE products_fts SET title = new.title, category = new.category,
                description = new.description WHERE sku = old.sku;
        END
        """,
    ],
}

# What happened to the stock is corrected by another movement, never by a change.
APPEND_ONLY = {
    "postgresql": [
        """
        CREATE FUNCTION movements_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'stock_movements is append-only'; END $$
        """,
        """
        CREATE TRIGGER movements_append_only BEFORE UPDATE OR DELETE ON stock_movements
        FOR EACH ROW EXECUTE FUNCTION movements_append_only()
        """,
    ],
    "sqlite": [
        f"""
        CREATE TRIGGER movements_no_{change.lower()} BEFORE {change} ON stock_movements
        BEGIN SELECT RAISE(ABORT, 'stock_movements is append-only'); END
        """
        for change in ("UPDATE", "DELETE")
    ],
}


def upgrade() -> None:
    create_kit_tables_v1()
    create_products()
    create_stock()
    create_reservations()
    create_movements()
    dialect = op.get_bind().dialect.name
    for statement in SEARCH[dialect] + APPEND_ONLY[dialect]:
        op.execute(statement)


def create_products() -> None:
    op.create_table(
        "products",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("price", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("image", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.CheckConstraint("price > 0", name="products_price_positive"),
    )
    for order in (["title", "sku"], ["price", "sku"], ["category", "sku"]):
        op.create_index(f"products_{order[0]}", "products", order)


def create_stock() -> None:
    op.create_table(
        "stock",
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
        sa.Column("on_hand", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.CheckConstraint("0 <= held AND held <= on_hand", name="stock_never_oversold"),
    )


def create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", Id, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("rejected_sku", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", Timestamp, nullable=False),
        sa.Column("updated_at", Timestamp, nullable=False),
        sa.CheckConstraint(
            "status IN ('HELD', 'REJECTED', 'RELEASED', 'COMMITTED')", name="reservations_status"
        ),
    )
    op.create_table(
        "reservation_lines",
        sa.Column("order_id", Id, sa.ForeignKey("reservations.order_id"), primary_key=True),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.CheckConstraint("quantity > 0", name="reservation_lines_positive"),
    )


def create_movements() -> None:
    op.create_table(
        "stock_movements",
        sa.Column("cause_id", Id, primary_key=True),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
        sa.Column("on_hand", sa.Integer, nullable=False),
        sa.Column("held", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", Timestamp, nullable=False),
    )
    op.create_index("stock_movements_sku", "stock_movements", ["sku"])
