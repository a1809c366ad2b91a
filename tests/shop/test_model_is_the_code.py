"""The explored model and the services' own rules are the same."""

from __future__ import annotations

from typing import Any

import pytest
from tests.shop.model import ACCEPTED, GIVEN_UP, PENDING, M, Stock, stock_steps
from tests.shop.model_payment import Payment, payment_steps

import catalog.domain
import payments.domain
from catalog.domain import Command, Hold
from orders import messages
from orders.domain import FINAL, NEXT, Cancel, Purchase, State, pending
from orders.messages import Line
from payments.domain import Status
from shopkit.saga import Deadline

ID = "00000000-0000-7000-8000-000000000001"
PURCHASE = Purchase("anna", "card", 900, "EUR", (Line(sku="tea", quantity=2),))


def test_the_saga_accepts_what_the_model_accepts() -> None:
    replies = {
        (state, message.name): new
        for state, accepted in ACCEPTED.items()
        for message, new in accepted.items()
    }
    wishes = {
        (state, wish): new for state, new in GIVEN_UP.items() for wish in ("Cancel", "Deadline")
    }
    # The same state again, with another address of the bank's page: nothing for the model.
    new_url = {("PAYMENT_ACTION", "ActionRequired"): "PAYMENT_ACTION"}
    saga = {(str(state), kind.__name__): str(new) for (state, kind), new in NEXT.items()}
    assert saga == replies | wishes | new_url


@pytest.mark.parametrize("state", State)
def test_the_saga_sends_what_the_model_sends(state: State) -> None:
    send = pending(state, ID, PURCHASE)
    assert (send.body.type_name() if send else None) == (PENDING[state].name or None)
    assert (send is None) == (state in FINAL)


def test_the_model_knows_every_message_and_wish() -> None:
    replies = {reply.__name__ for reply in messages.REPLIES}
    commands = {PENDING[state].name for state in State if state not in FINAL}
    assert {message.name for message in M} == replies | commands
    assert {Cancel, Deadline} == {kind for _, kind in NEXT if kind not in messages.REPLIES}


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize("hold", [None, *Hold])
def test_catalog_does_what_the_model_does(command: Command, hold: Hold | None) -> None:
    stock = Stock(hold or "NONE", arrived=True)
    steps = stock_steps("")(stock)
    modelled = {(s.new.row, s.adds.name) for s in steps if s.needs is M[command]}
    try:
        new = catalog.domain.after(command, hold) or hold
    except catalog.domain.InvariantViolation:
        new = None  # a dead letter: no change, no answer
    if new is None:
        assert all(adds is None and row == (hold or "NONE") for row, adds in modelled)
    else:
        assert modelled == {(str(new), str(catalog.domain.reply(command, new)))}


ROWS = {"OPEN": Status.STARTED} | {name: Status[name] for name in Status.__members__}


def payment(row: str) -> payments.domain.Payment:
    fields: dict[str, Any] = {"id": ID, "order_id": ID, "amount": 2, "currency": "EUR"}
    return payments.domain.Payment(status=ROWS[row], **fields)


@pytest.mark.parametrize("row", ["OPEN", "ACTION", "CHARGED", "DECLINED", "VOID"])
def test_payments_answers_as_the_model_does(row: str) -> None:
    steps = list(payment_steps("")(Payment(row=row, intent=1, bank=("ACTION",))))
    charge = {s.adds.name for s in steps if s.needs is M.ChargePayment}
    cancel = {s.adds.name for s in steps if s.needs is M.CancelCharge}
    reply = payments.domain.charge_reply(payment(row))
    assert charge <= {reply and str(reply)}
    assert (cancel == {"ChargeCancelled"}) == payments.domain.cancelled(payment(row), ())
