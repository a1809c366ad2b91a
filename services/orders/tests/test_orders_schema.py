import sqlalchemy as sa

from orders.tables import metadata
from shopkit.app import Service


async def test_the_migrations_make_the_tables_that_the_code_uses(orders: Service) -> None:
    def columns(connection: sa.Connection) -> dict[str, set[tuple[str, bool]]]:
        inspector = sa.inspect(connection)
        return {
            table: {(c["name"], c["nullable"]) for c in inspector.get_columns(table)}
            for table in metadata.tables
        }

    async with orders.db.read() as tx:
        migrated = await tx.connection.run_sync(columns)
    assert migrated == {
        name: {(c.name, bool(c.nullable)) for c in table.columns}
        for name, table in metadata.tables.items()
    }
