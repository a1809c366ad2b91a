"""The consumer: fetch, handle in one transaction, ack (rules c, e, h)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shopkit import inbox, traces
from shopkit.clock import Clock
from shopkit.db import Database, DatabaseAway
from shopkit.errors import Unavailable
from shopkit.faults import CrashPoints
from shopkit.messages import Kind, Message
from shopkit.metrics import Metrics
from shopkit.registry import Handlers
from shopkit.relay import step_of
from shopkit.settings import Settings
from shopkit.transport import Delivery, Subscription, Transport
from shopkit.waker import first_of

POISONED_AFTER = 5
_BACKOFF = 0.05


@dataclass(frozen=True, slots=True)
class Chassis:
    """The parts of a service that its components share."""

    database: Database
    transport: Transport
    settings: Settings
    clock: Clock
    points: CrashPoints
    metrics: Metrics


class Consumer:
    """Of one kind of message for one service. Keeps going whatever a message does to it."""

    def __init__(self, chassis: Chassis, handlers: Handlers, kind: Kind) -> None:
        self._c, self._handlers, self._kind = chassis, handlers, kind
        self._log = structlog.get_logger().bind(service=chassis.database.service, kind=kind)

    async def run(self, stop: asyncio.Event) -> None:
        subscription = await self._c.transport.subscribe(self._kind)
        try:
            while not stop.is_set():
                await self._database_answers(stop)
                await self._round(subscription, stop)
        finally:
            await subscription.close()

    async def _round(self, subscription: Subscription, stop: asyncio.Event) -> None:
        deliveries = await self._fetch(subscription, stop)
        turns = asyncio.Semaphore(self._c.settings.consumer_concurrency)
        async with asyncio.TaskGroup() as group:
            for delivery in deliveries:
                group.create_task(self._in_turn(turns, delivery, stop))

    async def _fetch(
        self, subscription: Subscription, stop: asyncio.Event
    ) -> Sequence[Delivery]:
        """Ends at once when the service stops; what came in that moment is handed back."""
        fetch = asyncio.ensure_future(subscription.fetch(self._c.settings.consumer_batch, 5.0))
        await first_of(asyncio.wait([fetch]), stop.wait())
        if fetch.done():
            return fetch.result()
        fetch.cancel()
        await asyncio.gather(fetch, return_exceptions=True)
        return ()

    async def _in_turn(
        self, turns: asyncio.Semaphore, delivery: Delivery, stop: asyncio.Event
    ) -> None:
        async with turns:
            if stop.is_set():
                await delivery.hand_back()
            else:
                await self._deliver(delivery)
