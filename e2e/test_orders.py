"""Orders through the gateway while every service is rolled, and while pods are killed with -9."""

import asyncio
import base64
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from e2e.case import Cluster
from e2e.conftest import load_images
from e2e.shop_load import Record, load

pytestmark = pytest.mark.nodes

SERVICES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
SHOP = "shop"


def reference(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": SHOP}
    return {"apiVersion": "microservice.dev/v1alpha1", "kind": "MicroService", "metadata": meta}


@pytest.fixture(scope="module")
def url() -> str:
    command = ["python", "-m", "e2e.demo", "gateway-url"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Stock:
    """The shop's manager at the stock: refills one product, finds one that is sold out."""

    http: httpx.Client
    headers: dict[str, str]

    def refill(self, sku: str, units: int) -> None:
        headers = self.headers | {"Idempotency-Key": str(uuid.uuid4())}
        body = {"delta": units, "reason": "received"}
        self.http.post(f"/api/v1/stock/{sku}/adjust", json=body, headers=headers).raise_for_status()

    def products(self) -> list[dict[str, Any]]:
        return list(self.http.get("/api/v1/products?limit=100").raise_for_status().json()["items"])

    def available(self, sku: str) -> int:
        """From the product itself, past the caches of the replicas (2 s)."""
        no_cache = {"Cache-Control": "no-cache"}
        return int(
            self.http.get(f"/api/v1/products/{sku}", headers=no_cache)
            .raise_for_status()
            .json()["available"]
        )


@pytest.fixture(scope="module")
def stock(url: str, cluster: Cluster) -> Iterator[Stock]:
    found = cluster.get(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "shop-admin", "namespace": SHOP},
        }
    )
    assert found, "the Secret shop-admin is missing: run `make demo`"
    login = {k: decoded(found["data"][k]) for k in ("email", "password")}
    with httpx.Client(base_url=url, timeout=10) as http:
        token = http.post("/api/v1/tokens", json=login).raise_for_status().json()["access_token"]
        yield Stock(http, {"Authorization": f"Bearer {token}"})


def decoded(value: str) -> str:
    return base64.b64decode(value).decode()


@pytest.fixture(scope="module")
def skus(stock: Stock) -> dict[str, str]:
    """`full`: enough for all orders of a run; `empty`: sold out."""
    products = stock.products()
    full = max(products, key=lambda p: int(p["available"]))["sku"]
    stock.refill(full, 5000)
    return {"full": full, "empty": next(p["sku"] for p in products if p["available"] == 0)}


async def settle_stock(stock: Stock, sku: str, expected: int) -> int:
    """What is available once holds of ended orders and the caches (2 s) are gone."""
    for _ in range(30):
        if (now := await asyncio.to_thread(stock.available, sku)) == expected:
            return now
        await asyncio.sleep(0.5)
    return now


async def service(cluster: Cluster, name: str) -> dict[str, Any]:
    live = await asyncio.to_thread(cluster.get, reference(name))
    assert live is not None, f"MicroService {name} is not there: run `make demo`"
    return live


async def in_effect(cluster: Cluster, name: str, generation: int) -> None:
    for _ in range(240):
        live = await service(cluster, name)
        if is_ready(live, generation):
            return
        await asyncio.sleep(0.5)
    status = (await service(cluster, name))["status"]
    raise AssertionError(f"{name} is not Ready at generation {generation}: {status}")


def is_ready(live: dict[str, Any], generation: int) -> bool:
    status = live["status"]
    ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
    return bool(status["observedGeneration"] >= generation and ready == ["True"])


async def roll(cluster: Cluster, name: str) -> None:
    """A new image, the old one again under another tag: a rolling update of every pod."""
    live = await service(cluster, name)
    image = str(live["spec"]["image"])
    other = image.removesuffix("-b") if image.endswith("-b") else f"{image}-b"
    await asyncio.to_thread(cluster.patch, reference(name) | {"spec": {"image": other}})
    await in_effect(cluster, name, int(live["metadata"]["generation"]) + 1)


@pytest.fixture(scope="module")
def second_tags(cluster: Cluster) -> None:
    images = [
        str((cluster.get(reference(name)) or {})["spec"]["image"]).removesuffix("-b")
        for name in SERVICES
    ]
    for image in images:
        subprocess.run(["docker", "tag", image, f"{image}-b"], check=True)
    load_images(*(f"{image}-b" for image in images))


def assert_all_expected(record: Record) -> None:
    kinds = set(record.orders.values())
    assert kinds == {"COMPLETED", "CANCELLED", "REJECTED"}, f"the load made only {kinds}"


@pytest.mark.usefixtures("second_tags")
async def test_rolling_updates_of_every_service_fail_no_request_and_no_order(
    url: str, cluster: Cluster, stock: Stock, skus: dict[str, str]
) -> None:
    before = stock.available(skus["full"])
    async with load(url, skus, patient=False) as record:
        for name in SERVICES:
            await roll(cluster, name)
        rate = record.rate
    print(
        f"{record.sent} requests ({len(record.failed)} failed) at {rate:.1f}/s, "
        f"{len(record.orders)} orders"
    )
    assert record.failed == []
    assert rate >= 10
    assert_all_expected(record)
    expected = before - record.bought
    assert await settle_stock(stock, skus["full"], expected) == expected


def kill_one_pod(cluster: Cluster, name: str) -> str:
    """SIGKILL to the main process of one running pod, in its node; the pod's name."""
    query = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": SHOP},
        "$selector": f"microservice.dev/name={name},microservice.dev/role=server",
    }
    pods = [p for p in cluster.select(query) if not p["metadata"].get("deletionTimestamp")]
    running = [p for p in pods if p["status"]["phase"] == "Running"]
    pod = running[0]
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    kill = ["ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container]
    subprocess.run(["docker", "exec", pod["spec"]["nodeName"], *kill], check=True)
    return str(pod["metadata"]["name"])


async def restarted(cluster: Cluster, name: str, pod: str) -> None:
    """The kubelet saw the kill and the service is Ready again."""
    live = await service(cluster, name)
    where = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": SHOP}}
    for _ in range(240):
        found = await asyncio.to_thread(cluster.get, where)
        state = (found or {}).get("status", {}).get("containerStatuses", [{}])[0]
        if state.get("restartCount", 0) >= 1 and state.get("ready"):
            return await in_effect(cluster, name, int(live["metadata"]["generation"]))
        await asyncio.sleep(0.5)
    raise AssertionError(f"{pod} did not come back")


async def test_a_kill_of_one_pod_of_each_service_loses_no_order(
    url: str, cluster: Cluster, stock: Stock, skus: dict[str, str]
) -> None:
    before = stock.available(skus["full"])
    async with load(url, skus, patient=True) as record:
        for name in SERVICES:
            pod = await asyncio.to_thread(kill_one_pod, cluster, name)
            await restarted(cluster, name, pod)
    print(f"{record.sent} requests ({len(record.failed)} repeated), {len(record.orders)} orders")
    assert_all_expected(record)
    expected = before - record.bought
    assert await settle_stock(stock, skus["full"], expected) == expected
