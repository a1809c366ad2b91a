"""Every state of the checkout that can be reached, the bad ones and those without a good end.

A state is one integer: 13 bits of messages, 4 of the saga, 4 of the stock, the rest the payment.
Each part numbers its own states and works out its moves once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic

from tests.shop.model import (
    NOTHING,
    PENDING,
    M,
    State,
    Step,
    Stock,
    saga_steps,
    stock_steps,
)
from tests.shop.model_payment import Payment, payment_steps

Move = tuple[int, int, int]  # needs, adds, number of the new state
MESSAGES = (1 << len(M)) - 1
SAGA, STOCK, PAYMENT = 13, 17, 21


class Part(Generic[State]):
    def __init__(self, steps: Callable[[State], Iterator[Step[State]]]) -> None:
        self.states: list[State] = []
        self._numbers: dict[State, int] = {}
        self._moves: dict[int, list[Move]] = {}
        self._steps = steps

    def number(self, state: State) -> int:
        number = self._numbers.setdefault(state, len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number

    def moves(self, number: int) -> list[Move]:
        if number not in self._moves:
            steps = set(self._steps(self.states[number]))
            moves = [(int(s.needs), int(s.adds), self.number(s.new)) for s in steps]
            self._moves[number] = moves
        return self._moves[number]


class Space:
    """`losing_any` explores the loss of every single message, else only of all at once.

    Between none and all lies every loss, because no step needs a message to be absent: the small
    space finds the same, and is used where many are explored.
    """

    def __init__(self, without: str = "", *, losing_any: bool = False) -> None:
        self._saga = Part(saga_steps(without))
        self._stock = Part(stock_steps(without))
        self._payment = Part(payment_steps(without))
        self._losing_any = losing_any
        self._before: dict[int, int] = {}
        self._explore()

    def __len__(self) -> int:
        return len(self._before)

    def violations(self) -> set[str]:
        """What is wrong in some state, in words."""
        return {wrong for core in self.cores() for wrong in _wrong(*core)}

    def cores(self) -> set[tuple[str, Stock, Payment]]:
        """The states without the messages under way."""
        return {self._core(core << SAGA) for core in {s >> SAGA for s in self._before}}

    def stuck(self, *, never: M = NOTHING) -> int:
        """How many states have no good end; `never`: messages no handler manages from now on."""
        sources: dict[int, list[int]] = {state: [] for state in self._before}
        for state in self._before:
            for new in self._next(state, ~int(never)):
                sources[new].append(state)
        good = {state for state in self._before if _good(*self._core(state))}
        todo = list(good)
        while todo:
            fresh = [state for state in sources[todo.pop()] if state not in good]
            good.update(fresh)
            todo.extend(fresh)
        return len(self._before) - len(good)

    def path_to(self, wrong: str) -> list[str]:
        """The steps that lead to a violation; for people who read a failed test."""
        state = next(s for s in self._before if wrong in _wrong(*self._core(s)))
        path = [state]
        while self._before[path[-1]] >= 0:
            path.append(self._before[path[-1]])
        return [f"{self._core(s)} {M(s & MESSAGES)!r}" for s in reversed(path)]

    def _explore(self) -> None:
        todo = []
        for arrived in (False, True):
            stock = self._stock.number(Stock("NONE", arrived))
            saga, payment = self._saga.number("RESERVING"), self._payment.number(Payment())
            todo.append(int(PENDING["RESERVING"]) | _packed(saga, stock, payment))
        self._before = dict.fromkeys(todo, -1)
        while todo:
            state = todo.pop()
            for new in self._next(state, MESSAGES):
                if new not in self._before:
                    self._before[new] = state
                    todo.append(new)

    def _next(self, state: int, handled: int) -> Iterator[int]:
        net, saga, stock, payment = _unpacked(state)
        deliverable = net & handled
        yield from self._losses(state)
        for needs, adds, new in self._saga.moves(saga):
            if needs & deliverable == needs:
                yield net | adds | _packed(new, stock, payment)
        for needs, adds, new in self._stock.moves(stock):
            if needs & deliverable == needs:
                yield net | adds | _packed(saga, new, payment)
        for needs, adds, new in self._payment.moves(payment):
            if needs & deliverable == needs:
                yield net | adds | _packed(saga, stock, new)

    def _losses(self, state: int) -> Iterator[int]:
        left = state & MESSAGES
        if not self._losing_any:
            yield state ^ left
            return
        while left:
            message = left & -left
            left ^= message
            yield state ^ message

    def _core(self, state: int) -> tuple[str, Stock, Payment]:
        _, saga, stock, payment = _unpacked(state)
        return self._saga.states[saga], self._stock.states[stock], self._payment.states[payment]


def _packed(saga: int, stock: int, payment: int) -> int:
    return saga << SAGA | stock << STOCK | payment << PAYMENT


def _unpacked(state: int) -> tuple[int, int, int, int]:
    return state & MESSAGES, state >> SAGA & 15, state >> STOCK & 15, state >> PAYMENT


def _wrong(saga: str, stock: Stock, payment: Payment) -> Iterator[str]:
    if payment.charges > 1:
        yield "charged twice"
    if any(r.paid > 1 for r in payment.refunds):
        yield "refunded twice"
    if payment.kept < 0:
        yield "more given back than charged"
    if saga in ("CONFIRMED", "COMPLETED"):
        yield from _wrong_sale(saga, stock, payment)
    if saga in ("REJECTED", "CANCELLED"):
        if stock.row in ("HELD", "COMMITTED"):
            yield "ended without a sale, stock taken"
        if payment.kept:
            yield "ended without a sale, money kept"


def _wrong_sale(saga: str, stock: Stock, payment: Payment) -> Iterator[str]:
    if stock.row not in ("HELD", "COMMITTED"):
        yield "paid without stock"
    if saga == "COMPLETED" and stock.row != "COMMITTED":
        yield "completed without stock"
    if payment.row != "CHARGED" or not payment.charges:
        yield "sold without money"
    if any(not r.merchant for r in payment.refunds):
        yield "sold but compensated"


def _good(saga: str, stock: Stock, payment: Payment) -> bool:
    """A final order, nothing open at payments or at the bank."""
    final = not PENDING[saga]
    open_payment = payment.row in ("OPEN", "ACTION")
    return final and not open_payment and all(r.row != "OPEN" for r in payment.refunds)
