"""Each rule of the payment and its bank switched off, and what has to notice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from tests.shop import hard_ways
from tests.shop.model import Rule
from tests.shop.mutant import Mutants, Patch

import payments.app
import payments.domain
from payments import handlers, leases
from payments.charging import Charging
from payments.domain import OPEN, Cause, IntentState, Outcome, Status, Step
from payments.messages import ChargeCancelled
from payments.provider import StripeProvider, Unresolved
from payments.refunding import Refunding

MUTANTS = Mutants()


@MUTANTS.without(
    Rule.PAYMENT_TOMBSTONE, hard_ways.charge_after_cancel, shows="I3 .* the bank keeps"
)
def a_cancel_that_came_first_leaves_no_row(patch: Patch) -> None:
    answer = payments.app.cancel_answer

    async def cancel(self: Any, tx: Any, command: Any) -> None:
        if payment := await handlers._flagged(tx, command.body.order_id):
            await handlers.store.compensate(tx, payment)
        tx.after_commit(self._wake)

    async def answered(tx: Any, command: Any) -> Any:
        nothing = ChargeCancelled(order_id=command.body.order_id, refunded=0)
        return await answer(tx, command) if await _row(tx, command) else nothing

    patch.setattr(handlers.Handlers, "cancel", cancel)
    patch.setattr(payments.app, "cancel_answer", answered)


async def _row(tx: Any, command: Any) -> Any:
    return await handlers.store.payment(tx, payments.domain.payment_id(command.body.order_id))


@MUTANTS.without(
    Rule.CREATE_THEN_CONFIRM, hard_ways.intent_forgotten, shows="I1 .* charged 2 times"
)
def an_intent_is_confirmed_before_it_is_stored(patch: Patch) -> None:
    create = Charging._create

    async def charge(self: Any, payment: Any) -> Any:
        intent = await create(self, payment)
        return await self._provider.confirm(intent.id, key=f"{payment.id}:confirm")

    patch.setattr(Charging, "_create", charge)


@MUTANTS.without(
    "the bank knows each call by its key", hard_ways.refund_overtaken, shows="I2 .* gave 600"
)
def the_bank_gets_no_key(patch: Patch) -> None:
    post = StripeProvider._post

    async def keyless(self: Any, operation: str, path: str, form: Any, _: Any) -> Any:
        return await post(self, operation, path, form, None)

    patch.setattr(StripeProvider, "_post", keyless)


@MUTANTS.without(Rule.ZERO_ROWS, hard_ways.intent_twice, shows="I1 .* charged 2 times")
def a_worker_whose_write_met_no_row_goes_on(patch: Patch) -> None:
    created = Charging._created

    async def stored(self: Any, payment: Any, lease: Any, intent: Any) -> Any:
        mine = replace(payment, status=Status.CREATED, intent_id=intent.id)
        return await created(self, payment, lease, intent) or mine

    patch.setattr(Charging, "_created", stored)


@MUTANTS.without(Rule.UNKNOWN_IS_OPEN, hard_ways.outcome_unknown, shows="I3 .* the bank keeps")
def an_unknown_outcome_is_a_failure(patch: Patch) -> None:
    finish = Charging._finish

    async def guessed(self: Any, payment: Any, lease: Any, step: Step) -> None:
        try:
            await finish(self, payment, lease, step)
        except Unresolved:
            await self._settle(payment, lease, Outcome(Status.DECLINED, reason="no answer"))

    patch.setattr(Charging, "_finish", guessed)


@MUTANTS.without(
    Rule.RESOLVE_FIRST, hard_ways.cancelled_during_the_call, shows="I3 .* the bank keeps"
)
def a_cancel_does_not_wait_for_the_open_call(patch: Patch) -> None:
    cancel, rows = handlers.Handlers.cancel, handlers.payments

    async def at_once(self: Any, tx: Any, command: Any) -> None:
        await cancel(self, tx, command)
        mine = sa.and_(rows.c.order_id == command.body.order_id, rows.c.status.in_(OPEN))
        void = {**leases.DONE, "status": Status.VOID.value}
        await tx.execute(sa.update(rows).where(mine).values(void))

    patch.setattr(handlers.Handlers, "cancel", at_once)


@MUTANTS.without(Rule.WAIT_FOR_REFUND, hard_ways.refund_under_way, shows="CANCELLED, money kept")
def a_refund_that_was_asked_for_is_given(patch: Patch) -> None:
    done = (Status.DECLINED, Status.VOID, Status.CHARGED)
    patch.setattr(payments.domain, "cancelled", lambda payment, _: payment.status in done)


@MUTANTS.without(
    Rule.CANCEL_AT_BANK, hard_ways.approved_after_the_cancel, shows="I3 .* the bank keeps"
)
def a_cancel_only_looks(patch: Patch) -> None:
    ask = Charging._ask

    async def look(self: Any, payment: Any, step: Step) -> Any:
        if step is not Step.CANCEL:
            return await ask(self, payment, step)
        intent = await self._provider.look(payment.intent_id)
        succeeded = intent.state is IntentState.SUCCEEDED
        return intent if succeeded else replace(intent, state=IntentState.CANCELED)

    patch.setattr(Charging, "_ask", look)


@MUTANTS.without(Rule.CANCEL_DECLINED, hard_ways.cancelled_when_declined, shows="stuck in VOIDING")
def a_declined_payment_is_not_cancelled(patch: Patch) -> None:
    cancelled = payments.domain.cancelled

    def charged_or_void(payment: Any, refunds: Any) -> bool:
        return payment.status is not Status.DECLINED and cancelled(payment, refunds)

    patch.setattr(payments.domain, "cancelled", charged_or_void)


@MUTANTS.without(Rule.LIST_REFUNDS, hard_ways.refund_unheard, shows="I2 .* gave 600 back")
def a_refund_is_tried_again_without_a_look(patch: Patch) -> None:
    made = Refunding._made

    async def blindly(self: Any, refund: Any, intent_id: str, *, retry: bool) -> Any:
        return await made(self, refund, intent_id, retry=False)

    patch.setattr(Refunding, "_made", blindly)


@MUTANTS.without(Rule.REST_ONLY, hard_ways.cancelled_after_a_refund, shows="stuck in VOIDING")
def a_compensation_is_the_whole_charge(patch: Patch) -> None:
    compensation = payments.domain.compensation

    def whole(payment: Any, refunds: Any) -> Any:
        return compensation(payment, [r for r in refunds if r.cause is Cause.COMPENSATION])

    patch.setattr(payments.domain, "compensation", whole)
