import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from bank.app import create_app as create_bank
from bank.settings import BankSettings
from payments.app import create_app
from payments.messages import CancelCharge, ChargePayment
from payments.settings import PaymentsSettings
from payments.tables import payment_methods
from shopkit.app import Service
from shopkit.auth import Signer
from shopkit.messages import Body, Message, command_id, decode, encode
from shopkit.testing import client_of, running, settings_for, token
from shopkit.transport import Subscription, Transport
from shopkit.transport.memory import MemoryTransport
from shopkit.world import World

SECRET, HOOK = "sk_test", "whsec_test"
USER = "00000000-0000-7000-8000-000000000001"


@dataclass
class Hosts(httpx.AsyncBaseTransport):
    """The network of the test: apps by host name; a host that is not there does not answer."""

    apps: dict[str, Any] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        app = self.apps.get(request.url.host)
        if app is None:
            raise httpx.ConnectError(f"{request.url.host} is down")
        self.heard.append((request.method, request.url.path))
        return await httpx.ASGITransport(app).handle_async_request(request)


@dataclass
class Orders:
    """Asks as the orders service would and hears the answers."""

    world: World
    transport: Transport
    subscription: Subscription | None = None

    async def send(self, body: Body, *, attempt: int = 1) -> None:
        order_id = str(body.model_dump()["order_id"])
        message = Message(
            id=command_id(order_id, "payments", body.type_name()),
            kind="cmd",
            target="payments",
            type=body.type_name(),
            version=1,
            source="orders",
            time=self.world.clock.now(),
            correlation_id=order_id,
            causation_id=order_id,
            attempt=attempt,
            traceparent="",
            data=encode(body),
        )
        await self.transport.publish(message)

    async def hear(self, count: int = 1) -> list[tuple[str, dict[str, Any]]]:
        """The next answers as (type, body)."""
        if self.subscription is None:
            self.subscription = await self.transport.subscribe("reply")
        heard: list[tuple[str, dict[str, Any]]] = []
        async with asyncio.timeout(40):
            while len(heard) < count:
                for delivery in await self.subscription.fetch(count - len(heard), 5):
                    await delivery.ack()
                    heard.append((delivery.subject.split(".")[-1], decode(delivery.data)))
        return heard


@dataclass
class Town:
    """Payments, the bank and orders, on one network; payments can die and come back."""

    payments: Service
    bank: Service
    hosts: Hosts
    orders: Orders
    create: Callable[[], Service]

    async def method(self, token: str = "tok_ok", user: str = USER) -> str:
        """A payment method of `user`."""
        id = str(uuid4())
        row = {"id": id, "user_id": user, "token": token, "label": "card"}
        async with self.payments.db.transaction("add_method") as tx:
            values = {**row, "created_at": tx.clock.now()}
            await tx.execute(sa.insert(payment_methods).values(values))
        return id

    async def charge(self, order_id: str, method: str, amount: int = 500, attempt: int = 1) -> None:
        body = ChargePayment(
            order_id=order_id,
            user_id=USER,
            payment_method_id=method,
            amount=amount,
            currency="EUR",
        )
        await self.orders.send(body, attempt=attempt)

    async def cancel(self, order_id: str, attempt: int = 1) -> None:
        await self.orders.send(CancelCharge(order_id=order_id), attempt=attempt)

    async def heard(self) -> tuple[str, dict[str, Any]]:
        return (await self.orders.hear())[0]

    async def bank_ledger(self) -> list[tuple[str, int]]:
        """What the bank moved: charges and refunds of all orders."""
        secret = {"authorization": f"Bearer {SECRET}"}
        async with client_of(self.bank, **secret) as client:
            items = (await client.get("/ledger")).json()["items"]
        return [(item["kind"], item["amount"]) for item in items]

    def close_bank(self) -> None:
        del self.hosts.apps["bank"]

    def open_bank(self) -> None:
        self.hosts.apps["bank"] = self.bank.app

    async def restart(self) -> None:
        """After a crash, or as one."""
        await self.payments.kill()
        self.payments = self.create()
        await self.payments.start()
        await self.payments.settled()


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def world(hosts: Hosts) -> World:
    return World(http=hosts)


@pytest.fixture
def transport(world: World) -> Transport:
    return MemoryTransport("orders", world.broker, 10)


@pytest.fixture
def payments_settings(tmp_path: Path, keys: Signer) -> PaymentsSettings:
    return settings_for(
        PaymentsSettings,
        tmp_path,
        keys,
        bank_url="http://bank",
        bank_secret=SECRET,
        webhook_secret=HOOK,
        sqlite_synchronous="NORMAL",
        lock_timeout=30,
        relay_poll=0.1,
        payment_poll=0.1,
        retry_first=0.05,
        retry_max=0.2,
    )


@pytest.fixture
async def bank(tmp_path: Path, world: World, hosts: Hosts) -> AsyncIterator[Service]:
    settings = settings_for(
        BankSettings,
        tmp_path,
        bank_secret=SECRET,
        webhook_secret=HOOK,
        webhook_url="http://payments/api/v1/webhooks/bank",
        webhook_spread=0,
        sqlite_synchronous="NORMAL",
        lock_timeout=30,
        slow_seconds=0.1,
        hang_seconds=3600,
    )
    service = create_bank(settings, world)
    async with running(service):
        hosts.apps["bank"] = service.app
        yield service


@pytest.fixture
async def town(
    bank: Service,
    world: World,
    hosts: Hosts,
    transport: Transport,
    payments_settings: PaymentsSettings,
) -> AsyncIterator[Town]:
    def create() -> Service:
        return create_app(payments_settings, world)

    built = Town(create(), bank, hosts, Orders(world, transport), create)
    await built.payments.db.open()
    await built.payments.migrate()
    await built.payments.db.close()
    await built.payments.start()
    await built.payments.settled()
    yield built
    await built.payments.stop()


@pytest.fixture
async def customer(town: Town, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(town.payments, authorization=f"Bearer {token(keys, USER)}") as client:
        yield client


@pytest.fixture
async def admin(town: Town, keys: Signer) -> AsyncIterator[httpx.AsyncClient]:
    bearer = f"Bearer {token(keys, str(uuid4()), 'customer admin')}"
    async with client_of(town.payments, authorization=bearer) as client:
        yield client


@pytest.fixture
def order_id() -> str:
    return str(uuid4())
