"""The saga, message by message: every state with every message has an expected result."""

from datetime import UTC, datetime

import pytest

from orders import domain, messages
from orders.domain import Cancel, Purchase, State
from orders.messages import Line
from shopkit.messages import Body
from shopkit.saga import Deadline, SagaState, Transition

ID = "00000000-0000-7000-8000-000000000001"
PURCHASE = Purchase("anna", "card", 900, "EUR", (Line(sku="tea", quantity=2),))

MESSAGES: dict[str, object] = {
    "Cancel": Cancel(),
    "Deadline": Deadline(),
    "StockReserved": messages.StockReserved(order_id=ID),
    "StockRejected": messages.StockRejected(order_id=ID, sku="tea", reason="out-of-stock"),
    "StockReleased": messages.StockReleased(order_id=ID),
    "StockCommitted": messages.StockCommitted(order_id=ID),
    "Charged": messages.Charged(order_id=ID, payment_id="p", amount=900, currency="EUR"),
    "Declined": messages.Declined(order_id=ID, reason="card_declined"),
    "ActionRequired": messages.ActionRequired(order_id=ID, url="https://bank/3ds"),
    "ChargeCancelled": messages.ChargeCancelled(order_id=ID, refunded=900),
}

# One column a message, in the order of MESSAGES; "." = ignored.
EXPECTED = """
                Cancel    Deadline  Reserved Rejected Released  Committed Charged   Declined  Action         Cancelled
RESERVING       RELEASING RELEASING CHARGING REJECTED .         .         .         .         .              .
CHARGING        VOIDING   VOIDING   .        .        .         .         CONFIRMED RELEASING PAYMENT_ACTION .
PAYMENT_ACTION  VOIDING   VOIDING   .        .        .         .         CONFIRMED RELEASING PAYMENT_ACTION .
VOIDING         .         .         .        .        .         .         .         .         .              RELEASING
RELEASING       .         .         .        .        CANCELLED .         .         .         .              .
CONFIRMED       .         .         .        .        .         COMPLETED .         .         .              .
COMPLETED       .         .         .        .        .         .         .         .         .              .
REJECTED        .         .         .        .        .         .         .         .         .              .
CANCELLED       .         .         .        .        .         .         .         .         .              .
"""  # noqa: E501

TABLE = {
    (State(row.split()[0]), message): next_state
    for row in EXPECTED.strip().splitlines()[1:]
    for message, next_state in zip(MESSAGES, row.split()[1:], strict=True)
}

SENDS = {
    State.RESERVING: ("catalog", messages.ReserveStock),
    State.CHARGING: ("payments", messages.ChargePayment),
    State.PAYMENT_ACTION: ("payments", messages.ChargePayment),
    State.VOIDING: ("payments", messages.CancelCharge),
    State.RELEASING: ("catalog", messages.ReleaseStock),
    State.CONFIRMED: ("catalog", messages.CommitStock),
}


def saga(state: State) -> SagaState:
    return SagaState(ID, state, PURCHASE.data(), datetime.now(UTC), None, None)


def after(state: State, message: str) -> Transition | None:
    return domain.decide(saga(state), MESSAGES[message])


def test_the_table_names_every_state_with_every_message() -> None:
    assert set(TABLE) == {(state, message) for state in State for message in MESSAGES}
    assert {type(message) for message in MESSAGES.values()} == {*messages.REPLIES, Cancel, Deadline}


@pytest.mark.parametrize(("state", "message"), TABLE, ids=str)
def test_a_message_moves_the_order_as_the_table_says(state: State, message: str) -> None:
    transition = after(state, message)
    assert (transition.state if transition else ".") == TABLE[state, message]


@pytest.mark.parametrize(("state", "message"), [pair for pair in TABLE if TABLE[pair] != "."])
def test_what_is_sent_belongs_to_the_new_state_alone(state: State, message: str) -> None:
    transition = after(state, message)
    assert transition is not None
    sent = transition.send and (transition.send.target, type(transition.send.body))
    assert sent == SENDS.get(State(transition.state))


def test_a_charge_says_who_pays_how_much_with_what() -> None:
    transition = after(State.RESERVING, "StockReserved")
    assert transition is not None
    assert transition.send is not None
    assert transition.send.body == messages.ChargePayment(
        order_id=ID, user_id="anna", payment_method_id="card", amount=900, currency="EUR"
    )


def test_a_new_order_reserves_its_lines() -> None:
    first = domain.first(ID, PURCHASE)
    assert first.state == State.RESERVING
    assert first.send is not None
    assert first.send.body == messages.ReserveStock(order_id=ID, lines=PURCHASE.lines)
    assert Purchase.of(first.data) == PURCHASE


@pytest.mark.parametrize(
    ("state", "message", "reason"),
    [
        (State.RESERVING, "Cancel", "customer"),
        (State.CHARGING, "Cancel", "customer"),
        (State.CHARGING, "Deadline", "deadline"),
        (State.CHARGING, "Declined", "declined"),
        (State.RESERVING, "StockRejected", "out-of-stock"),
    ],
)
def test_an_order_without_a_sale_knows_why(state: State, message: str, reason: str) -> None:
    transition = after(state, message)
    assert transition is not None
    assert transition.data["cancel_reason"] == reason


def test_a_reason_is_not_replaced_by_what_follows_from_it() -> None:
    transition = after(State.VOIDING, "ChargeCancelled")
    assert transition is not None
    assert "cancel_reason" not in transition.data


@pytest.mark.parametrize("message", [name for name, m in MESSAGES.items() if isinstance(m, Body)])
def test_a_reply_that_is_ignored_is_told_in_the_timeline(message: str) -> None:
    entry = domain.entry(State.COMPLETED, MESSAGES[message], ignored=True)
    assert entry == domain.Entry(message, "ignored, the order was COMPLETED")


@pytest.mark.parametrize("message", ["Cancel", "Deadline"])
def test_a_wish_that_comes_too_late_is_not_told(message: str) -> None:
    assert domain.entry(State.CONFIRMED, MESSAGES[message], ignored=True) is None
