"""The parts of `shop load` that only compute, and a generator that waits for nobody."""

import asyncio
import math
import time
from collections import Counter

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.customer import ShopError
from shop.load import goods, open_loop, site
from shop.load.command import customers_for
from shop.load.failures import refused, unanswered
from shop.load.figures import longest_gap, percentile, spread
from shop.load.open_loop import Run, drive
from shop.load.orders import Course, course
from shop.load.plan import Plan
from shop.load.tally import Tally

# ---- when arrivals are due -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "seconds", "most", "count"),
    [
        (30, 60, 10_000, 1800),
        (30, 60, 100, 100),
        (0.29, 100, 10_000, 29),  # as a float it is a little less
        (0.1, 1, 10_000, 1),
        (800, 20, 10_000, 10_000),
    ],
)
def test_as_many_arrivals_as_rate_and_time_make_and_never_more_than_allowed(
    rate: float, seconds: float, most: int, count: int
) -> None:
    assert Plan(rate, seconds, most).count == count


@given(st.floats(0.1, 5000), st.integers(0, 10_000))
def test_the_time_of_an_arrival_does_not_drift(rate: float, number: int) -> None:
    assert math.isclose(Plan(rate, 300, 10_000).due(number) * rate, number, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("mode", "rate", "customers"),
    [("checkouts", 30, 120), ("checkouts", 0.5, 10), ("functions", 10, 40), ("products", 800, 5)],
)
def test_customers_are_enough_for_the_open_orders_of_a_slow_shop(
    mode: str, rate: float, customers: int
) -> None:
    assert customers_for(mode, Plan(rate, 60, 10_000)) == customers


# ---- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([5.0], 0.99, 5.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 1.0, 4.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
    ],
)
def test_percentiles_are_values_that_were_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == expected


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_share_of_all_values_is_not_above_the_percentile_and_of_no_smaller_one(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    needed = share * len(values) - 1e-6
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed + 1e-3 or found == min(values)


def test_times_are_told_in_milliseconds_and_of_nothing_there_is_nothing_to_tell() -> None:
    assert spread([0.001, 0.0025]) == {"p50": 1.0, "p99": 2.5, "max": 2.5}
    assert spread([]) is None


@pytest.mark.parametrize(
    ("moments", "gap"),
    [((), 10.0), ((4.0,), 6.0), ((1.0, 2.0, 9.0), 7.0), ((3.0, 2.0, 1.0), 7.0), ((12.0,), 10.0)],
)
def test_the_longest_gap_counts_the_edges(moments: tuple[float, ...], gap: float) -> None:
    assert longest_gap(moments, 0.0, 10.0) == gap


# ---- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (orjson.dumps({"type": "urn:shop:problem:rate-limited"}), "429 rate-limited"),
        (b"<html>", "429"),
        (b"[]", "429"),
        (orjson.dumps({"type": "about:blank"}), "429"),
    ],
)
def test_a_refusal_is_named_by_status_and_problem(body: bytes, kind: str) -> None:
    failed = refused(429, {"Retry-After": "5"}, body)
    assert (failed.kind, failed.status, failed.retry_after) == (kind, 429, 5.0)


@pytest.mark.parametrize("after", ["", "Tue, 01 Dec 2026 00:00:00 GMT"])
def test_without_seconds_to_wait_nobody_waits(after: str) -> None:
    assert refused(503, {"Retry-After": after}, b"").retry_after == 0


async def test_no_answer_is_a_refused_connection_a_lost_one_or_too_late() -> None:
    refusal = None
    async with aiohttp.ClientSession() as http:
        try:
            await http.get("http://127.0.0.1:9")  # discard: nobody listens
        except aiohttp.ClientError as error:
            refusal = error
    assert refusal is not None
    kinds = [
        unanswered(e).kind for e in (refusal, TimeoutError(), aiohttp.ServerDisconnectedError())
    ]
    assert kinds == ["connection refused", "timed out", "connection lost"]


# ---- where it may go -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.8.9.1", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("http://shop.example", False),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://127.0.0.1@shop.example", False),
    ],
)
def test_only_this_machine_is_loaded_without_a_word_about_it(url: str, here: bool) -> None:
    assert site.is_loopback(url) is here
    if here:
        assert set(site.urls(url, (), remote=False).values()) == {url}
    else:
        with pytest.raises(ShopError, match="--yes-really-remote"):
            site.urls(url, (), remote=False)
        assert site.urls(url, (), remote=True)["auth"] == url


def test_an_address_of_one_service_has_to_be_here_too() -> None:
    with pytest.raises(ShopError, match="not this machine"):
        site.urls("http://127.0.0.1", ["orders=http://10.0.0.1"], remote=False)


@pytest.mark.parametrize(
    "pair", ["orders", "orders=", "bank=http://127.0.0.1", "=http://127.0.0.1"]
)
def test_a_service_that_takes_no_load_is_refused(pair: str) -> None:
    with pytest.raises(ShopError, match="SERVICE=URL"):
        site.urls("http://127.0.0.1", [pair], remote=False)


