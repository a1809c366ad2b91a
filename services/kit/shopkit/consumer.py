"""The consumer: fetch, handle in one transaction, ack (rules c, e, h)."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog

from shopkit import inbox, spans, traces
from shopkit.chassis import Chassis
from shopkit.db import DatabaseAway
from shopkit.errors import Unavailable
from shopkit.messages import Kind, Message
from shopkit.registry import Handlers
from shopkit.relay import step_of
from shopkit.transport import Delivery, Subscription
from shopkit.waker import first_of

POISONED_AFTER = 5
_FETCH_SECONDS = 5.0
_BACKOFF = 0.05
_DATABASE_POLL = 0.5


class Consumer:
    """Of one kind of message for one service. Keeps going whatever a message does to it."""

    def __init__(self, chassis: Chassis, handlers: Handlers, kind: Kind) -> None:
        self._c, self._handlers, self._kind = chassis, handlers, kind
        self._service = chassis.database.service
        self._log = structlog.get_logger().bind(service=self._service, kind=kind)
        self._database_away = False

    async def run(self, stop: asyncio.Event) -> None:
        subscription = await self._c.transport.subscribe(self._kind)
        try:
            while not stop.is_set():
                await self._round(subscription, stop)
                await self._wait_for_database(stop)
        finally:
            await subscription.close()

    async def _round(self, subscription: Subscription, stop: asyncio.Event) -> None:
        turns = asyncio.Semaphore(self._c.settings.consumer_concurrency)
        async with asyncio.TaskGroup() as group:
            for delivery in await self._fetch(subscription, stop):
                group.create_task(self._in_turn(turns, delivery, stop))

    async def _fetch(self, subscription: Subscription, stop: asyncio.Event) -> Sequence[Delivery]:
        """Ends at once when the service stops."""
        batch = self._c.settings.consumer_batch
        fetch = asyncio.ensure_future(subscription.fetch(batch, _FETCH_SECONDS))
        try:
            await first_of(asyncio.wait([fetch]), stop.wait())
            return fetch.result() if fetch.done() else ()
        finally:
            fetch.cancel()
            await asyncio.gather(fetch, return_exceptions=True)

    async def _in_turn(
        self, turns: asyncio.Semaphore, delivery: Delivery, stop: asyncio.Event
    ) -> None:
        async with turns:
            if stop.is_set() or self._database_away:
                await delivery.hand_back()
            else:
                await self._deliver(delivery)

    async def _wait_for_database(self, stop: asyncio.Event) -> None:
        """Nothing is fetched meanwhile, so that healthy replicas get the messages (rule e)."""
        while self._database_away and not stop.is_set():
            await first_of(asyncio.sleep(_DATABASE_POLL), stop.wait())
            try:
                await self._c.database.ping()
                self._database_away = False
            except Unavailable:
                continue

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            step = await self._handle_or_bury(delivery)
        except DatabaseAway as error:
            self._database_away = True
            self._log.warning("database_away", error=str(error))
            return
        async with self._c.points.around(self._service, step, "ack"):
            await delivery.ack()

    async def _handle_or_bury(self, delivery: Delivery) -> str:
        """Returns the step's name; raises DatabaseAway when neither could be done."""
        try:
            message = Message.parse(delivery.subject, delivery.headers, delivery.data)
            self._refuse_poison(delivery)
            with self._in_trace(message) as ours:
                await self._tries(ours)
            return step_of(message.type)
        except DatabaseAway:
            raise
        except Exception as error:
            await self._bury(inbox.failure(delivery, error))
            return "dead_letter"

    @contextmanager
    def _in_trace(self, message: Message) -> Iterator[Message]:
        """The message as if it came from here: what its handler keeps and sends is our child."""
        name, said = f"process {message.type}", spans.of(message)
        with (
            self._c.spans.span("consumer", name, message.traceparent, said) as span,
            structlog.contextvars.bound_contextvars(message_id=message.id, type=message.type),
        ):
            yield replace(message, traceparent=span.traceparent)

    def _refuse_poison(self, delivery: Delivery) -> None:
        if delivery.delivered > POISONED_AFTER:
            times = delivery.delivered - 1
            raise RuntimeError(f"delivered {times} times without an ack: it may kill the process")

    async def _tries(self, message: Message) -> None:
        last = self._c.settings.handler_tries
        for attempt in range(1, last + 1):
            try:
                return await self._once(message)
            except DatabaseAway:
                raise
            except Exception as error:
                self._log.warning("handler_failed", attempt=attempt, exc_info=error)
                if attempt == last:
                    raise
            await asyncio.sleep(_BACKOFF * attempt)

    async def _once(self, message: Message) -> None:
        started, outcome = self._c.clock.monotonic(), "failed"
        try:
            async with self._c.database.transaction(step_of(message.type)) as tx:
                result = await inbox.handle(tx, self._handlers, message)
            outcome = result
        finally:
            traces.here().set("outcome", outcome)
            seconds = self._c.clock.monotonic() - started
            known = message.type if self._handlers.knows(message.type) else "unknown"
            self._c.metrics.message_seconds.labels(known, outcome).observe(seconds)

    async def _bury(self, failed: inbox.Failure) -> None:
        self._log.error("dead_letter", type=failed.type, message_id=failed.message_id)
        async with self._c.database.transaction("dead_letter") as tx:
            await inbox.bury(tx, failed)
