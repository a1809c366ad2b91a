"""Webhooks: signed, durable, every event sent twice and not in order, tried for about a day."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import sqlalchemy as sa

from bank.domain import Intent, Refund, event_of
from bank.settings import BankSettings
from bank.tables import deliveries
from bank.wire import Json, intent_json, refund_json, signature
from shopkit import traces
from shopkit.app import Service
from shopkit.db import Tx
from shopkit.http import BreakerOpen, Client, Unreachable

COPIES, BATCH, GIVE_UP_AFTER, LONGEST_WAIT = 2, 20, 30, 3600.0


class Webhooks:
    """Silent where no URL is set."""

    def __init__(self, service: Service, settings: BankSettings) -> None:
        self._db, self._settings = service.db, settings
        self._clock = service.clock
        self._client: Client | None = None
        self._wake: Callable[[], None] = lambda: None
        if settings.webhook_url is not None:
            parts = urlsplit(settings.webhook_url)
            self._path = parts.path
            self._client = service.client("webhook", f"{parts.scheme}://{parts.netloc}")
            self._wake = service.every("webhooks", settings.webhook_poll, self.deliver).wake

    async def announce(self, tx: Tx, subject: Intent | Refund) -> None:
        """Rows of the transaction that changed the subject."""
        if self._client is None:
            return
        event = self._event(tx, subject)
        payload = orjson.dumps(event)
        for _ in range(COPIES):
            due = tx.clock.now() + timedelta(seconds=self._some_delay(tx))
            values = {"event_id": event["id"], "payload": payload, "due_at": due, "attempts": 0}
            traced = {"traceparent": traces.current()}
            await tx.execute(sa.insert(deliveries).values(values | traced))
        tx.after_commit(self._wake)

    async def deliver(self) -> None:
        """Until nothing is due."""
        while rows := await self._due():
            delivered = await asyncio.gather(*(self._sent(row) for row in rows))
            async with self._db.transaction("webhooks_sent") as tx:
                for row, done in zip(rows, delivered, strict=True):
                    await self._conclude(tx, row, delivered=done)

    async def _due(self) -> Sequence[sa.Row[Any]]:
        async with self._db.read() as tx:
            due = sa.select(deliveries).where(deliveries.c.due_at <= tx.clock.now())
            return await tx.all(due.order_by(deliveries.c.due_at).limit(BATCH))

    def _event(self, tx: Tx, subject: Intent | Refund) -> Json:
        if isinstance(subject, Intent):
            shown = intent_json(subject, public_url=self._settings.public_url)
        else:
            shown = refund_json(subject)
        return {
            "id": f"evt_{tx.ids.uuid7().replace('-', '')}",
            "object": "event",
            "type": event_of(subject).type,
            "created": int(tx.clock.now().timestamp()),
            "data": {"object": shown},
        }

    def _some_delay(self, tx: Tx) -> float:
        """Half of all copies leave at once, the others overtake each other."""
        return max(0.0, (tx.ids.random() * 2 - 1) * self._settings.webhook_spread)

    async def _sent(self, row: sa.Row[Any]) -> bool:
        """In the trace of the request that it tells of."""
        with traces.inside(traces.Span(row.traceparent)):
            return await self._accepted(row.payload)

    async def _accepted(self, payload: bytes) -> bool:
        if self._client is None:
            return False
        # The client writes what orjson wrote before: the same bytes that are signed here.
        body: Json = orjson.loads(payload)
        headers = {"Stripe-Signature": self._signature(payload), "Content-Type": "application/json"}
        try:
            answer = await self._client.call(
                "POST", self._path, operation="webhook", json=body, headers=headers
            )
        except (Unreachable, BreakerOpen):
            return False
        return answer.is_success

    def _signature(self, payload: bytes) -> str:
        secret = self._settings.webhook_secret
        now = int(self._clock.now().timestamp())
        return signature(payload, secret=secret.get_secret_value() if secret else "", timestamp=now)

    async def _conclude(self, tx: Tx, row: sa.Row[Any], *, delivered: bool) -> None:
        this, attempts = deliveries.c.id == row.id, row.attempts + 1
        if delivered or attempts >= GIVE_UP_AFTER:
            await tx.execute(sa.delete(deliveries).where(this))
            return
        seconds = min(LONGEST_WAIT, self._settings.webhook_retry * 2.0**row.attempts)
        later = tx.clock.now() + timedelta(seconds=seconds)
        values = {"attempts": attempts, "due_at": later}
        await tx.execute(sa.update(deliveries).where(this).values(values))
