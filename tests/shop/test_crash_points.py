"""Dying before and after every commit, publish, ack and bank call loses and doubles nothing."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.shop import crashing
from tests.shop.auditing_in_process import must_be_clean
from tests.shop.crashing import JOURNEYS, Journey, SturdyShop, open_sturdy_shop

from shop import crashpoints
from shopkit.testing import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

POINTS = list(crashpoints.names())

# The journey that passes a step; `bought` passes the others.
WAYS: dict[Journey, str] = {
    crashing.declined: "declined release_stock stock_released",
    crashing.rejected: "stock_rejected",
    crashing.sent_again: "saga_lease saga_tick",
    crashing.approved: "action_required authenticate look_at_intent webhook webhooks_sent",
    crashing.cancelled: "cancel_order cancel_charge charge_cancelled cancel_intent",
    crashing.compensated: "create_refund list_refunds refund_settled payment_postponed",
    crashing.given_back: "refund_payment",
    crashing.erased: "erase_user user_erased",
}


def way_to(point: str) -> Journey:
    service, step, _ = point.split(".")
    if service == "auth":
        return crashing.erased
    return next((way for way, steps in WAYS.items() if step in steps.split()), crashing.bought)


def _cases() -> list[object]:
    """Both hits of each point; the one that chance leaves out of CI runs with the long tests."""
    return [
        pytest.param(point, hit, marks=() if _in_ci(point, hit) else pytest.mark.long)
        for point in POINTS
        for hit in (1, 2)
    ]


def _in_ci(point: str, hit: int) -> bool:
    return zlib.crc32(point.encode()) % 2 + 1 == hit


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SturdyShop]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with open_sturdy_shop(tmp_path_factory.mktemp("crash"), monkeypatch) as shop:
            yield shop


async def test_the_list_of_points_is_complete(shop: SturdyShop) -> None:
    """A point that no order passes would be tested by nothing."""
    shop.points.seen.clear()
    for way in JOURNEYS:
        await way(shop)
    await must_be_clean(shop)
    await until(lambda: set(POINTS) <= set(shop.points.seen), 10)
    assert {name for name in shop.points.seen if not crashpoints.is_beside(name)} == set(POINTS)


@pytest.mark.parametrize(("point", "hit"), _cases())
async def test_a_crash_at_this_point_loses_and_doubles_nothing(
    shop: SturdyShop, point: str, hit: int
) -> None:
    shop.points.fired.clear()
    shop.points.arm(point, hit)
    for _ in range(hit):
        await way_to(point)(shop)
    await until(lambda: shop.points.fired == [point], 10)
    await shop.recovered()
    await must_be_clean(shop)
