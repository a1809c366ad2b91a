from typing import Any

import pytest
import sqlalchemy as sa

from bank.tables import answers
from payments.tables import ledger, payments, refunds
from shopkit.testing import until

Town = Any


async def status(town: Town, order_id: str) -> str | None:
    query = sa.select(payments.c.status).where(payments.c.order_id == order_id)
    async with town.payments.db.read() as tx:
        value: str | None = await tx.scalar(query)
    return value


async def made_refunds(town: Town) -> list[tuple[str, int, str]]:
    shown = sa.select(refunds.c.cause, refunds.c.amount, refunds.c.status)
    async with town.payments.db.read() as tx:
        return [tuple(row) for row in await tx.all(shown.order_by(refunds.c.created_at))]


async def charged(town: Town, order_id: str, token: str = "tok_ok") -> None:
    await town.charge(order_id, await town.method(token))
    assert (await town.heard())[0] == "Charged"


def cancelled(order_id: str, refunded: int) -> tuple[str, dict[str, Any]]:
    return "ChargeCancelled", {"order_id": order_id, "refunded": refunded}


async def test_a_charge_that_comes_after_its_cancel_moves_nothing(
    town: Town, order_id: str
) -> None:
    """The tombstone."""
    await town.cancel(order_id)
    assert await town.heard() == cancelled(order_id, 0)
    await town.charge(order_id, await town.method())
    assert await town.heard() == ("Declined", {"order_id": order_id, "reason": "cancelled"})
    assert (await status(town, order_id), town.hosts.heard) == ("VOID", [])


async def test_a_declined_payment_is_cancelled_at_once(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method("tok_declined"))
    await town.heard()
    await town.cancel(order_id)
    assert await town.heard() == cancelled(order_id, 0)


async def test_a_charged_payment_is_given_back_before_the_answer(town: Town, order_id: str) -> None:
    await charged(town, order_id)
    await town.cancel(order_id)
    assert await town.heard() == cancelled(order_id, 500)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]
    async with town.payments.db.read() as tx:
        booked = await tx.all(
            sa.select(ledger.c.account, sa.func.sum(ledger.c.amount)).group_by(ledger.c.account)
        )
    assert sorted(booked) == [("bank", 0), ("refunds", 500), ("sales", -500)]


async def test_a_duplicate_cancel_is_answered_again_and_refunded_once(
    town: Town, order_id: str
) -> None:
    """Rule d."""
    await charged(town, order_id)
    for attempt in (1, 2, 3):
        await town.cancel(order_id, attempt)
        assert await town.heard() == cancelled(order_id, 500)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]


async def test_while_the_refund_is_open_there_is_no_answer(town: Town, order_id: str) -> None:
    await charged(town, order_id)
    town.close_bank()
    await town.cancel(order_id)

    async def tried() -> bool:
        async with town.payments.db.read() as tx:
            return bool(await tx.scalar(sa.select(refunds.c.attempt)) or 0)

    await until(tried, 20)
    assert town.payments.world.broker.waiting() == 0
    town.open_bank()
    assert await town.heard() == cancelled(order_id, 500)


async def test_a_failed_compensation_is_tried_until_it_succeeds(town: Town, order_id: str) -> None:
    await charged(town, order_id, "tok_refund_fails_once")
    await town.cancel(order_id)
    assert await town.heard() == cancelled(order_id, 500)
    assert await made_refunds(town) == [
        ("COMPENSATION", 500, "FAILED"),
        ("COMPENSATION", 500, "SUCCEEDED"),
    ]
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]


async def test_a_cancel_while_the_bank_is_down_waits_for_the_banks_word(
    town: Town, order_id: str
) -> None:
    """The intent may have been confirmed: it is cancelled at the bank, not only here."""
    town.payments.world.points.arm("payments.confirm_intent.before_call")
    await town.charge(order_id, await town.method())
    await until(lambda: town.payments.world.points.fired, 20)
    town.close_bank()
    await town.restart()
    await town.cancel(order_id)

    async def flagged() -> bool:
        async with town.payments.db.read() as tx:
            return bool(await tx.scalar(sa.select(payments.c.cancel_requested)))

    await until(flagged, 20)
    async with town.payments.db.transaction("lease_over") as tx:
        await tx.execute(sa.update(payments).values(lease_until=None))
    assert await status(town, order_id) == "CREATED"
    assert town.payments.world.broker.waiting() == 0
    town.open_bank()
    assert await town.heard() == cancelled(order_id, 0)
    assert (await status(town, order_id), await town.bank_ledger()) == ("VOID", [])


async def test_a_cancel_during_a_slow_confirm_ends_without_money(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method("tok_slow"))

    async def confirming() -> bool:
        return any(path.endswith("/confirm") for _, path in town.hosts.heard)

    await until(confirming, 20)
    await town.cancel(order_id)
    heard = await town.heard()
    # Under load the confirm may win: then its answer comes first, and is ignored by the saga.
    assert cancelled(order_id, 500) in (heard, heard[0] == "Charged" and await town.heard())
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]


async def test_a_cancel_without_an_intent_is_void_without_a_call(town: Town, order_id: str) -> None:
    town.close_bank()
    await town.charge(order_id, await town.method())

    async def stored() -> bool:
        return await status(town, order_id) == "STARTED"

    await until(stored, 20)
    await town.cancel(order_id)
    assert await town.heard() == cancelled(order_id, 0)
    assert await status(town, order_id) == "VOID"


@pytest.mark.parametrize(
    "point",
    [
        f"payments.{step}.{moment}_{effect}"
        for step, effect in [
            ("cancel_charge", "commit"),
            ("create_refund", "call"),
            ("refund_settled", "commit"),
            ("charge_cancelled", "publish"),
        ]
        for moment in ("before", "after")
    ],
)
async def test_a_crash_at_any_step_refunds_once(town: Town, order_id: str, point: str) -> None:
    await charged(town, order_id)
    points = town.payments.world.points
    points.arm(point)
    await town.cancel(order_id)
    await until(lambda: points.fired, 20)
    await town.restart()
    async with town.payments.db.transaction("lease_over") as tx:
        await tx.execute(sa.update(refunds).values(lease_until=None, lease_token=None))
    await town.cancel(order_id, attempt=2)
    assert await town.heard() == cancelled(order_id, 500)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]


async def test_refunds_are_listed_before_a_retry(town: Town, order_id: str) -> None:
    """The bank may have forgotten the key by then."""
    await charged(town, order_id)
    points = town.payments.world.points
    points.arm("payments.create_refund.after_call")
    await town.cancel(order_id)
    await until(lambda: points.fired, 20)
    async with town.bank.db.transaction("forget") as tx:
        await tx.execute(sa.delete(answers))
    await town.restart()
    async with town.payments.db.transaction("lease_over") as tx:
        await tx.execute(sa.update(refunds).values(lease_until=None, lease_token=None))
    assert await town.heard() == cancelled(order_id, 500)
    assert await town.bank_ledger() == [("charge", 500), ("refund", -500)]
