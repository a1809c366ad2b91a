"""Rule h, and what a lost broker means."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client as NatsClient
from services.kit.tests.chassis import ORDER, hold_message
from services.kit.tests.conftest import Embedded, Real
from services.kit.tests.toy import buyer, seller
from services.kit.tests.toy.world import Backend, toys

from shopkit.clock import Clock, SystemClock
from shopkit.testing import ServerProcess, until
from shopkit.transport import PublishFailed, Transport
from shopkit.transport.memory import MemoryBroker, MemoryTransport
from shopkit.transport.nats import NatsTransport


class FastForward(SystemClock):
    """The real clock, set ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def nats_transport(real: Real, clock: Clock) -> NatsTransport:
    return NatsTransport("seller", f"nats://127.0.0.1:{real.nats.port}", 0.5, clock)


def transport_of(backend: Backend, clock: Clock) -> Transport:
    if isinstance(backend, Real):
        return nats_transport(backend, clock)
    return MemoryTransport("seller", MemoryBroker(clock), 0.5)


@pytest.fixture
def clock() -> FastForward:
    return FastForward()


@pytest.fixture
async def transport(backend: Embedded | Real, clock: FastForward) -> object:
    transport = transport_of(backend, clock)
    await transport.start()
    yield transport
    await transport.stop()


async def published(transport: Transport, attempt: int = 1) -> None:
    """Until the broker has it; the first tries make the stream."""

    async def stored() -> bool:
        try:
            await transport.publish(hold_message(attempt))
        except PublishFailed:
            return False
        return True

    await until(stored)


async def test_h_a_message_is_fetched_and_gone_after_its_ack(transport: Transport) -> None:
    subscription = await transport.subscribe("cmd")
    await published(transport)
    (delivery,) = await subscription.fetch(32, 5)
    assert (delivery.subject, delivery.delivered) == ("cmd.seller.v1.Hold", 1)
    assert delivery.headers["ce-id"] == hold_message().id
    await delivery.ack()
    assert await subscription.fetch(32, 0.7) == []
    await subscription.close()


async def test_h_a_message_without_an_ack_comes_again(transport: Transport) -> None:
    subscription = await transport.subscribe("cmd")
    await published(transport)
    await subscription.fetch(32, 5)
    (again,) = await subscription.fetch(32, 5)
    assert again.delivered == 2
    await subscription.close()


async def test_h_a_message_handed_back_comes_at_once(transport: Transport) -> None:
    subscription = await transport.subscribe("cmd")
    await published(transport)
    (delivery,) = await subscription.fetch(32, 5)
    await delivery.hand_back()
    (again,) = await asyncio.wait_for(subscription.fetch(32, 5), 5)
    assert again.delivered == 2
    await subscription.close()


async def test_f_the_broker_drops_a_second_message_with_the_same_attempt(
    transport: Transport,
) -> None:
    subscription = await transport.subscribe("cmd")
    for attempt in (1, 1, 2):
        await published(transport, attempt)
    got: list[str] = []

    async def both() -> bool:
        for delivery in await subscription.fetch(32, 1):
            got.append(delivery.headers["ce-attempt"])
            await delivery.ack()
        return len(got) >= 2

    await until(both)
    assert got == ["1", "2"]
    await subscription.close()


@asynccontextmanager
async def connected(transport: NatsTransport) -> AsyncIterator[NatsTransport]:
    await transport.start()
    try:
        yield transport
    finally:
        await transport.stop()


async def test_h_the_watchdog_rebuilds_a_subscription_that_went_deaf(
    real: Real, clock: FastForward
) -> None:
    async with connected(nats_transport(real, clock)) as transport:
        subscription = await transport.subscribe("cmd")
        assert await subscription.fetch(32, 0.1) == []
        assert subscription._subscription is not None
        await subscription._subscription.unsubscribe()
        await published(transport)
        assert await subscription.fetch(32, 0.1) == []
        clock.ahead = 31
        assert len(await subscription.fetch(32, 5)) == 1
        await subscription.close()


async def test_h_a_lost_queue_only_delays(embedded: Embedded) -> None:
    async with toys(embedded) as toy:
        toy.world.broker.down = True
        await buyer.buy(toy.buyer, ORDER)
        toy.world.broker.down = False
        toy.world.broker.wipe()
        await toy.reaches(ORDER, "DONE")


async def test_h_a_wiped_broker_repairs_itself(real: Real, nats_server: ServerProcess) -> None:
    async with toys(real) as toy:
        first, second = ORDER, ORDER[:-1] + "2"
        await buyer.buy(toy.buyer, first)
        await toy.reaches(first, "DONE", 20)
        nats_server.stop(signal.SIGKILL)
        await buyer.buy(toy.buyer, second)
        shutil.rmtree(nats_server.folder / "store")
        nats_server.start()
        await toy.reaches(second, "DONE", 20)


async def test_e_without_its_database_a_consumer_fetches_nothing_and_acks_nothing(
    real: Real, postgres_server: ServerProcess
) -> None:
    async with toys(real) as toy:
        await buyer.buy(toy.buyer, ORDER)
        await toy.reaches(ORDER, "DONE", 20)
        other = ORDER[:-1] + "3"
        async with connected(nats_transport(real, SystemClock())) as transport:
            postgres_server.stop(signal.SIGINT)
            try:
                client = await transport.client()
                await transport.publish(hold_message(order_id=other))
                await until(lambda: waits(client))
            finally:
                postgres_server.start()
            await until(lambda: gone(client), 20)
        assert other in await seller.hold_statuses(toy.seller)


async def waits(client: NatsClient) -> bool:
    info = await client.jetstream().stream_info("CMD")
    return info.state.messages == 1


async def gone(client: NatsClient) -> bool:
    return not await waits(client)
