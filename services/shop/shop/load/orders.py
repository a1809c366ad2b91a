"""Orders of a load: what was promised, and where each of them stands."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from shop.customer import FINAL, ShopError
from shop.load.client import Client
from shop.load.customers import Customer
from shop.load.failures import Failed
from shop.load.open_loop import Say

POLL, AT_ONCE, PAGE = 0.5, 4, 100
CONFIRMING = "Charged"  # the event that makes an order CONFIRMED


@dataclass(frozen=True, slots=True)
class Promise:
    """An order that was accepted; moments of the monotonic clock."""

    order_id: str
    customer: Customer
    due: float
    answered: float


@dataclass(frozen=True, slots=True)
class Course:
    """An order so far; seconds since it was placed, as the shop's own timeline has them."""

    state: str
    confirmed: float | None = None
    ended: float | None = None


def course(order: Mapping[str, Any]) -> Course:
    """Both ends of each span are stamps of one service: clocks that differ do not matter."""
    state, happened = str(order["state"]), order["timeline"]
    stamps = [datetime.fromisoformat(entry["at"]) for entry in happened]
    passed = [(stamp - stamps[0]).total_seconds() for stamp in stamps]
    # One that came too late to count has a detail that says so.
    confirming = (e["event"] == CONFIRMING and not e["detail"] for e in happened)
    confirmed = next((at for at, is_it in zip(passed, confirming, strict=True) if is_it), None)
    return Course(state, confirmed, passed[-1] if state in FINAL else None)


@dataclass
class Book:
    """`file`: a line for each promise, for `shop audit --record`."""

    file: TextIO | None = None
    promises: list[Promise] = field(default_factory=list)
    courses: dict[str, Course] = field(default_factory=dict)

    def accepted(self, key: str, status: int, promise: Promise) -> None:
        self.promises.append(promise)
        if self.file is not None:
            line = {"key": key, "status": status, "order_id": promise.order_id}
            # Flushed: whoever kills this process still knows what was promised.
            print(json.dumps(line), file=self.file, flush=True)

    def unfinished(self) -> list[Promise]:
        return [p for p in self.promises if self._state(p) not in FINAL]

    def _state(self, promise: Promise) -> str:
        known = self.courses.get(promise.order_id)
        return known.state if known else ""

    def confirmed(self) -> Iterator[float]:
        """Seconds from due to CONFIRMED; the way of the answer is counted twice, never left out."""
        for p in self.promises:
            known = self.courses.get(p.order_id)
            if known and known.confirmed is not None:
                yield p.answered - p.due + known.confirmed

    def ended(self) -> Iterator[tuple[Promise, float]]:
        """Each final order, and the moment of its end."""
        for p in self.promises:
            known = self.courses.get(p.order_id)
            if known and known.ended is not None:
                yield p, p.answered + known.ended


async def follow(client: Client, book: Book, seconds: float, say: Say, stop: asyncio.Event) -> None:
    """Until all orders have ended, or for so long; the lists are read only now, not under load."""
    until = time.monotonic() + seconds
    while (waiting := book.unfinished()) and not stop.is_set():
        await _look(client, book, waiting)
        left = len(book.unfinished())
        if not left or time.monotonic() >= until:
            return
        say(f"{left} orders have not ended, {until - time.monotonic():.0f} s left")
        await asyncio.sleep(POLL)


async def _look(client: Client, book: Book, waiting: Sequence[Promise]) -> None:
    by_customer: dict[Customer, set[str]] = defaultdict(set)
    for promise in waiting:
        by_customer[promise.customer].add(promise.order_id)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(customer: Customer, wanted: set[str]) -> None:
        async with turns:
            book.courses |= await _courses(client, customer, wanted)

    await asyncio.gather(*(one(customer, wanted) for customer, wanted in by_customer.items()))


async def _courses(client: Client, customer: Customer, wanted: set[str]) -> dict[str, Course]:
    """Newest first, page by page, until all that are wanted were seen; a failure is tried later."""
    found: dict[str, Course] = {}
    cursor = ""
    while wanted - found.keys():
        path = f"/orders?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        try:
            page = (await client.ask("orders", "GET", path, token=customer.token)).json()
        except Failed:
            return found
        found |= {o["id"]: course(o) for o in page["items"] if o["id"] in wanted}
        cursor = page["next_cursor"]
        if not cursor:
            return found
    return found


@contextmanager
def kept(path: Path | None) -> Iterator[Book]:
    """A file that is there is continued: the orders of an earlier load are in the shop as well."""
    if path is None:
        yield Book()
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise ShopError(f"{path}: {error.strerror}") from error
    with file:
        yield Book(file)
