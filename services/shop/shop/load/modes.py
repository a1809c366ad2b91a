"""What one arrival does."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shop.customer import Json
from shop.load import customers, goods
from shop.load.client import Client, Reply
from shop.load.customers import Customer
from shop.load.open_loop import Mode, Say
from shop.load.orders import Book, Promise
from shop.load.plan import Plan
from shop.load.tally import SERVICE_OF, Tally

LIST = "/products?limit=20"
ALSO = 2  # other functions that each arrival of `functions` uses


@dataclass
class Load:
    """`people`: how many customers; `fresh`: never with the tag of a list that was seen."""

    client: Client
    plan: Plan
    tally: Tally
    book: Book
    people: int
    say: Say
    fresh: bool = True
    customers: Sequence[Customer] = field(default_factory=list)

    async def sign_up(self) -> None:
        self.customers = await customers.sign_up(self.client, self.people, self.say)

    def customer(self, number: int) -> Customer:
        return self.customers[number % len(self.customers)]

    async def quote(self, customer: Customer, sku: str) -> Reply:
        lines = {"lines": [{"sku": sku, "quantity": 1}]}
        return await self.client.ask("catalog", "POST", "/quotes", lines, token=customer.token)

    async def order(self, customer: Customer, quote: Json, due: float) -> None:
        """The quote's id is the key: this quote can only become one order."""
        body = {"quote": quote["quote"], "payment_method_id": customer.card}
        key = str(quote["quote_id"])
        sent = self.client.ask("orders", "POST", "/orders", body, token=customer.token, key=key)
        reply = await self.tally.timed("order", due, sent)
        if reply is not None:
            promise = Promise(str(reply.json()["id"]), customer, due, time.monotonic())
            self.book.accepted(key, reply.status, promise)

    async def login(self, customer: Customer) -> Reply:
        who = {"email": customer.email, "password": customer.password}
        return await self.client.ask("auth", "POST", "/tokens", who)


class Checkouts:
    """A quote and an order with it."""

    main = "order"

    def __init__(self, load: Load) -> None:
        self._load = load

    async def prepare(self) -> None:
        load = self._load
        await load.sign_up()
        self._goods = await goods.stocked(load.client, load.plan.count, load.say)

    async def arrive(self, number: int, due: float) -> None:
        load, customer = self._load, self._load.customer(number)
        quote = await load.tally.timed("quote", due, load.quote(customer, self._goods[number]))
        if quote is not None:
            await load.order(customer, quote.json(), due)


class Products:
    """The first page of the list, with the tag of the last answer if that is wanted."""

    main = "products"

    def __init__(self, load: Load) -> None:
        self._load = load
        self._headers: dict[str, str] = {}

    async def prepare(self) -> None:
        return None

    async def arrive(self, number: int, due: float) -> None:
        load = self._load
        sent = load.client.ask("catalog", "GET", LIST, headers=self._headers)
        reply = await load.tally.timed(self.main, due, sent)
        if reply is not None and not load.fresh:
            self._headers = {"If-None-Match": reply.headers["ETag"]}


class Logins:
    """Email and password for a token."""

    main = "login"

    def __init__(self, load: Load) -> None:
        self._load = load

    async def prepare(self) -> None:
        await self._load.sign_up()

    async def arrive(self, number: int, due: float) -> None:
        load = self._load
        await load.tally.timed(self.main, due, load.login(load.customer(number)))


class Functions:
    """An order with a quote bought before, and beside it the other functions in turn: which of
    them fail while something is dead?"""

    main = "order"

    def __init__(self, load: Load) -> None:
        self._load = load
        self._others = [name for name in SERVICE_OF if name != self.main]

    async def prepare(self) -> None:
        load = self._load
        await load.sign_up()
        self._goods = await goods.stocked(load.client, load.plan.count, load.say)
        load.say(f"asking for {load.plan.count} quotes")
        self._quotes = [await self._quote_ahead(number) for number in range(load.plan.count)]

    async def _quote_ahead(self, number: int) -> Json:
        reply = await customers.patiently(lambda: self._quote(number), self._load.say)
        return dict(reply.json())

    async def _quote(self, number: int) -> Reply:
        return await self._load.quote(self._load.customer(number), self._goods[number])

    async def arrive(self, number: int, due: float) -> None:
        load = self._load
        names = [self._others[(ALSO * number + i) % len(self._others)] for i in range(ALSO)]
        await asyncio.gather(
            load.order(load.customer(number), self._quotes[number], due),
            *(load.tally.timed(name, due, self._other(name, number)) for name in names),
        )

    async def _other(self, name: str, number: int) -> Reply:
        load, customer = self._load, self._load.customer(number)
        match name:
            case "quote":
                return await self._quote(number)
            case "login":
                return await load.login(customer)
            case "page":
                return await load.client.page("storefront", "/")
            case _:
                paths = {"order list": "/orders?limit=1", "cart": "/cart", "products": LIST}
                path = paths.get(name, "/payment-methods")
                return await load.client.ask(SERVICE_OF[name], "GET", path, token=customer.token)


MODES: Mapping[str, Callable[[Load], Mode]] = {
    "checkouts": Checkouts,
    "products": Products,
    "logins": Logins,
    "functions": Functions,
}
