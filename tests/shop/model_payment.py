"""The payment of one order: its row, the one worker that holds the lease, and the bank.

A call that was sent stays in `calls` and may reach the bank at any time, again and again: that is
the worker which lost its lease, or died, after sending. A day later the bank has forgotten its
idempotency keys, and every call of the day before has long arrived or never will.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.shop.model import CHARGE, NOTHING, M, Rule, Step

Call = tuple[str, int]  # create, confirm, cancel: number of the intent; refund: index of its row
MOST_REFUNDS = 4


class Refund(NamedTuple):
    merchant: bool
    amount: int
    row: str = "OPEN"  # OPEN, OK, FAILED
    paid: int = 0  # how often the bank gave the money back
    failed: bool = False  # what the bank says of it
    key: bool = False  # the bank still knows the idempotency key


class Payment(NamedTuple):
    row: str = "NONE"  # NONE, OPEN, ACTION, CHARGED, DECLINED, VOID
    intent: int = 0  # the stored intent id
    cancel: bool = False
    knows: tuple[str, str, int] | None = None  # the lease holder's last answer from the bank
    bank: tuple[str, ...] = ()  # intents: NEW, ACTION, PAID, BAD, GONE
    created: int = 0  # the intent the bank still knows by the create key
    calls: frozenset[Call] = frozenset()
    refunds: tuple[Refund, ...] = ()
    forgot: bool = False

    @property
    def charges(self) -> int:
        return self.bank.count("PAID")

    @property
    def kept(self) -> int:
        return CHARGE * self.charges - sum(r.amount * r.paid for r in self.refunds)

    @property
    def given_back(self) -> int:
        return sum(r.amount for r in self.refunds if r.row == "OK")


Steps = Iterator[Step[Payment]]


def payment_steps(without: str) -> Callable[[Payment], Steps]:
    def steps(p: Payment) -> Steps:
        yield from _on_charge(p, without)
        yield from _on_cancel(p, without)
        yield from _worker(p, without)
        yield from _arrivals(p, without)
        yield from _world(p)

    return steps


def _on_charge(p: Payment, without: str) -> Steps:
    answers = {
        "ACTION": M.ActionRequired,
        "CHARGED": M.Charged,
        "DECLINED": M.Declined,
        "VOID": M.Declined,
    }
    if p.row == "NONE":
        yield Step(p._replace(row="OPEN"), M.ChargePayment)
        yield Step(p._replace(row="DECLINED"), M.ChargePayment, M.Declined)
    elif p.row in answers and without != Rule.ANSWER_AGAIN:
        yield Step(p, M.ChargePayment, answers[p.row])


def _on_cancel(p: Payment, without: str) -> Steps:
    if p.row in ("OPEN", "ACTION"):
        flagged = p._replace(cancel=True)
        if without == Rule.RESOLVE_FIRST:
            yield Step(flagged._replace(row="VOID"), M.CancelCharge, M.ChargeCancelled)
        else:
            yield Step(flagged, M.CancelCharge)
    elif p.row == "CHARGED":
        first = not p.cancel
        new = _compensate(p._replace(cancel=True), without)
        done = new.given_back == CHARGE or without == Rule.WAIT_FOR_REFUND
        answered = done and (first or without != Rule.ANSWER_AGAIN)
        yield Step(new, M.CancelCharge, M.ChargeCancelled if answered else NOTHING)
    elif p.row == "NONE":
        row = "NONE" if without == Rule.PAYMENT_TOMBSTONE else "VOID"
        yield Step(p._replace(row=row), M.CancelCharge, M.ChargeCancelled)
    elif without != Rule.ANSWER_AGAIN and not (
        p.row == "DECLINED" and without == Rule.CANCEL_DECLINED
    ):
        yield Step(p, M.CancelCharge, M.ChargeCancelled)


def _compensate(p: Payment, without: str) -> Payment:
    """Open a refund for what the refunds that did not fail leave of the charge."""
    if not p.cancel or p.row != "CHARGED" or len(p.refunds) >= MOST_REFUNDS:
        return p
    rest = CHARGE - sum(r.amount for r in p.refunds if r.row != "FAILED")
    if without == Rule.REST_ONLY:
        tried = any(r.row != "FAILED" for r in p.refunds if not r.merchant)
        rest = 0 if tried else CHARGE
    return p._replace(refunds=(*p.refunds, Refund(False, rest))) if rest > 0 else p


def _worker(p: Payment, without: str) -> Steps:
    if p.knows is not None:
        yield Step(p._replace(knows=None))  # crash, or the lease ran out
        yield from _write(p, without)
    elif p.row in ("OPEN", "ACTION"):
        yield from _call(p, without)
    elif p.row == "CHARGED":
        for index, refund in enumerate(p.refunds):
            if refund.row == "OPEN":
                yield from _call_refund(p, index, without)


def _call(p: Payment, without: str) -> Steps:
    if not p.intent:
        if p.cancel:
            yield Step(p._replace(row="VOID"), adds=M.ChargeCancelled)
            return
        yield Step(_sent(p, ("create", 0)))
        for bank in _create(_sent(p, ("create", 0)), without):
            yield Step(bank._replace(knows=("created", "", bank.created)))
        return
    action = "cancel" if p.cancel else "confirm"
    if action == "cancel" and without == Rule.CANCEL_AT_BANK:
        seen = "PAID" if p.bank[p.intent - 1] == "PAID" else "GONE"
        yield Step(p._replace(knows=("intent", seen, 0)))
        return
    sent = _sent(p, (action, p.intent))
    yield Step(sent)
    if without == Rule.UNKNOWN_IS_OPEN and action == "confirm":
        yield Step(sent._replace(row="DECLINED"), adds=M.Declined)
    for bank in _intent_call(sent, action, p.intent):
        yield Step(bank._replace(knows=("intent", bank.bank[p.intent - 1], 0)))


def _call_refund(p: Payment, index: int, without: str) -> Steps:
    refund = p.refunds[index]
    if without != Rule.LIST_REFUNDS and (refund.paid or refund.failed):
        yield Step(p._replace(knows=("refund", "OK" if refund.paid else "FAILED", index)))
        return
    sent = _sent(p, ("refund", index))
    yield Step(sent)
    for bank, answer in _refund_call(sent, index):
        yield Step(bank._replace(knows=("refund", answer, index)))


def _write(p: Payment, without: str) -> Steps:
    """The transaction after the call; it meets no row when somebody else finished the work."""
    assert p.knows is not None
    kind, answer, number = p.knows
    idle = p._replace(knows=None)
    if kind == "refund":
        refund = idle.refunds[number]._replace(row=answer)
        refunds = (*idle.refunds[:number], refund, *idle.refunds[number + 1 :])
        new = _compensate(idle._replace(refunds=refunds), without)
        done = new.cancel and new.given_back == CHARGE
        yield Step(new, adds=M.ChargeCancelled if done else NOTHING)
    elif p.row not in ("OPEN", "ACTION"):
        yield Step(idle)
    elif kind == "created":
        yield Step(idle._replace(intent=number))
    else:
        yield _finish(idle, answer, without)


def _finish(p: Payment, answer: str, without: str) -> Step[Payment]:
    if answer == "PAID":
        new = _compensate(p._replace(row="CHARGED"), without)
        return Step(new, adds=NOTHING if p.cancel else M.Charged)
    if answer == "ACTION":
        return Step(p._replace(row="ACTION"), adds=M.ActionRequired)
    row, reply = ("DECLINED", M.Declined) if answer == "BAD" else ("VOID", NOTHING)
    return Step(p._replace(row=row), adds=M.ChargeCancelled if p.cancel else reply)


# --- the bank ------------------------------------------------------------------------------------


def _sent(p: Payment, call: Call) -> Payment:
    return p._replace(calls=p.calls | {call})


def _create(p: Payment, without: str) -> Iterator[Payment]:
    if p.created:
        yield p
        return
    first = ("PAID", "BAD", "ACTION") if without == Rule.CREATE_THEN_CONFIRM else ("NEW",)
    for state in first:
        yield p._replace(bank=(*p.bank, state), created=len(p.bank) + 1)


def _intent_call(p: Payment, action: str, intent: int) -> Iterator[Payment]:
    state = p.bank[intent - 1]
    if action == "cancel" and state in ("NEW", "ACTION"):
        yield _at_bank(p, intent, "GONE")
    elif action == "confirm" and state == "NEW":
        for outcome in ("PAID", "BAD", "ACTION"):
            yield _at_bank(p, intent, outcome)
    else:
        yield p


def _at_bank(p: Payment, intent: int, state: str) -> Payment:
    return p._replace(bank=(*p.bank[: intent - 1], state, *p.bank[intent:]))


def _refund_call(p: Payment, index: int) -> Iterator[tuple[Payment, str]]:
    refund = p.refunds[index]
    if refund.key:
        yield p, "OK" if refund.paid else "FAILED"
        return
    if refund.amount > p.kept:
        yield p, "FAILED"
        return
    yield _refunded(p, index, refund._replace(paid=refund.paid + 1, key=True)), "OK"
    if not any(r.failed for r in p.refunds):
        yield _refunded(p, index, refund._replace(failed=True, key=True)), "FAILED"


def _refunded(p: Payment, index: int, refund: Refund) -> Payment:
    return p._replace(refunds=(*p.refunds[:index], refund, *p.refunds[index + 1 :]))


def _arrivals(p: Payment, without: str) -> Steps:
    """Calls that reach the bank with nobody waiting for the answer any more."""
    for action, number in p.calls:
        if action == "create":
            yield from (Step(new) for new in _create(p, without))
        elif action == "refund":
            yield from (Step(new) for new, _ in _refund_call(p, number))
        else:
            yield from (Step(new) for new in _intent_call(p, action, number))
    if without == Rule.ZERO_ROWS:
        for number in range(1, len(p.bank) + 1):
            yield Step(_sent(p, ("confirm", number)))


def _world(p: Payment) -> Steps:
    for number, state in enumerate(p.bank, start=1):
        if state == "ACTION":  # the customer answers the bank's question
            yield Step(_at_bank(p, number, "PAID"))
            yield Step(_at_bank(p, number, "BAD"))
    if p.calls and not p.forgot:
        refunds = tuple(r._replace(key=False) for r in p.refunds)
        new = p._replace(forgot=True, created=0, calls=frozenset(), knows=None, refunds=refunds)
        yield Step(new)
    if p.row == "CHARGED" and not any(r.merchant for r in p.refunds):
        rest = CHARGE - sum(r.amount for r in p.refunds if r.row != "FAILED")
        for amount in range(1, rest + 1):
            yield Step(p._replace(refunds=(*p.refunds, Refund(True, amount))))
