"""The invariants that only a look at all services shows (I1, I2, I3, I5). Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from shopkit.audit import Violation
from storefront.join.facts import (
    CANCELLED,
    COMPENSATION,
    COMPLETED,
    MERCHANT,
    REJECTED,
    Facts,
    Move,
    Order,
    Payment,
    Reservation,
)

LOCAL = ("I4", "I5", "I7", "I8", "I9")
Moves = Mapping[str, tuple[Move, ...]]


def always(facts: Facts) -> Iterator[Violation]:
    """True at any moment, also in the middle of an order."""
    for order_id, moves in _by_order(facts.bank).items():
        charges = [move for move in moves if move.kind == "charge"]
        if len(charges) > 1:
            yield _broken("I1", order_id, f"charged {len(charges)} times at the bank")


def at_rest(facts: Facts) -> Iterator[Violation]:
    """True when nothing is under way any more."""
    moves = _by_order(facts.bank)
    for order in facts.orders.values():
        if order.state == COMPLETED:
            yield from _sold(order, facts, moves.get(order.order_id, ()))
        elif order.state in (CANCELLED, REJECTED):
            yield from _unsold(order.order_id, order.state, facts, moves)
        else:
            yield _broken("I3", order.order_id, f"is {order.state}, which no saga leaves")
    for order_id in _known(facts, moves) - set(facts.orders):
        yield from _unsold(order_id, "unknown to orders", facts, moves)
    yield from _ledgers(facts, moves)


def _known(facts: Facts, moves: Moves) -> set[str]:
    return {*facts.reservations, *facts.payments, *moves}


# --- I2 ------------------------------------------------------------------------------------------


def _sold(order: Order, facts: Facts, moves: tuple[Move, ...]) -> Iterator[Violation]:
    reservation = facts.reservations.get(order.order_id)
    payment = facts.payments.get(order.order_id)
    problems = (
        *_not_committed(order, reservation),
        *_not_paid(order, payment),
        *_not_at_the_bank(order, payment, moves),
    )
    for problem in problems:
        yield _broken("I2", order.order_id, f"COMPLETED, but {problem}")


def _not_committed(order: Order, reservation: Reservation | None) -> Iterator[str]:
    if reservation is None:
        yield "there is no reservation"
        return
    if reservation.status != "COMMITTED":
        yield f"the reservation is {reservation.status}"
    sold = {sku: (-quantity, 0) for sku, quantity in order.lines.items()}
    if reservation.effect != sold:
        yield f"it took {dict(reservation.effect)} from the shelf instead of {sold}"


def _not_paid(order: Order, payment: Payment | None) -> Iterator[str]:
    if payment is None:
        yield "there is no payment"
        return
    if payment.status != "CHARGED":
        yield f"the payment is {payment.status}"
    if (payment.amount, payment.currency) != (order.total, order.currency):
        yield f"{payment.amount} {payment.currency} were asked, not {order.total} {order.currency}"
    if any(refund.cause == COMPENSATION for refund in payment.refunds):
        yield "it was compensated"
    if payment.returned(MERCHANT) > payment.amount:
        yield f"{payment.returned(MERCHANT)} were given back"


def _not_at_the_bank(
    order: Order, payment: Payment | None, moves: tuple[Move, ...]
) -> Iterator[str]:
    charged = [(m.amount, m.currency.upper()) for m in moves if m.kind == "charge"]
    if charged != [(order.total, order.currency)]:
        yield f"the bank charged {charged}, not {order.total} {order.currency}"
    returned = -sum(move.amount for move in moves if move.kind == "refund")
    agreed = payment.returned(MERCHANT) if payment else 0
    if returned != agreed:
        yield f"the bank gave {returned} back, payments say {agreed}"


# --- I3 ------------------------------------------------------------------------------------------


def _unsold(order_id: str, state: str, facts: Facts, moves: Moves) -> Iterator[Violation]:
    kept = sum(move.amount for move in moves.get(order_id, ()))
    if kept:
        yield _broken("I3", order_id, f"{state}, but the bank keeps {kept}")
    payment = facts.payments.get(order_id)
    if payment is not None and payment.booked:
        yield _broken("I3", order_id, f"{state}, but our ledger keeps {payment.booked}")
    reservation = facts.reservations.get(order_id)
    if reservation is not None and reservation.status not in ("RELEASED", "REJECTED"):
        yield _broken("I3", order_id, f"{state}, but the reservation is {reservation.status}")
    if reservation is not None and reservation.effect:
        yield _broken("I3", order_id, f"{state}, but stock moved: {dict(reservation.effect)}")


# --- I5 ------------------------------------------------------------------------------------------


def _ledgers(facts: Facts, moves: Moves) -> Iterator[Violation]:
    """Joined by intent: an intent of the bank that payments do not know is money nobody booked."""
    ours = {p.intent_id: p for p in facts.payments.values() if p.intent_id is not None}
    theirs: dict[str, int] = defaultdict(int)
    for move in facts.bank:
        theirs[move.payment_intent] += move.amount
    for intent in {*ours, *theirs}:
        booked = ours[intent].booked if intent in ours else 0
        if booked != theirs.get(intent, 0):
            detail = f"our ledger says {booked}, the bank's {theirs.get(intent, 0)}"
            yield _broken("I5", intent, detail)
    for payment in facts.payments.values():
        if payment.intent_id is None and payment.booked:
            yield _broken("I5", payment.order_id, f"{payment.booked} booked without an intent")


def _by_order(bank: Iterable[Move]) -> Moves:
    moves: dict[str, tuple[Move, ...]] = {}
    for move in bank:
        moves[move.order_id] = (*moves.get(move.order_id, ()), move)
    return moves


def _broken(invariant: str, subject: str, detail: str) -> Violation:
    return Violation(invariant=invariant, subject=subject, detail=detail)
