"""What no run of the protocol can lead to: order by order, in all services and at the bank. Pure.

An order that is under way looks unfinished everywhere, and that is no disagreement: the sagas heal
it. tests/shop/test_reconcile.py compares these tables with the explored model.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from storefront.join.facts import CANCELLED, COMPENSATION, SUCCEEDED, Facts, Move, Payment

NONE, PENDING = "NONE", "PENDING"
_OPEN = frozenset({"STARTED", "CREATED", "ACTION"})

# State of an order -> what its reservation may be meanwhile.
STOCK: Mapping[str, frozenset[str]] = {
    "RESERVING": frozenset({NONE, "HELD", "REJECTED"}),
    "CHARGING": frozenset({"HELD"}),
    "PAYMENT_ACTION": frozenset({"HELD"}),
    "VOIDING": frozenset({"HELD"}),
    "RELEASING": frozenset({NONE, "HELD", "REJECTED", "RELEASED"}),
    "CONFIRMED": frozenset({"HELD", "COMMITTED"}),
    "COMPLETED": frozenset({"COMMITTED"}),
    "REJECTED": frozenset({"REJECTED"}),
    "CANCELLED": frozenset({"REJECTED", "RELEASED"}),
}
# State of an order -> what its payment may be meanwhile.
MONEY: Mapping[str, frozenset[str]] = {
    "RESERVING": frozenset({NONE}),
    "CHARGING": frozenset({NONE, "CHARGED", "DECLINED", *_OPEN}),
    "PAYMENT_ACTION": frozenset({"ACTION", "CHARGED", "DECLINED"}),
    "VOIDING": frozenset({NONE, "CHARGED", "DECLINED", "VOID", *_OPEN}),
    "RELEASING": frozenset({NONE, "CHARGED", "DECLINED", "VOID"}),
    "CONFIRMED": frozenset({"CHARGED"}),
    "COMPLETED": frozenset({"CHARGED"}),
    "REJECTED": frozenset({NONE}),
    "CANCELLED": frozenset({NONE, "CHARGED", "DECLINED", "VOID"}),
}
_SELLING = frozenset({"RESERVING", "CHARGING", "PAYMENT_ACTION", "CONFIRMED", "COMPLETED"})
# What a payment says -> what the bank may say of its intent; open payments look for themselves.
BANK: Mapping[str, frozenset[str]] = {
    "CHARGED": frozenset({"succeeded"}),
    "VOID": frozenset({"canceled"}),
    "DECLINED": frozenset({"requires_payment_method", "canceled"}),
}
_UNUSED = frozenset({"requires_confirmation", "canceled"})


@dataclass(frozen=True)
class Intent:
    """At the bank; `status` in the bank's words."""

    id: str
    status: str
    order_id: str


@dataclass(frozen=True)
class Disagreement:
    """`between` names the two that say different things; of an account there is no order id."""

    order_id: str
    between: tuple[str, str]
    detail: str
    advice: str


def find(facts: Facts, intents: Iterable[Intent]) -> list[Disagreement]:
    """By order, oldest first (order ids sort by time)."""
    at_bank = _by_order(intents)
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in facts.bank:
        moves[move.order_id].append(move)
    ids = {*facts.orders, *facts.reservations, *facts.payments, *at_bank}
    found: list[Disagreement] = []
    for id in sorted(ids):
        found += _order_and_stock(id, facts)
        found += _order_and_money(id, facts)
        found += _money_and_bank(id, facts.payments.get(id), at_bank.get(id, ()), moves[id])
    return found


def _by_order(intents: Iterable[Intent]) -> Mapping[str, Sequence[Intent]]:
    grouped: dict[str, list[Intent]] = defaultdict(list)
    for intent in intents:
        grouped[intent.order_id].append(intent)
    return grouped


def _order_and_stock(id: str, facts: Facts) -> Iterator[Disagreement]:
    between = ("orders", "catalog")
    order, reservation = facts.orders.get(id), facts.reservations.get(id)
    status = reservation.status if reservation else NONE
    if order is None:
        if reservation is not None:
            detail = f"a reservation that is {status}, and no order"
            yield Disagreement(id, between, detail, _LOST_ORDER[status])
    elif status not in STOCK[order.state]:
        said = "there is no reservation" if reservation is None else f"the reservation is {status}"
        detail = f"the order is {order.state}, but {said}"
        yield Disagreement(id, between, detail, _stock_advice(order.state, status))


