"""The relay publishes the outbox: the only code that publishes (rules a and b)."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace

import structlog

from shopkit import outbox, spans
from shopkit.chassis import Chassis
from shopkit.messages import Message
from shopkit.transport import PublishFailed
from shopkit.waker import Waker, first_of

BATCH = 64
AGAIN = 1.0  # seconds after which the broker may have what it lacked


def step_of(type: str) -> str:
    """`ReserveStock` -> `reserve_stock`: the name of a message type in crash points."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type).lower()


class Relay:
    """Any number of replicas may run one; a leased row belongs to one of them."""

    def __init__(self, chassis: Chassis, waker: Waker) -> None:
        self._c, self._waker = chassis, waker

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            published, failed = await self.once()
            if failed or published < BATCH:
                poll = self._c.settings.relay_poll
                wait = min(poll, AGAIN) if failed else poll
                await first_of(self._waker.wait(wait), stop.wait())

    async def once(self) -> tuple[int, int]:
        """One pass over the oldest rows: how many were published and how many could not be."""
        token = self._c.ids.token(12)
        async with self._c.database.transaction("relay_take") as tx:
            messages = await outbox.take(tx, token, self._c.settings.relay_lease, BATCH)
        if not messages:
            return 0, 0
        published = await self._publish_all(messages)
        async with self._c.database.transaction("relay_sent") as tx:
            if published:
                await outbox.sent(tx, token, published)
            if len(published) < len(messages):
                await outbox.release(tx, token)
        return len(published), len(messages) - len(published)

    async def _publish_all(self, messages: Sequence[Message]) -> list[str]:
        """Ids of those the broker has stored."""
        results = await asyncio.gather(*map(self._send, messages), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, PublishFailed):
                raise result
        return [m.id for m, r in zip(messages, results, strict=True) if r is None]

    async def _send(self, message: Message) -> None:
        name, parent = f"send {message.type}", message.traceparent
        with self._c.spans.span("producer", name, parent, spans.of(message)) as span:
            await self._publish(replace(message, traceparent=span.traceparent))

    async def _publish(self, message: Message) -> None:
        step, service = step_of(message.type), self._c.database.service
        try:
            async with self._c.points.around(service, step, "publish"):
                for copy in self._c.switches.copies(message):
                    await self._c.transport.publish(copy)
        except PublishFailed as error:
            log = structlog.get_logger()
            log.warning("publish_failed", type=message.type, error=str(error), service=service)
            raise
        self._c.metrics.messages_published.labels(message.type).inc()
