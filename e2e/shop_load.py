"""Customers who browse and order through the gateway, and remember what they were told."""

import asyncio
import itertools
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

FINAL = {"COMPLETED", "CANCELLED", "REJECTED"}
CUSTOMERS = 6
PASSWORD = "correct horse battery staple"
KINDS = [
    ("tok_ok", "COMPLETED"),
    ("tok_declined", "CANCELLED"),
    ("tok_ok", "COMPLETED"),
    ("tok_ok", "REJECTED"),
]


@dataclass
class Record:
    """Every request that was sent, and every order that was placed."""

    sent: int = 0
    failed: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    orders: dict[str, str] = field(default_factory=dict)  # id -> expected final state
    promises: list[dict[str, Any]] = field(default_factory=list)  # answers to POST /orders
    bought: int = 0  # units in orders that must complete
    started: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Requests per second since the start."""
        return self.sent / (time.monotonic() - self.started)


@dataclass
class Customer:
    """One person with an account and two cards, one of which is always declined."""

    token: str
    cards: dict[str, str]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class Shop:
    """The shop as its users reach it; `patient`: a failed request is sent again as it was."""

    def __init__(self, url: str, record: Record, *, keep_alive: bool, patient: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=20 if keep_alive else 0)
        close = {} if keep_alive else {"Connection": "close"}
        self.http = httpx.AsyncClient(base_url=url, limits=limits, headers=close, timeout=10)
        self.record = record
        self.patient = patient
        self.label = "kept-alive" if keep_alive else "new"

    async def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send once (patient: until answered, 60 s); anything but 2xx and 304 counts as failed."""
        end = time.monotonic() + 60
        while True:
            answer, trouble = await self._once(method, path, **arguments)
            if answer is not None and not trouble:
                return answer
            if not self.patient or time.monotonic() > end:
                raise RuntimeError(trouble)
            await asyncio.sleep(0.5)

    async def _once(
        self, method: str, path: str, **arguments: Any
    ) -> tuple[httpx.Response | None, str]:
        self.record.sent += 1
        where = f"{method} {path} on a {self.label} connection"
        try:
            answer = await self.http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            return None, self._failed(f"{where}: {type(error).__name__} {error}")
        self.record.answers[f"{method} {answer.status_code}"] += 1
        if answer.is_success or answer.status_code == 304:
            return answer, ""
        return answer, self._failed(f"{where}: {answer.status_code} {answer.text[:200]}")

    def _failed(self, sentence: str) -> str:
        self.record.failed.append(sentence)
        return sentence


async def register(shop: Shop, cards: tuple[str, ...] = ("tok_ok", "tok_declined")) -> Customer:
    email = f"{uuid.uuid4().hex[:12]}@example.test"
    person = {"email": email, "password": PASSWORD, "name": "Load"}
    await shop.call(
        "POST", "/api/v1/users", json=person, headers={"Idempotency-Key": str(uuid.uuid4())}
    )
    login = {"email": email, "password": PASSWORD}
    token = (await shop.call("POST", "/api/v1/tokens", json=login)).json()["access_token"]
    customer = Customer(token, {})
    for card in cards:
        body = {"token": card, "label": card}
        headers = customer.headers | {"Idempotency-Key": str(uuid.uuid4())}
        made = await shop.call("POST", "/api/v1/payment-methods", json=body, headers=headers)
        customer.cards[card] = made.json()["id"]
    return customer


async def order(shop: Shop, customer: Customer, *, sku: str, card: str, expected: str) -> None:
    """Quote and order one unit; the record learns the order as soon as it is accepted."""
    lines = {"lines": [{"sku": sku, "quantity": 1}]}
    quote = (await shop.call("POST", "/api/v1/quotes", json=lines, headers=customer.headers)).json()
    headers = customer.headers | {"Idempotency-Key": quote["quote_id"]}
    body = {"quote": quote["quote"], "payment_method_id": customer.cards[card]}
    placed = (await shop.call("POST", "/api/v1/orders", json=body, headers=headers)).json()
    promise = {"key": quote["quote_id"], "status": 202, "order_id": placed["id"]}
    shop.record.promises.append(promise)
    shop.record.orders[placed["id"]] = expected
    shop.record.bought += expected == "COMPLETED"
    await settled(shop, customer, placed["id"])


async def settled(shop: Shop, customer: Customer, order_id: str, seconds: float = 180) -> str:
    """The order's final state."""
    end = time.monotonic() + seconds
    while True:
        answer = await shop.call("GET", f"/api/v1/orders/{order_id}", headers=customer.headers)
        state = str(answer.json()["state"])
        if state in FINAL:
            _compare(shop.record, order_id, state)
            return state
        if time.monotonic() > end:
            raise AssertionError(f"order {order_id} is still {state} after {seconds:.0f} s")
        await asyncio.sleep(1)


def _compare(record: Record, order_id: str, state: str) -> None:
    expected = record.orders[order_id]
    assert state == expected, f"order {order_id} ended {state}, expected {expected}"


async def browse(shop: Shop, sku: str, every: float) -> None:
    """Look at pages and products for ever, one request each `every` seconds."""
    for path in itertools.cycle(
        ["/api/v1/products", f"/api/v1/products/{sku}", "/", "/api/v1/products?q=a"]
    ):
        looked = asyncio.create_task(_look(shop, path))
        await asyncio.sleep(every)
        await looked


async def _look(shop: Shop, path: str) -> None:
    try:
        await shop.call("GET", path)
    except RuntimeError:
        return  # already in the record


@asynccontextmanager
async def load(url: str, skus: dict[str, str], *, patient: bool) -> AsyncIterator[Record]:
    """Six customers and four browsers, half of each on kept-alive connections, during the block."""
    warm = Shop(url, Record(), keep_alive=True, patient=True)
    people = [await register(warm) for _ in range(CUSTOMERS)]
    await warm.http.aclose()
    record = Record()
    shops = [Shop(url, record, keep_alive=k, patient=patient) for k in (True, False)]
    stop = asyncio.Event()
    orders = [
        asyncio.create_task(_until(stop, shops[i % 2], person, skus))
        for i, person in enumerate(people)
    ]
    looks = [asyncio.create_task(browse(shops[i % 2], skus["full"], 0.25)) for i in range(4)]
    try:
        yield record
        stop.set()
        await asyncio.gather(*orders)
    finally:
        for task in (*orders, *looks):
            task.cancel()
        await asyncio.gather(*orders, *looks, return_exceptions=True)
        for shop in shops:
            await shop.http.aclose()


async def _until(stop: asyncio.Event, shop: Shop, customer: Customer, skus: dict[str, str]) -> None:
    """Shop until told to stop; the order under way is followed to its end."""
    kinds = itertools.cycle(KINDS)
    while not stop.is_set():
        card, expected = next(kinds)
        sku = skus["empty"] if expected == "REJECTED" else skus["full"]
        await order(shop, customer, sku=sku, card=card, expected=expected)
