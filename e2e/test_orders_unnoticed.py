"""What happens every day: new versions, more and fewer pods, a node that is emptied. Customers
order all the while, and not one request fails: no client tries again."""

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.cluster import loading
from e2e.cluster.waiting import wait_for
from e2e.shop import SCALED, SERVICES, Shop, orders
from e2e.shop_load import Record

pytestmark = pytest.mark.nodes

DRAINED_WITHIN = "240s"
LEAST, SCALED_WITHIN = (
    2,
    90.0,
)  # pods of each service as the chart has it, once autoscalers have seen it
AFTER = 10.0  # seconds of orders with one node less


@pytest.fixture(scope="module")
def second_tags(shop: Shop) -> None:
    images = [shop.service(name)["spec"]["image"].removesuffix("-b") for name in SERVICES]
    for image in images:
        subprocess.run(["docker", "tag", image, f"{image}-b"], check=True)
    loading.load(shop.nodes, [f"{image}-b" for image in images])


@pytest.fixture
def as_before(shop: Shop) -> Iterator[None]:
    """Numbers of pods as the chart wants them."""
    numbers = {name: scaling(shop.service(name)["spec"]) for name in SCALED}
    yield
    for name, spec in numbers.items():
        shop.change(name, spec)
    shop.all_ready()
    assert wait_for(lambda: all(len(shop.pods(name)) >= LEAST for name in SCALED), SCALED_WITHIN)


def scaling(spec: dict[str, Any]) -> dict[str, Any]:
    return {field: spec.get(field) for field in ("autoscaling", "replicas")}


def assert_unnoticed(record: Record) -> None:
    assert record.failed == []
    assert record.rate >= 10


@pytest.mark.usefixtures("second_tags")
async def test_rolling_updates_of_every_service_fail_no_request_and_no_order(shop: Shop) -> None:
    async with orders(shop, patient=False) as record:
        for name in SERVICES:
            await asyncio.to_thread(roll, shop, name)
        assert_unnoticed(record)


def roll(shop: Shop, name: str) -> None:
    """A new image, the old one again under another tag: a rolling update of every pod."""
    image = str(shop.service(name)["spec"]["image"])
    other = image.removesuffix("-b") if image.endswith("-b") else f"{image}-b"
    shop.until_ready(name, shop.change(name, {"image": other}))


@pytest.mark.usefixtures("as_before")
async def test_one_pod_then_three_then_one_of_every_service_fails_no_request(shop: Shop) -> None:
    async with orders(shop, patient=False) as record:
        for count in (1, 3, 1):
            await asyncio.to_thread(scale, shop, count)
        assert_unnoticed(record)


def scale(shop: Shop, count: int) -> None:
    wanted = {"autoscaling": None, "replicas": count}
    generations = {name: shop.change(name, wanted) for name in SCALED}
    for name, generation in generations.items():
        shop.until_ready(name, generation)


async def test_a_drain_of_the_worker_fails_no_request(shop: Shop) -> None:
    """Not every second pod finds room on the other node: budgets keep one of each serving."""
    worker = next(node for node in shop.nodes.nodes() if node != shop.nodes.control_plane)
    drain = ("--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={DRAINED_WITHIN}")
    try:
        async with orders(shop, patient=False) as record:
            await asyncio.to_thread(shop.nodes.kubectl, "drain", worker, *drain)
            assert [p for name in SERVICES for p in shop.pods(name) if runs_on(p, worker)] == []
            await asyncio.sleep(AFTER)
            assert_unnoticed(record)
    finally:
        shop.nodes.kubectl("uncordon", worker)
        shop.all_ready()


def runs_on(pod: dict[str, Any], node: str) -> bool:
    return bool(pod["spec"]["nodeName"] == node)