_LOST_ORDER = {
    "HELD": "release the stock, after the money was given back; tell the customer",
    "COMMITTED": "the order was sold: enter it again or give money and stock back",
    "RELEASED": "nothing is held or owed; the customer's list lacks the order",
    "REJECTED": "nothing is held or owed; the customer's list lacks the order",
}


def _stock_advice(state: str, status: str) -> str:
    if state in _SELLING and status == NONE:
        return "count the shelf: what was sold is not taken off; book it as lost"
    if state in _SELLING and status == "HELD":
        return "the goods are sold: book the hold as a sale"
    if status == "COMMITTED":
        return "the goods are sold: bring the order to COMPLETED by hand"
    if status == "HELD":
        return "release the hold: the order ended without a sale"
    return "the order ended long ago: bring it to the same end by hand"


def _order_and_money(id: str, facts: Facts) -> Iterator[Disagreement]:
    between = ("orders", "payments")
    order, payment = facts.orders.get(id), facts.payments.get(id)
    status = payment.status if payment else NONE
    if order is None:
        if payment is not None:
            yield Disagreement(id, between, f"a payment that is {status}, and no order", _REFUND)
        return
    if status not in MONEY[order.state]:
        said = "there is no payment" if payment is None else f"the payment is {status}"
        detail = f"the order is {order.state}, but {said}"
        yield Disagreement(id, between, detail, _money_advice(order.state, status))
    elif payment is not None and order.state in _SELLING and _compensated(payment):
        detail = f"the order is {order.state}, but its payment was or will be given back"
        yield Disagreement(id, between, detail, "cancel the order by hand")
    elif payment is not None and order.state == CANCELLED and _kept(payment):
        detail = f"the order is CANCELLED, but {_kept(payment)} were kept"
        yield Disagreement(id, between, detail, _REFUND)


_REFUND = "look at the bank; refund what was charged, unless the order is entered again"


def _money_advice(state: str, status: str) -> str:
    if state in _SELLING and status in {NONE, *_OPEN}:
        return "look at the bank: if it charged, enter the payment; else ask the customer again"
    if state in _SELLING and status == "CHARGED":
        return "the order is paid: bring it to COMPLETED by hand, or refund it"
    if status == "CHARGED":
        return _REFUND
    return "the payment ended long ago: bring the order to the same end by hand"


def _compensated(payment: Payment) -> bool:
    return any(r.cause == COMPENSATION for r in payment.refunds)


def _kept(payment: Payment) -> int:
    if payment.status != "CHARGED":
        return 0
    return payment.amount - sum(r.amount for r in payment.refunds if r.status == SUCCEEDED)


def _money_and_bank(
    id: str, payment: Payment | None, intents: Sequence[Intent], moves: Sequence[Move]
) -> Iterator[Disagreement]:
    between = ("payments", "bank")
    if payment is None:
        for intent in intents:
            detail = f"intent {intent.id} is {intent.status}, and there is no payment"
            yield Disagreement(id, between, detail, _intent_advice(intent.status))
        return
    for detail, advice in (*_intents_wrong(payment, intents), *_refunds_wrong(payment, moves)):
        yield Disagreement(id, between, detail, advice)


def _intent_advice(status: str) -> str:
    if status == "succeeded":
        return "the customer paid: enter the payment, or refund it at the bank"
    if status in ("requires_action", "processing", "requires_confirmation"):
        return "cancel it at the bank, before the customer pays"
    return "nothing: no money moved and none can"


Told = Iterator[tuple[str, str]]


def _intents_wrong(payment: Payment, intents: Sequence[Intent]) -> Told:
    known = {intent.id: intent.status for intent in intents}
    status = known.pop(payment.intent_id, None) if payment.intent_id else None
    if payment.intent_id and status is None:
        yield f"the bank does not know intent {payment.intent_id}", "ask the bank"
    elif status and status not in BANK.get(payment.status, {status}):
        detail = f"the payment is {payment.status}, but intent {payment.intent_id} is {status}"
        yield detail, "the bank is right: correct the payment"
    for id, other in known.items():
        # One that a forgotten key left behind is never confirmed, so it may stay.
        if other not in _UNUSED:
            yield f"intent {id} is {other}, and the payment does not know it", _intent_advice(other)


def _refunds_wrong(payment: Payment, moves: Sequence[Move]) -> Told:
    given = -sum(move.amount for move in moves if move.kind == "refund")
    done = sum(r.amount for r in payment.refunds if r.status == SUCCEEDED)
    most = done + sum(r.amount for r in payment.refunds if r.status == PENDING)
    if not done <= given <= most:
        detail = f"the bank gave {given} back, the payment knows of {done}"
        yield detail, "the bank is right: enter or take away the refund"
