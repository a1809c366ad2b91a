"""What should not happen, and does: programs are killed, the queue is wiped, a node is lost.
Requests may fail and are sent again; no order is lost, doubled or ended as it should not."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from e2e.cluster import command
from e2e.cluster.waiting import wait_for
from e2e.shop import PLATFORM, SERVICES, Shop, orders
from e2e.shop_load import Record

pytestmark = pytest.mark.nodes

NOTICED_WITHIN = 120.0  # seconds until a node that is silent counts as lost
AVOIDED_WITHIN = 60.0  # seconds from then until no request goes to its pods
BEFORE, AFTER = 5.0, 10.0  # seconds of orders around a failure


@contextlib.asynccontextmanager
async def failing(shop: Shop) -> AsyncIterator[Record]:
    """Orders are under way when the block begins, and go on for a while when it is over."""
    async with orders(shop, patient=True) as record:
        await asyncio.sleep(BEFORE)
        yield record
        await asyncio.to_thread(shop.all_ready)
        await asyncio.sleep(AFTER)


def sigkill(pod: dict[str, Any]) -> None:
    """To the main process, in its node."""
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    kill = ["ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container]
    command.run("docker", "exec", pod["spec"]["nodeName"], *kill)


def until_restarted(shop: Shop, pod: dict[str, Any]) -> None:
    """The kubelet saw it and has started it again."""
    before = pod["status"]["containerStatuses"][0]["restartCount"]
    meta = {key: pod["metadata"][key] for key in ("name", "namespace")}

    def restarted() -> bool:
        live = shop.cluster.get({"apiVersion": "v1", "kind": "Pod", "metadata": meta})
        (state,) = (live or {}).get("status", {}).get("containerStatuses") or [{}]
        return bool(state.get("restartCount", 0) > before and state.get("ready"))

    assert wait_for(restarted, 120.0, pause=0.5), f"{meta['name']} did not come back"


async def test_a_kill_of_one_pod_of_each_service_loses_no_order(shop: Shop) -> None:
    async with failing(shop):
        for name in SERVICES:
            pod = shop.pods(name)[0]
            await asyncio.to_thread(sigkill, pod)
            await asyncio.to_thread(until_restarted, shop, pod)


async def test_a_queue_that_is_wiped_with_its_volume_loses_no_order(shop: Shop) -> None:
    nats = only_pod(shop, "nats")
    async with failing(shop):
        remove = ("delete", "-n", PLATFORM, "--wait=false")
        shop.nodes.kubectl(*remove, "persistentvolumeclaim", "data-nats-0")
        shop.nodes.kubectl(*remove, "pod", nats["metadata"]["name"])
        await asyncio.to_thread(until_replaced, shop, nats)


async def test_a_killed_database_loses_no_order(shop: Shop) -> None:
    async with failing(shop):
        pod = only_pod(shop, "postgres")
        await asyncio.to_thread(sigkill, pod)
        await asyncio.to_thread(until_restarted, shop, pod)


@pytest.mark.long
async def test_a_lost_node_loses_no_order_and_is_worked_around(shop: Shop) -> None:
    worker = next(node for node in shop.nodes.nodes() if node != shop.nodes.control_plane)
    async with failing(shop) as record:
        await asyncio.to_thread(command.run, "docker", "kill", worker)
        try:
            assert await asyncio.to_thread(wait_for, lambda: lost(shop, worker), NOTICED_WITHIN)
            await until_nothing_fails(record)
        finally:
            await asyncio.to_thread(command.run, "docker", "start", worker)


async def until_nothing_fails(record: Record) -> None:
    """Requests that wait for a pod of the lost node end late: then none is sent there any more."""
    until = time.monotonic() + AVOIDED_WITHIN
    failed = -1
    while failed != len(record.failed):
        assert time.monotonic() < until, f"still asked: {record.failed[-1]}"
        failed = len(record.failed)
        await asyncio.sleep(AFTER)


def lost(shop: Shop, node: str) -> bool:
    """Its pods then leave the endpoints, too."""
    conditions = shop.cluster.core.read_node(node).to_dict()["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] != "True" for c in conditions)


def only_pod(shop: Shop, app: str) -> dict[str, Any]:
    query = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": PLATFORM},
        "$selector": f"app={app}",
    }
    (pod,) = shop.cluster.select(query)
    return pod


def until_replaced(shop: Shop, pod: dict[str, Any]) -> None:
    def replaced() -> bool:
        with contextlib.suppress(ValueError):
            new = only_pod(shop, pod["metadata"]["labels"]["app"])
            ready = [c["status"] for c in new["status"].get("conditions") or []]
            return bool(new["metadata"]["uid"] != pod["metadata"]["uid"] and set(ready) == {"True"})
        return False

    assert wait_for(replaced, 150.0, pause=0.5), f"no new pod of {pod['metadata']['name']}"
