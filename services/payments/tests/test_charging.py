from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from bank.tables import answers, intents
from payments.domain import payment_id
from payments.tables import ledger, payment_methods, payments
from shopkit.testing import until

Town = Any
USER = "00000000-0000-7000-8000-000000000001"


async def row(town: Town, order_id: str) -> Any:
    query = sa.select(payments).where(payments.c.order_id == order_id)
    async with town.payments.db.read() as tx:
        return await tx.one(query)


async def test_a_good_card_is_charged_once_and_booked(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method())
    charged = {"payment_id": payment_id(order_id), "amount": 500, "currency": "EUR"}
    assert await town.heard() == ("Charged", {"order_id": order_id, **charged})
    assert await town.bank_ledger() == [("charge", 500)]
    async with town.payments.db.read() as tx:
        lines = await tx.all(sa.select(ledger.c.account, ledger.c.amount))
    assert sorted(lines) == [("bank", 500), ("sales", -500)]


async def test_no_money_moves_before_the_intent_is_stored(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method())
    await town.heard()
    stored = (await row(town, order_id)).intent_id
    async with town.bank.db.read() as tx:
        known = await tx.one(sa.select(intents.c.id, intents.c.metadata))
    assert (known.id, known._mapping["metadata"]["order_id"]) == (stored, order_id)


async def test_a_declined_card_is_declined(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method("tok_declined"))
    assert await town.heard() == ("Declined", {"order_id": order_id, "reason": "card_declined"})
    assert await town.bank_ledger() == []


async def test_a_token_the_bank_does_not_know_is_declined(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method("tok_of_another_bank"))
    assert await town.heard() == ("Declined", {"order_id": order_id, "reason": "resource_missing"})


@pytest.mark.parametrize("whose", ["missing", "foreign", "deleted", "no uuid"])
async def test_a_method_that_is_not_the_customers_is_declined(
    town: Town, order_id: str, whose: str
) -> None:
    method = {"missing": str(uuid4()), "no uuid": "card"}.get(whose)
    method = method or await town.method(user=str(uuid4()) if whose == "foreign" else USER)
    if whose == "deleted":
        async with town.payments.db.transaction("delete") as tx:
            gone = sa.update(payment_methods).values(deleted_at=tx.clock.now())
            await tx.execute(gone)
    await town.charge(order_id, method)
    declined = {"order_id": order_id, "reason": "payment-method-unknown"}
    assert await town.heard() == ("Declined", declined)
    assert town.hosts.heard == []


@pytest.mark.parametrize(
    "token", ["tok_slow", "tok_timeout_after_charge", "tok_error_after_charge"]
)
async def test_an_unknown_outcome_is_looked_up_never_taken_for_a_failure(
    town: Town, order_id: str, token: str
) -> None:
    await town.charge(order_id, await town.method(token))
    assert (await town.heard())[0] == "Charged"
    assert await town.bank_ledger() == [("charge", 500)]


async def test_a_bank_that_is_down_leaves_the_payment_open(town: Town, order_id: str) -> None:
    town.close_bank()
    await town.charge(order_id, await town.method())

    async def tried() -> bool:
        found = await row(town, order_id)
        return found is not None and found.attempt >= 2

    await until(tried, 20)
    assert (await row(town, order_id)).status == "STARTED"
    assert town.payments.world.broker.waiting() == 0
    town.open_bank()
    assert (await town.heard())[0] == "Charged"
    assert await town.bank_ledger() == [("charge", 500)]


async def test_a_duplicate_charge_is_answered_again_and_charged_once(
    town: Town, order_id: str
) -> None:
    """Rule d."""
    method = await town.method()
    for attempt in (1, 2, 3):
        await town.charge(order_id, method, attempt=attempt)
        assert (await town.heard())[0] == "Charged"
    assert await town.bank_ledger() == [("charge", 500)]


async def test_a_bank_that_forgot_its_keys_still_charges_once(town: Town, order_id: str) -> None:
    """The intent that the first create left is never confirmed."""
    points = town.payments.world.points
    points.arm("payments.create_intent.after_call")
    await town.charge(order_id, await town.method())
    await until(lambda: points.fired, 20)
    async with town.bank.db.transaction("forget") as tx:
        await tx.execute(sa.delete(answers))
    await town.restart()
    await free(town)
    assert (await town.heard())[0] == "Charged"
    async with town.bank.db.read() as tx:
        states = await tx.all(sa.select(intents.c.status).order_by(intents.c.id))
    assert sorted(state for (state,) in states) == ["requires_confirmation", "succeeded"]
    assert await town.bank_ledger() == [("charge", 500)]


CRASHES = [
    f"payments.{step}.{moment}_{effect}"
    for step, effect in [
        ("charge_payment", "commit"),
        ("payment_lease", "commit"),
        ("create_intent", "call"),
        ("payment_created", "commit"),
        ("confirm_intent", "call"),
        ("payment_settled", "commit"),
        ("charged", "publish"),
    ]
    for moment in ("before", "after")
]


async def free(town: Town) -> None:
    """As if the dead worker's lease had run out."""
    async with town.payments.db.transaction("lease_over") as tx:
        await tx.execute(sa.update(payments).values(lease_until=None, lease_token=None))


@pytest.mark.parametrize("point", CRASHES)
async def test_a_crash_at_any_step_charges_once(town: Town, order_id: str, point: str) -> None:
    points = town.payments.world.points
    method = await town.method()
    points.arm(point)
    await town.charge(order_id, method)
    await until(lambda: points.fired, 20)
    await town.restart()
    await free(town)
    await town.charge(order_id, method, attempt=2)
    assert (await town.heard())[0] == "Charged"
    assert await town.bank_ledger() == [("charge", 500)]
    async with town.payments.db.read() as tx:
        assert await tx.scalar(sa.select(sa.func.sum(ledger.c.amount))) == 0
        assert await tx.scalar(sa.select(sa.func.count()).select_from(ledger)) == 2


async def test_the_ledger_cannot_be_rewritten(town: Town, order_id: str) -> None:
    await town.charge(order_id, await town.method())
    await town.heard()
    for statement in (sa.update(ledger).values(amount=0), sa.delete(ledger)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with town.payments.db.transaction("tamper") as tx:
                await tx.execute(statement)
