"""What a customer does: one order that is completed, one whose card is declined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.waiting import wait_for
from e2e.demo.secrets import Admin

from shop.customer import Credentials, ShopError
from shop.order import Wish, place
from shop.seed import seed

# One path of each service that the gateway leads to; any answer of a service will do.
PATHS = (
    "/",
    "/.well-known/jwks.json",
    "/api/v1/products",
    "/api/v1/cart",
    "/api/v1/payment-methods",
)
ROUTED_WITHIN = 60.0  # seconds
STOCK_BACK_WITHIN = 30.0  # seconds; the product list may be 2 seconds old


def wait_for_routes(url: str) -> None:
    with httpx.Client(base_url=url, timeout=5) as http:
        for path in PATHS:
            if not wait_for(partial(_is_served, http, path), ROUTED_WITHIN):
                raise Problem(
                    f"{url}{path} is not served by the gateway",
                    remedy="kubectl get httproutes -A; kubectl -n gateway logs deploy/traefik",
                )


def _is_served(http: httpx.Client, path: str) -> bool:
    try:
        status = http.get(path).status_code
    except httpx.TransportError:
        return False
    return status < 500 and status != 404


def fill_shelves(url: str, admin: Admin) -> None:
    with progress.step("fill the shelves", "2 s"), _told():
        seed(url, Credentials(admin.email, admin.password), progress.say)


def buy(url: str) -> None:
    """Raises Problem unless the order ends COMPLETED and one unit is gone."""
    with _told():
        result = place(url, Wish(), progress.say)
    _expect(result["order"], "COMPLETED")


def be_declined(url: str) -> None:
    """Raises Problem unless the order ends CANCELLED and the stock is what it was."""
    with _told():
        result = place(url, Wish(card="tok_declined"), progress.say)
    _expect(result["order"], "CANCELLED")
    stock = result["stock"]
    with httpx.Client(base_url=url, timeout=10) as http:
        back = wait_for(
            lambda: _available(http, stock["sku"]) == stock["before"], STOCK_BACK_WITHIN
        )
    if not back:
        raise Problem(f"the stock of {stock['sku']} did not come back to {stock['before']}")
    progress.say(f"the stock is back: {stock['before']}")


def _available(http: httpx.Client, sku: str) -> int:
    answer = http.get(f"/api/v1/products/{sku}", headers={"Cache-Control": "no-cache"})
    return int(answer.raise_for_status().json()["available"])


def _expect(order: dict[str, Any], state: str) -> None:
    if order["state"] != state:
        raise Problem(
            f"order {order['id']} ended {order['state']}, expected {state}",
            remedy="kubectl -n shop logs deploy/orders; the timeline is above",
        )


@contextmanager
def _told() -> Iterator[None]:
    """The shop's own failures, as ours."""
    try:
        yield
    except ShopError as error:
        raise Problem(str(error), remedy="kubectl get microservices -n shop") from error
