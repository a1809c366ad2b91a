"""The crash points again, where death is real: the process kills itself with SIGKILL.

As in test_crash_points.py, but with PostgreSQL and NATS, and everything else goes on meanwhile. A
few points in CI, both hits of all with the long tests. Left to that file (ELSEWHERE): points that
only a spoiled network leads to.
"""

from __future__ import annotations

import asyncio
import re
import uuid
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import httpx
import pytest
import pytest_asyncio
from tests.shop.processes import PATIENCE
from tests.shop.test_crash_points import POINTS
from tests.shop.test_erasure_processes import forgotten, registered
from tests.shop.town import AGAIN, Town, hasty_town

from shopkit.testing import ServerProcess, until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("crash-processes"),
]

Way = Callable[[Town], Awaitable[None]]
ELSEWHERE = ("orders.saga_tick.", "payments.list_refunds.")


async def _ends(town: Town, state: str, *, sku: str = "tea", card: str = "tok_ok") -> str:
    order_id = await town.buy(str(uuid.uuid4()), sku, card)
    assert await town.ends(order_id) == state
    return order_id


async def bought(town: Town) -> None:
    await _ends(town, "COMPLETED")


async def declined(town: Town) -> None:
    await _ends(town, "CANCELLED", card="tok_declined")


async def rejected(town: Town) -> None:
    await _ends(town, "REJECTED", sku="pot")


async def unanswered(town: Town) -> None:
    await _ends(town, "COMPLETED", card="tok_error_after_charge")


async def approved(town: Town) -> None:
    order_id = await town.buy(str(uuid.uuid4()), "tea", "tok_requires_action")
    await town.approve(order_id)
    assert await town.ends(order_id) == "COMPLETED"


async def cancelled(town: Town) -> None:
    order_id = await town.buy(str(uuid.uuid4()), "tea", "tok_requires_action")
    await town.is_asked(order_id)
    assert await town.cancel(order_id)
    assert await town.ends(order_id) == "CANCELLED"


async def given_back(town: Town) -> None:
    await town.give_back(await _ends(town, "COMPLETED"), 300)


async def erased(town: Town) -> None:
    """Asked for more than once, because an order is open."""
    user, _ = await registered(town)
    order_id = await town.buy(user, "tea", "tok_requires_action")
    await town.is_asked(order_id)
    left = await town.called("auth", "DELETE", "/users/me", None, town.signed_in(user))
    assert left.status_code == 202
    await until(lambda: _asked_again(town), PATIENCE, AGAIN)
    await town.approve(order_id)
    await until(lambda: forgotten(town, user), PATIENCE, AGAIN)


async def _asked_again(town: Town) -> bool:
    """Since auth was started, as its metrics say."""
    with suppress(httpx.TransportError):
        told = (await town.http.get(f"{town.shop.admin_url('auth')}/metrics")).text
        return any(SENT_AGAIN.match(line) for line in told.splitlines())
    return False


SENT_AGAIN = re.compile(r'shop_saga_resends_total\{.*"EraseUser".*\} [1-9]')


# The way that passes a step; `bought` passes the others.
WAYS: dict[Way, str] = {
    declined: "declined release_stock stock_released",
    rejected: "stock_rejected",
    unanswered: "payment_postponed",
    approved: "action_required authenticate look_at_intent webhook webhooks_sent",
    cancelled: "cancel_order cancel_charge charge_cancelled cancel_intent",
    given_back: "refund_payment create_refund refund_settled",
    erased: "erase_user user_erased",
}


def way_to(point: str) -> Way:
    service, step, _ = point.split(".")
    if service == "auth":
        return erased
    return next((way for way, steps in WAYS.items() if step in steps.split()), bought)


def _cases() -> Iterator[object]:
    points = [point for point in POINTS if not point.startswith(ELSEWHERE)]
    chosen = {point for which, many in IN_CI.items() for point in _some(points, which, many)}
    for point in points:
        for hit in (1, 2):
            in_ci = point in chosen and hit == 1
            yield pytest.param(point, hit, marks=() if in_ci else pytest.mark.long)


# How many of those that begin like this.
IN_CI = {
    "auth.": 1,
    "auth.ask_to_erase.": 1,
    "orders.": 3,
    "orders.erase_user.": 1,
    "catalog.": 2,
    "payments.": 3,
    "payments.user_erased.": 1,
    "bank.": 2,
}


def _some(points: list[str], which: str, many: int) -> list[str]:
    """By chance that is the same each time."""
    mine = [point for point in points if point.startswith(which)]
    return sorted(mine, key=lambda point: zlib.crc32(point.encode()))[:many]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: ServerProcess
) -> AsyncIterator[Town]:
    async with hasty_town(tmp_path_factory.mktemp("processes"), postgres_server) as town:
        yield town


@pytest.mark.parametrize(("point", "hit"), list(_cases()))
async def test_a_process_that_kills_itself_there_loses_and_doubles_nothing(
    town: Town, point: str, hit: int
) -> None:
    service = point.split(".")[0]
    town.shop.kill(service)
    await town.shop.start_dying(service, point, hit)
    ways = [asyncio.ensure_future(way_to(point)(town)) for _ in range(hit)]
    await town.shop.died(service)
    town.shop.start(service)
    await town.shop.ready(service)
    await asyncio.gather(*ways)
    verdict = await town.audit(settle=60)
    assert (verdict.violations, verdict.unsettled, verdict.letters) == ([], [], [])
