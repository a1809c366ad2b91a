"""The shop in the demo cluster: its services, its stock, and whether all of it agrees."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.case import Cluster
from e2e.cluster import tools
from e2e.cluster.cluster import Cluster as Nodes
from e2e.cluster.waiting import wait_for
from e2e.demo.secrets import Admin
from e2e.shop_load import Record, load

from shop.admin import SERVICES as AUDITED
from shop.customer import Credentials, visiting

SHOP = "shop"
PLATFORM = "platform"
SERVICES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
# The bank keeps a volume: it has one pod, and its node is not drained.
SCALED = tuple(name for name in SERVICES if name != "bank")
READY_WITHIN = 150.0  # seconds
SETTLE = 90  # seconds
Json = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """`nodes`: the machines under it; `url`: where its gateway listens."""

    cluster: Cluster
    nodes: Nodes
    url: str
    admin: Admin
    skus: dict[str, str]  # `full`: enough for all orders of a run; `empty`: sold out

    def service(self, name: str) -> Json:
        live = self.cluster.get(reference(name))
        assert live is not None, f"MicroService {name} is not there: run `make demo`"
        return live

    def change(self, name: str, spec: Json) -> int:
        """The generation that holds it."""
        self.cluster.patch(reference(name) | {"spec": spec})
        return int(self.service(name)["metadata"]["generation"])

    def until_ready(self, name: str, generation: int = 0) -> None:
        def ready() -> bool:
            return is_ready(self.service(name), generation)

        if not wait_for(ready, READY_WITHIN, pause=0.5):
            status = self.service(name)["status"]
            raise AssertionError(f"{name} is not Ready at generation {generation}: {status}")

    def all_ready(self) -> None:
        for name in SERVICES:
            self.until_ready(name)

    def pods(self, name: str) -> list[Json]:
        """Those that run and are to stay."""
        query = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": SHOP},
            "$selector": f"microservice.dev/name={name},microservice.dev/role=server",
        }
        pods = [p for p in self.cluster.select(query) if not p["metadata"].get("deletionTimestamp")]
        return [pod for pod in pods if pod["status"]["phase"] == "Running"]

    def available(self) -> int:
        """Units of the product that is bought, past the caches of the replicas (2 s)."""
        with visiting(self.url) as visitor:
            headers = {"Cache-Control": "no-cache"}
            path = f"/products/{self.skus['full']}"
            return int(visitor.call("GET", path, headers=headers)["available"])

    def audit(self, record: Record | None = None) -> None:
        """`shop audit` over the admin ports, which the gateway does not publish."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls = {name: stack.enter_context(self._forwarded(name)) for name in AUDITED}
            words = self._audit_words(folder, urls, record)
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"

    def _audit_words(
        self, folder: Path, urls: dict[str, str], record: Record | None
    ) -> Sequence[str | Path]:
        (folder / "password").write_text(self.admin.password)
        words: list[str | Path] = [sys.executable, "-m", "shop", "audit", "--settle", str(SETTLE)]
        words += [
            "--url",
            self.url,
            "--admin-email",
            self.admin.email,
            "--admin-password-file",
            folder / "password",
        ]
        for name, url in urls.items():
            words += ["--admin", f"{name}={url}"]
        if record is not None:
            lines = [json.dumps(promise) for promise in record.promises]
            (folder / "orders.jsonl").write_text("\n".join(lines))
            words += ["--record", folder / "orders.jsonl"]
        return words

    @contextmanager
    def _forwarded(self, name: str) -> Iterator[str]:
        tool = tools.path(self.nodes.settings, tools.KUBECTL)
        words = (tool, "port-forward", "-n", SHOP, f"svc/{name}", ":9090")
        environment = os.environ | self.nodes.env
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as child:
            try:
                assert child.stdout is not None
                first = child.stdout.readline()
                found = re.search(r"127\.0\.0\.1:\d+", first)
                assert found, f"no way to the admin port of {name}: {first}"
                yield f"http://{found[0]}"
            finally:
                child.terminate()


@asynccontextmanager
async def orders(shop: Shop, *, patient: bool) -> AsyncIterator[Record]:
    """Customers order during the block; afterwards every order is as it must be, and all agree."""
    await asyncio.to_thread(shop.audit)
    before = await asyncio.to_thread(shop.available)
    async with load(shop.url, shop.skus, patient=patient) as record:
        yield record
        rate = record.rate
    print(
        f"{record.sent} requests ({len(record.failed)} failed) at {rate:.1f}/s, "
        f"{len(record.orders)} orders"
    )
    kinds = set(record.orders.values())
    assert kinds == {"COMPLETED", "CANCELLED", "REJECTED"}, f"the load made only {kinds}"
    await asyncio.to_thread(shop.audit, record)
    assert await asyncio.to_thread(shop.available) == before - record.bought


def refill(shop: Shop, units: int) -> None:
    with visiting(shop.url) as visitor:
        visitor.sign_in(Credentials(shop.admin.email, shop.admin.password))
        path, body = f"/stock/{shop.skus['full']}/adjust", {"delta": units}
        key = f"refill-{shop.available()}"
        visitor.call("POST", path, body | {"reason": "received"}, key=key)


def choose(url: str) -> dict[str, str]:
    with visiting(url) as visitor:
        products = visitor.call("GET", "/products?limit=100")["items"]
    fullest = max(products, key=lambda product: int(product["available"]))
    empty = next(product for product in products if product["available"] == 0)
    return {"full": fullest["sku"], "empty": empty["sku"]}


def reference(name: str) -> Json:
    meta = {"name": name, "namespace": SHOP}
    return {"apiVersion": "microservice.dev/v1alpha1", "kind": "MicroService", "metadata": meta}


def is_ready(live: Json, generation: int) -> bool:
    status = live["status"]
    ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
    return bool(status["observedGeneration"] >= generation and ready == ["True"])