# ---- goods ---------------------------------------------------------------------------------------


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 30), min_size=1),
    st.integers(1, 200),
)
def test_nothing_is_ordered_more_often_than_it_is_there(
    available: dict[str, int], count: int
) -> None:
    if sum(available.values()) < count:
        with pytest.raises(ShopError, match="--restock"):
            goods.deck(available, count)
        return
    used = Counter(goods.deck(available, count))
    assert used.total() == count
    assert all(used[sku] <= number for sku, number in available.items())


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(0, 30), min_size=1),
    st.integers(1, 200),
)
def test_after_the_delivery_everybody_can_be_served(available: dict[str, int], count: int) -> None:
    delivered = goods.missing(available, count)
    assert all(number > 0 for number in delivered.values())
    full = {sku: number + delivered.get(sku, 0) for sku, number in available.items()}
    assert len(goods.deck(full, count)) == count


# ---- orders --------------------------------------------------------------------------------------


def order(state: str, *happened: tuple[str, float, str]) -> dict[str, object]:
    timeline = [
        {"event": event, "at": f"2026-12-01T00:00:{at:09.6f}Z", "detail": detail}
        for event, at, detail in happened
    ]
    return {"state": state, "timeline": timeline}


PLACED, RESERVED = ("PLACED", 1.0, ""), ("StockReserved", 1.1, "")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (order("RESERVING", PLACED), Course("RESERVING")),
        (order("CONFIRMED", PLACED, RESERVED, ("Charged", 1.5, "")), Course("CONFIRMED", 0.5)),
        (
            order("COMPLETED", PLACED, ("Charged", 1.5, ""), ("StockCommitted", 3.0, "")),
            Course("COMPLETED", 0.5, 2.0),
        ),
        (
            order("CANCELLED", PLACED, ("Charged", 2.0, "ignored, the order was VOIDING"))
            | {"state": "CANCELLED"},
            Course("CANCELLED", None, 1.0),
        ),
        (
            order("REJECTED", PLACED, ("StockRejected", 1.25, "tea: 0 left")),
            Course("REJECTED", None, 0.25),
        ),
    ],
)
def test_an_order_tells_by_its_own_timeline_how_long_it_took(
    shown: dict[str, object], expected: Course
) -> None:
    found = course(shown)
    assert found.state == expected.state
    assert found.confirmed == pytest.approx(expected.confirmed)
    assert found.ended == pytest.approx(expected.ended)


# ---- the generator -------------------------------------------------------------------------------


class Stalled:
    """A shop that answers nobody before everybody has come."""

    main = "order"

    def __init__(self, tally: Tally, expected: int) -> None:
        self._tally, self._expected = tally, expected
        self.started: list[float] = []
        self._all = asyncio.Event()

    async def prepare(self) -> None:
        return None

    async def arrive(self, number: int, due: float) -> None:
        self.started.append(time.monotonic())
        if len(self.started) == self._expected:
            self._all.set()
        await self._all.wait()
        self._tally.not_sent(self.main, due, "")


def quietly(_: str) -> None:
    """Says nothing."""


async def test_a_stalled_shop_slows_no_arrival_down_and_every_wait_counts_from_its_due_time() -> (
    None
):
    tally, plan = Tally(), Plan(100, 0.3, 1000)
    stalled = Stalled(tally, plan.count)
    run = await drive(plan, stalled, tally, quietly, asyncio.Event())
    assert len(stalled.started) == len(run.lates) == plan.count
    due = sorted(outcome.due - run.began for outcome in tally.outcomes)
    assert due == pytest.approx([plan.due(number) for number in range(plan.count)])
    waits = sorted(outcome.answered - outcome.due for outcome in tally.outcomes)
    # The first waited until the last had come, the last hardly at all: a line, not a step.
    assert waits[-1] >= plan.due(plan.count - 1) - 0.001
    assert waits[plan.count // 2] >= plan.due(plan.count // 2 - 1)


async def test_more_than_so_many_unanswered_are_counted_and_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_loop, "MOST_UNANSWERED", 3)
    tally, stop = Tally(), asyncio.Event()
    stalled = Stalled(tally, expected=1000)
    asyncio.get_running_loop().call_later(0.2, stop.set)
    monkeypatch.setattr(open_loop, "CALM_DOWN", 0.01)
    run = await drive(Plan(1000, 0.02, 1000), stalled, tally, quietly, stop)
    assert (len(stalled.started), run.shed) == (3, 17)
    assert tally.failures() == {"order: not sent, 3 are unanswered": 17}


async def test_a_load_that_is_broken_off_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_loop, "CALM_DOWN", 0.01)
    tally, stop = Tally(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    run = await drive(Plan(50, 60, 10_000), Stalled(tally, 10_000), tally, quietly, stop)
    assert run.interrupted
    assert len(run.lates) < 100
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Broken(Stalled):
    async def arrive(self, number: int, due: float) -> None:
        raise KeyError("id")


async def test_a_mistake_in_the_generator_is_no_failure_of_the_shop() -> None:
    tally = Tally()
    with pytest.raises(ExceptionGroup) as caught:
        await drive(Plan(10, 1, 10), Broken(tally, 1), tally, quietly, asyncio.Event())
    assert caught.group_contains(KeyError)
    assert tally.outcomes == []


@pytest.mark.parametrize(
    ("cpu", "lates", "told"),
    [
        (0.3, [0.001] * 100, ""),
        (0.9, [0.001] * 100, "took 90% of a core"),
        (0.3, [0.001] * 98 + [0.5] * 2, "was 500 ms late"),
        (0.3, [], ""),
    ],
)
def test_a_generator_that_was_the_bottleneck_says_so(
    cpu: float, lates: list[float], told: str
) -> None:
    warning = Run(0.0, 1.0, cpu, lates).warning()
    assert (told in warning) if told else warning == ""
