"""Whatever happens in whatever order, nothing is lost, doubled or made up.

Hypothesis chooses what people do and what breaks; the shop runs in this process, on a clock that
moves only when told to, and is audited after every step. After the last step everything is mended:
then the shop comes to rest, clean, and each order has ended as it should.

A failure prints its steps. In CI the choices are always the same. With the long tests each run has
a seed, which is printed; `pytest -m long tests/shop/test_state_machine.py --hypothesis-seed=N` will
make the same choices again. The threads of the databases do not follow the seed: what falls between
two of their writes may come out differently, and Hypothesis then calls the failure flaky.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.shop.auditing_in_process import must_be_clean
from tests.shop.crashing import click
from tests.shop.shop_in_process import FINAL, NAMES, Customer
from tests.shop.still_shop import LIFETIME, SETTINGS, Held, StillShop

from shop import crashpoints, rotation

T = TypeVar("T")
POINTS = sorted(crashpoints.names())
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DEADLINE = 900
KEY_STEPS = (rotation.added, rotation.reordered, rotation.removed)
CARDS = {
    "tok_ok": "COMPLETED",
    "tok_error_after_charge": "COMPLETED",
    "tok_timeout_after_charge": "COMPLETED",
    "tok_refund_fails_once": "COMPLETED",
    "tok_declined": "CANCELLED",
    "tok_requires_action": "CANCELLED",  # unless somebody answers the bank
}


class Wish(NamedTuple):
    sku: str
    quantity: int
    card: str
    regretted: bool


WISHES = st.builds(
    Wish,
    st.sampled_from(["tea", "tea", "pot"]),
    st.integers(1, 3),
    st.sampled_from(sorted(CARDS)),
    st.booleans(),
)


@dataclass
class Placed:
    """`ends`: how it has to end when it ends in time; "" = either way."""

    customer: Customer
    id: str
    ends: str
    until: datetime


class ShopMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._env = pytest.MonkeyPatch()
        for name, value in SETTINGS.items():
            self._env.setenv(name, str(value))
        self._folder = tempfile.TemporaryDirectory(prefix="shop-machine-")
        self._runner = asyncio.Runner()
        self.shop = self._run(StillShop.opened(Path(self._folder.name), START))
        self.placed: list[Placed] = []
        self.held: list[Held] = []
        self.key_steps, self.key_steps_free = itertools.cycle(KEY_STEPS), START

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """And everything that follows from it without time passing."""

        async def done() -> T:
            result = await work
            await self.shop.still()
            return result

        return self._run(done())

    @initialize(
        seed=st.none() | st.integers(0, 999),
        point=st.sampled_from(POINTS),
        wishes=st.lists(WISHES, min_size=2, max_size=4),
    )
    def a_bad_day_begins(self, seed: int | None, point: str, wishes: list[Wish]) -> None:
        if seed is not None:
            self.shop.bad_network(seed)
        self.shop.points.arm(point)
        self._do(self.shop.asked(self._order(wishes)))

    # --- people ----------------------------------------------------------------------------------

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=3))
    def order(self, wishes: list[Wish]) -> None:
        """One after the other, without a pause; some are regretted at once."""
        self._do(self.shop.asked(self._order(wishes)))

    async def _order(self, wishes: list[Wish]) -> None:
        for wish in wishes:
            customer = self.shop.customer()
            order_id = await customer.buy({wish.sku: wish.quantity}, wish.card)
            ends = CARDS[wish.card] if wish.sku == "tea" else ""
            placed = Placed(customer, order_id, ends, self.shop.in_seconds(DEADLINE))
            self.placed.append(placed)
            if wish.regretted:
                await self._cancelled(placed)

    async def _cancelled(self, placed: Placed) -> None:
        if await self.shop.cancel(placed.customer, placed.id):
            placed.ends = "CANCELLED" if placed.ends else ""

    @rule(whose=st.integers(0), wish=st.sampled_from(["cancel", "cancel", "approve", "refund"]))
    @precondition(lambda self: self.placed)
    def change_one_s_mind(self, whose: int, wish: str) -> None:
        """Of the last orders rather than of the first."""
        placed = self.placed[-1 - whose % min(3, len(self.placed))]
        match wish:
            case "cancel":
                self._do(self.shop.asked(self._cancelled(placed)))
            case "approve":
                self._approve(placed)
            case _:
                self._do(self.shop.asked(self.shop.refund(placed.id, amount=whose % 700 + 1)))

    def _approve(self, placed: Placed) -> None:
        order = self._do(self.shop.asked(placed.customer.order(placed.id)))
        if order["action_url"]:
            placed.ends = ""
            self._do(click(self.shop, order["action_url"]))

    @rule(quantity=st.integers(1, 3))
    def restock_and_browse(self, quantity: int) -> None:
        self._do(self.shop.asked(self.shop.restock("pot", quantity)))
        shown = self._do(self.shop.called("GET", "/api/v1/products", None, {}))
        assert {item["sku"] for item in shown["items"]} == {"tea", "pot"}

    # --- keys ------------------------------------------------------------------------------------

    @rule()
    def somebody_takes_a_quote_and_thinks(self) -> None:
        self.held.append(self._do(self.shop.asked(self._held())))

    async def _held(self) -> Held:
        customer = self.shop.customer()
        return await self.shop.holding(customer, customer.headers)

    @rule(whose=st.integers(0))
    @precondition(lambda self: self.held)
    def somebody_has_thought(self, whose: int) -> None:
        """Token and quote are good for their ten minutes, whatever became of the keys."""
        held = self.held.pop(whose % len(self.held))
        if self.shop.clock.now() < held.until:
            self._do(self.shop.asked(self._ordered(held)))

    async def _ordered(self, held: Held) -> None:
        order_id = await self.shop.ordered(held)
        until = self.shop.in_seconds(DEADLINE)
        self.placed.append(Placed(held.customer, order_id, "COMPLETED", until))

    @rule()
    @precondition(lambda self: self.shop.clock.now() >= self.key_steps_free)
    def the_keys_change_by_a_step(self) -> None:
        """Under somebody with a quote. A key goes when nothing that it signed is valid any more."""
        step = next(self.key_steps)
        self._do(self.shop.asked(self._rolled(step)))
        if step is rotation.reordered:
            self.key_steps_free = self.shop.in_seconds(LIFETIME)

    async def _rolled(self, step: Callable[[str], str]) -> None:
        held = await self._held()
        async for _ in self.shop.roll(step):
            pass
        await self._ordered(held)

    # --- what breaks -----------------------------------------------------------------------------

    @rule(seed=st.integers(0, 999))
    def the_network_goes_bad(self, seed: int) -> None:
        """Messages are lost, doubled, delayed and reordered."""
        self.shop.bad_network(seed)

    @rule(number=st.integers(0))
    def a_late_message_arrives(self, number: int) -> None:
        self._do(self.shop.arrives(number))

    @rule(point=st.sampled_from(POINTS), hit=st.integers(1, 2))
    def a_service_will_die_there(self, point: str, hit: int) -> None:
        """When it passes the point next; it is started again at once."""
        self.shop.points.arm(point, hit)

    @rule(what=st.sampled_from([*NAMES, "broker", "keys", "queue", "nothing", "nothing"]))
    def something_breaks(self, what: str) -> None:
        """A service until somebody asks for it; the broker and the network until they are well."""
        match what:
            case "broker":
                self.shop.broker.down = True
            case "queue":
                self.shop.broker.wipe()
            case "keys":
                self._do(self.shop.asked(self.shop.forget_keys()))
            case "nothing":
                self.shop.broker.down = False
                self.shop.good_network()
            case service if service in self.shop.wires.up:
                self._do(self.shop.kill(service))

    @rule(seconds=st.sampled_from([1, 5, 30, 120, 1000]))
    def time_passes(self, seconds: float) -> None:
        self._do(self.shop.later(seconds))

    # --- what must hold --------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong_so_far(self) -> None:
        """I7 is about a shop whose faults have stopped."""
        if verdict := self._run(self.shop.verdict()):
            assert [v for v in verdict.violations if v.invariant != "I7"] == []

    def teardown(self) -> None:
        try:
            self._run(self._end())
        finally:
            self._run(self.shop.close())
            self._runner.close()
            self._folder.cleanup()
            self._env.undo()

    async def _end(self) -> None:
        await self.shop.mend()
        in_time = [placed for placed in self.placed if placed.until > self.shop.in_seconds(300)]
        await self.shop.settle(step=5, seconds=300, waiting={"PAYMENT_ACTION"})
        await self.shop.settle(step=60, seconds=2 * DEADLINE)
        await must_be_clean(self.shop)
        for placed in self.placed:
            await self._ended_well(placed, in_time=placed in in_time)

    async def _ended_well(self, placed: Placed, *, in_time: bool) -> None:
        order = await placed.customer.order(placed.id)
        assert order["state"] in FINAL
        gave_up = order["cancel_reason"] == "deadline" and not in_time
        if placed.ends and not gave_up:
            assert order["state"] == placed.ends, order["timeline"]


STEPS = settings.get_profile("ci")


class TestShop(ShopMachine.TestCase):
    settings = settings(STEPS, max_examples=10, stateful_step_count=20)


@pytest.mark.long
class TestShopForLong(ShopMachine.TestCase):
    settings = settings(
        STEPS, max_examples=100, stateful_step_count=50, derandomize=False, print_blob=True
    )
