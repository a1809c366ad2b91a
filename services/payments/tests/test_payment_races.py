"""Two replicas on one PostgreSQL, whose leases run out while they work."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from payments.app import create_app
from payments.settings import PaymentsSettings
from payments.tables import ledger, payments, refunds
from shopkit.testing import running, until

Town = Any


@pytest.fixture
def payments_settings(payments_settings: PaymentsSettings, postgres_url: str) -> PaymentsSettings:
    """Leases far shorter than the bank's slowest answer: every worker may be a stale one."""
    return payments_settings.model_copy(
        update={
            "database_url": SecretStr(postgres_url),
            "payment_lease": 0.05,
            "payment_poll": 0.02,
        }
    )


async def sums(town: Town) -> dict[str, int]:
    query = sa.select(ledger.c.account, sa.func.sum(ledger.c.amount)).group_by(ledger.c.account)
    async with town.payments.db.read() as tx:
        return {account: int(amount) for account, amount in await tx.all(query)}


async def test_stale_workers_charge_every_order_once(
    town: Town, payments_settings: PaymentsSettings
) -> None:
    tokens = ["tok_ok", "tok_slow", "tok_error_after_charge", "tok_ok"] * 3
    methods = [await town.method(token) for token in tokens]
    async with running(create_app(payments_settings, town.payments.world)):
        for method in methods:
            await town.charge(str(uuid4()), method)
        heard = await town.orders.hear(len(methods))
    assert {type for type, _ in heard} == {"Charged"}
    assert await town.bank_ledger() == [("charge", 500)] * len(methods)
    assert await sums(town) == {"bank": 500 * len(methods), "sales": -500 * len(methods)}


async def test_cancels_racing_charges_leave_no_money(
    town: Town, payments_settings: PaymentsSettings
) -> None:
    tokens = ["tok_ok", "tok_slow", "tok_refund_fails_once", "tok_requires_action"] * 3
    orders = {str(uuid4()): await town.method(token) for token in tokens}
    async with running(create_app(payments_settings, town.payments.world)):
        for order_id, method in orders.items():
            await town.charge(order_id, method)
            await town.cancel(order_id)

        async def settled() -> bool:
            return await open_rows(town) == 0 and await known(town) == len(orders)

        await until(settled, 60)
    assert sum(amount for _, amount in await town.bank_ledger()) == 0
    assert (await sums(town)).get("bank", 0) == 0


async def open_rows(town: Town) -> int:
    async with town.payments.db.read() as tx:
        due = [
            await tx.scalar(sa.select(sa.func.count()).where(table.c.next_attempt_at.is_not(None)))
            for table in (payments, refunds)
        ]
    return sum(due)


async def known(town: Town) -> int:
    """Payments that saw their cancel."""
    asked = sa.select(sa.func.count()).where(payments.c.cancel_requested)
    async with town.payments.db.read() as tx:
        return int(await tx.scalar(asked))
