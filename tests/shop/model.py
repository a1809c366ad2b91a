"""The checkout of one order as a finite machine, explored completely by model_space.py.

Three parts (the saga, its stock, its payment with the bank) share only a set of messages. Handling
one does not take it away, so duplicates and any order are free; a loss may take any. Between two
steps anything may crash: what a crash forgets, the payment worker's knowledge, is a field.
Change this before the saga is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from enum import IntFlag, auto
from typing import Generic, NamedTuple, TypeVar

CHARGE = 2  # units of money; a merchant may give back one or both


class Rule:
    """Names of the promises that can be switched off, to see what each is good for."""

    RESEND = "a pending command is sent again"
    ANSWER_AGAIN = "a duplicate command is answered again"
    STOCK_TOMBSTONE = "a release that came first leaves a row"
    REJECTION_ROW = "a rejection is a row"
    PAYMENT_TOMBSTONE = "a cancel that came first leaves a row"
    CREATE_THEN_CONFIRM = "an intent is created, stored, and only then confirmed"
    ZERO_ROWS = "a worker whose write met no row makes no further bank call"
    UNKNOWN_IS_OPEN = "an unknown outcome is not a failure"
    NO_EXPIRY = "a hold does not expire by time"
    LATE_CHARGED = "a late Charged is ignored while voiding"
    RESOLVE_FIRST = "a cancel resolves the open call first"
    WAIT_FOR_REFUND = "ChargeCancelled waits for the bank's success"
    CANCEL_AT_BANK = "a cancel is made at the bank, not only looked up"
    CANCEL_DECLINED = "CancelCharge is answered on a declined payment"
    LIST_REFUNDS = "refunds are listed before a retry"
    REST_ONLY = "a compensation is the charge minus refunds not failed"


class M(IntFlag):
    """The messages of one order."""

    ReserveStock = auto()
    ReleaseStock = auto()
    CommitStock = auto()
    ChargePayment = auto()
    CancelCharge = auto()
    StockReserved = auto()
    StockRejected = auto()
    StockReleased = auto()
    StockCommitted = auto()
    Charged = auto()
    Declined = auto()
    ActionRequired = auto()
    ChargeCancelled = auto()


NOTHING = M(0)
State = TypeVar("State", bound=Hashable)


class Step(NamedTuple, Generic[State]):
    """One move of one part: possible while `needs` is in the network, leaves `adds` there."""

    new: State
    needs: M = NOTHING
    adds: M = NOTHING


# --- the saga ------------------------------------------------------------------------------------

PENDING: dict[str, M] = {
    "RESERVING": M.ReserveStock,
    "CHARGING": M.ChargePayment,
    "PAYMENT_ACTION": M.ChargePayment,
    "VOIDING": M.CancelCharge,
    "RELEASING": M.ReleaseStock,
    "CONFIRMED": M.CommitStock,
    "COMPLETED": NOTHING,
    "REJECTED": NOTHING,
    "CANCELLED": NOTHING,
}
ACCEPTED: dict[str, dict[M, str]] = {
    "RESERVING": {M.StockReserved: "CHARGING", M.StockRejected: "REJECTED"},
    "CHARGING": {
        M.Charged: "CONFIRMED",
        M.Declined: "RELEASING",
        M.ActionRequired: "PAYMENT_ACTION",
    },
    "PAYMENT_ACTION": {M.Charged: "CONFIRMED", M.Declined: "RELEASING"},
    "VOIDING": {M.ChargeCancelled: "RELEASING"},
    "RELEASING": {M.StockReleased: "CANCELLED"},
    "CONFIRMED": {M.StockCommitted: "COMPLETED"},
}
GIVEN_UP = {"RESERVING": "RELEASING", "CHARGING": "VOIDING", "PAYMENT_ACTION": "VOIDING"}


def saga_steps(without: str) -> Callable[[str], Iterator[Step[str]]]:
    def steps(state: str) -> Iterator[Step[str]]:
        for message, new in ACCEPTED.get(state, {}).items():
            yield Step(new, message, PENDING[new])
        if state in GIVEN_UP:
            yield Step(GIVEN_UP[state], adds=PENDING[GIVEN_UP[state]])
        if without != Rule.RESEND:
            yield Step(state, adds=PENDING[state])
        if without == Rule.LATE_CHARGED and state == "VOIDING":
            yield Step("CONFIRMED", M.Charged, M.CommitStock)

    return steps


# --- the stock -----------------------------------------------------------------------------------


class Stock(NamedTuple):
    row: str  # NONE, HELD, REJECTED, RELEASED, COMMITTED
    arrived: bool  # the one unit there ever is


def stock_steps(without: str) -> Callable[[Stock], Iterator[Step[Stock]]]:
    again = without != Rule.ANSWER_AGAIN

    def reserve(s: Stock) -> Step[Stock]:
        if s.row in ("HELD", "COMMITTED"):
            return Step(s, M.ReserveStock, M.StockReserved if again else NOTHING)
        if s.row in ("REJECTED", "RELEASED"):
            return Step(s, M.ReserveStock, M.StockRejected if again else NOTHING)
        if s.arrived:
            return Step(s._replace(row="HELD"), M.ReserveStock, M.StockReserved)
        row = "NONE" if without == Rule.REJECTION_ROW else "REJECTED"
        return Step(s._replace(row=row), M.ReserveStock, M.StockRejected)

    def release(s: Stock) -> Step[Stock]:
        if s.row == "HELD" or (s.row == "NONE" and without != Rule.STOCK_TOMBSTONE):
            return Step(s._replace(row="RELEASED"), M.ReleaseStock, M.StockReleased)
        silent = s.row == "COMMITTED" or (s.row == "RELEASED" and not again)
        return Step(s, M.ReleaseStock, NOTHING if silent else M.StockReleased)

    def steps(s: Stock) -> Iterator[Step[Stock]]:
        yield reserve(s)
        yield release(s)
        if s.row == "HELD" or (s.row == "COMMITTED" and again):
            yield Step(s._replace(row="COMMITTED"), M.CommitStock, M.StockCommitted)
        if not s.arrived:
            yield Step(s._replace(arrived=True))
        if without == Rule.NO_EXPIRY and s.row == "HELD":
            yield Step(s._replace(row="RELEASED"))

    return steps
