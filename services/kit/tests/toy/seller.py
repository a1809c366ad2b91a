"""The participant: one handler that answers at once, one whose worker answers after a call."""

import asyncio

import sqlalchemy as sa
from services.kit.tests.toy.messages import Held, Hold, Paid, Pay, Refused, Release, Released
from services.kit.tests.toy.tables import holds, payments, stock

from shopkit import outbox
from shopkit.app import Service, World
from shopkit.client import Unreachable
from shopkit.db import Tx
from shopkit.messages import Body, Command, ReplyAddress
from shopkit.settings import Settings

SKU = "thing"


async def hold(tx: Tx, command: Command[Hold]) -> None:
    left = sa.and_(stock.c.sku == SKU, stock.c.free > 0)
    row = {"order_id": command.body.order_id, "status": "REFUSED"}
    if not await tx.insert_new(holds, row):
        return
    taken = await tx.execute(sa.update(stock).where(left).values(free=stock.c.free - 1))
    if taken.rowcount:
        await _set_status(tx, command.body.order_id, "HELD")


async def release(tx: Tx, command: Command[Release]) -> None:
    row = {"order_id": command.body.order_id, "status": "RELEASED"}
    if await tx.insert_new(holds, row):
        return
    mine = sa.and_(holds.c.order_id == command.body.order_id, holds.c.status == "HELD")
    freed = await tx.execute(sa.update(holds).where(mine).values(status="RELEASED"))
    if freed.rowcount:
        await tx.execute(sa.update(stock).where(stock.c.sku == SKU).values(free=stock.c.free + 1))


async def _set_status(tx: Tx, order_id: str, status: str) -> None:
    mine = holds.c.order_id == order_id
    await tx.execute(sa.update(holds).where(mine).values(status=status))


async def hold_reply(tx: Tx, command: Command[Hold]) -> Body | None:
    order_id = command.body.order_id
    status = await tx.scalar(sa.select(holds.c.status).where(holds.c.order_id == order_id))
    return Held(order_id=order_id) if status == "HELD" else Refused(order_id=order_id)


async def release_reply(tx: Tx, command: Command[Release]) -> Body | None:
    return Released(order_id=command.body.order_id)


async def pay(tx: Tx, command: Command[Pay]) -> None:
    row = {"order_id": command.body.order_id, "status": "OPEN", "attempt": command.attempt}
    await tx.insert_new(payments, row)


async def payment_reply(tx: Tx, command: Command[Pay]) -> Body | None:
    """None while the payment is open: the worker answers."""
    order_id = command.body.order_id
    status = await tx.scalar(sa.select(payments.c.status).where(payments.c.order_id == order_id))
    return Paid(order_id=order_id) if status == "PAID" else None


def create_app(settings: Settings, world: World | None = None) -> Service:
    service = Service(
        "seller", settings, world, package="services.kit.tests.toy", schema=2, version="1"
    )
    bank = service.client("bank", "http://bank", deadline=1)

    async def settle() -> None:
        async with service.db.read() as tx:
            rows = await tx.all(sa.select(payments).where(payments.c.status == "OPEN"))
        for row in rows:
            await settle_one(row.order_id, row.attempt)

    async def settle_one(order_id: str, attempt: int) -> None:
        try:
            await bank.call("POST", f"/charge/{order_id}", operation="charge", idempotent=True)
        except Unreachable:
            return
        async with service.db.transaction("settle") as tx:
            mine = sa.and_(payments.c.order_id == order_id, payments.c.status == "OPEN")
            await tx.execute(sa.update(payments).where(mine).values(status="PAID"))
            address = ReplyAddress.of(
                to="buyer", correlation_id=order_id, target="seller", command="Pay", attempt=attempt
            )
            await outbox.reply(tx, address, Paid(order_id=order_id))

    worker = service.every("settle", settings.relay_poll, settle)

    async def pay_and_wake(tx: Tx, command: Command[Pay]) -> None:
        await pay(tx, command)
        tx.after_commit(worker.wake)

    service.on_command(Hold, do=hold, answer=hold_reply)
    service.on_command(Release, do=release, answer=release_reply)
    service.on_command(Pay, do=pay_and_wake, answer=payment_reply)
    return service


async def restock(service: Service, free: int) -> None:
    async with service.db.transaction("restock") as tx:
        await tx.insert_new(stock, {"sku": SKU, "free": free})


async def hold_statuses(service: Service) -> dict[str, str]:
    async with service.db.read() as tx:
        return {row.order_id: row.status for row in await tx.all(sa.select(holds))}


async def free_stock(service: Service) -> int:
    async with service.db.read() as tx:
        return int(await tx.scalar(sa.select(stock.c.free)))


async def never(_: asyncio.Event) -> None:
    """A worker with nothing to do."""
