"""The timeline as server-sent events, from the one after Last-Event-ID on."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import sqlalchemy as sa

from orders import order_store
from orders.domain import FINAL
from orders.settings import OrdersSettings
from orders.watching import Watching
from shopkit.clock import Clock
from shopkit.db import Database
from shopkit.drain import Drain
from shopkit.waker import Waker, first_of

MEDIA_TYPE = "text/event-stream"
# Proxies must neither keep nor collect what has to arrive at once.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_GOODBYE = "retry: 1000\n\n"
_HEARTBEAT = ": still here\n\n"


class Events:
    """The stream ends with the order, or when this process drains: then with a `retry`."""

    def __init__(
        self, db: Database, watching: Watching, drain: Drain, clock: Clock, settings: OrdersSettings
    ) -> None:
        self._db, self._watching, self._drain, self._clock = db, watching, drain, clock
        self._poll, self._heartbeat = settings.events_poll, settings.events_heartbeat

    async def of(self, order_id: str, last: int) -> AsyncIterator[str]:
        spoke = self._clock.monotonic()
        with self._watching.watch(order_id) as waker:
            while not self._drain.stopping.is_set():
                final, texts, last = await self._news(order_id, last)
                if not texts and self._clock.monotonic() - spoke >= self._heartbeat:
                    texts = [_HEARTBEAT]
                for text in texts:
                    spoke = self._clock.monotonic()
                    yield text
                if final:
                    return
                await self._wait(waker)
        yield _GOODBYE

    async def _news(self, order_id: str, last: int) -> tuple[bool, list[str], int]:
        """The state first: what made it final is then in the timeline that is read after it."""
        async with self._db.read() as tx:
            final = await order_store.state(tx, order_id) in FINAL
            rows = await order_store.happened_after(tx, order_id, last)
        return final, [_event(row) for row in rows], rows[-1].number if rows else last

    async def _wait(self, waker: Waker) -> None:
        await first_of(waker.wait(self._poll), self._drain.stopping.wait())


def _event(row: sa.Row[Any]) -> str:
    data = {"at": row.at, "event": row.event, "detail": row.detail, "state": row.state}
    return f"id: {row.number}\ndata: {orjson.dumps(data).decode()}\n\n"
