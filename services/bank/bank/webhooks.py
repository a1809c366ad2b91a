"""Webhooks: signed, durable, every event sent twice and not in order, tried for about a day."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import sqlalchemy as sa

from bank.domain import Intent, Refund, event_of
from bank.settings import BankSettings
from bank.tables import deliveries
from bank.wire import Json, intent_json, refund_json, signature
from shopkit.app import Service
from shopkit.db import Tx
from shopkit.http import BreakerOpen, Unreachable

COPIES, BATCH, GIVE_UP_AFTER, LONGEST_WAIT = 2, 20, 30, 3600.0


class Webhooks:
    """Silent where no URL is set."""

    def __init__(self, service: Service, settings: BankSettings) -> None:
        self._db, self._settings, self._log = service.db, settings, service.log
        self._clock, self._ids = service.clock, service.ids
        self._url = settings.webhook_url
        parts = urlsplit(settings.webhook_url or "")
        self._path = parts.path
        self._client = service.client("webhook", f"{parts.scheme}://{parts.netloc}")
        self.wake = service.every("webhooks", settings.webhook_poll, self.deliver).wake

    async def announce(self, tx: Tx, subject: Intent | Refund) -> None:
        """Rows of the transaction that changed the subject."""
        if self._url is None:
            return
        event = self._event(tx, subject)
        payload = orjson.dumps(event)
        for _ in range(COPIES):
            due = tx.clock.now() + timedelta(seconds=self._some_delay(tx))
            values = {"event_id": event["id"], "payload": payload, "due_at": due, "attempts": 0}
            await tx.execute(sa.insert(deliveries).values(values))
        tx.after_commit(self.wake)

    async def deliver(self) -> None:
        """One pass over what is due."""
        async with self._db.read() as tx:
            now = tx.clock.now()
            due = sa.select(deliveries).where(deliveries.c.due_at <= now)
            rows = await tx.all(due.order_by(deliveries.c.due_at).limit(BATCH))
        for row in rows:
            await self._conclude(row, delivered=await self._sent(row.payload))

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

    async def _sent(self, payload: bytes) -> bool:
        secret = self._settings.webhook_secret
        now = int(self._clock.now().timestamp())
        signed = signature(
            payload, secret=secret.get_secret_value() if secret else "", timestamp=now
        )
        headers = {"Stripe-Signature": signed, "Content-Type": "application/json"}
        try:
            answer = await self._client.call(
                "POST", self._path, operation="webhook", json=orjson.loads(payload), headers=headers
            )
        except (Unreachable, BreakerOpen):
            return False
        return answer.is_success

    async def _conclude(self, row: sa.Row[Any], *, delivered: bool) -> None:
        this = deliveries.c.id == row.id
        attempts = row.attempts + 1
        async with self._db.transaction("webhook_sent") as tx:
            if delivered or attempts >= GIVE_UP_AFTER:
                await tx.execute(sa.delete(deliveries).where(this))
                return
            wait = timedelta(seconds=min(LONGEST_WAIT, 2.0**attempts))
            values = {"attempts": attempts, "due_at": tx.clock.now() + wait}
            await tx.execute(sa.update(deliveries).where(this).values(values))
