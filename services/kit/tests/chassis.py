"""One service without HTTP or background tasks: tests drive relay and consumer by hand."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from services.kit.tests.toy import seller
from services.kit.tests.toy.messages import Hold
from services.kit.tests.toy.world import Backend

from shopkit.app import Service, World
from shopkit.consumer import Consumer
from shopkit.messages import Message, command_id, encode
from shopkit.schema import dead_letters, inbox, outbox
from shopkit.transport import Envelope, PublishFailed

ORDER = "0197f0c2-0000-7000-8000-000000000001"


@dataclass
class Letter:
    """A delivery whose acks can be seen."""

    envelope: Envelope
    delivered: int = 1
    acks: int = 0
    handed_back: int = 0

    @property
    def subject(self) -> str:
        return self.envelope.subject

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.envelope.headers)

    @property
    def data(self) -> bytes:
        return self.envelope.data

    async def ack(self) -> None:
        self.acks += 1

    async def hand_back(self) -> None:
        self.handed_back += 1


@dataclass
class Wire:
    """A transport that notes what was published; some types cannot be."""

    published: list[Message] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def publish(self, message: Message) -> None:
        if message.type in self.refuse:
            raise PublishFailed("refused")
        self.published.append(message)

    async def subscribe(self, kind: str) -> Any:
        raise NotImplementedError


def hold_message(attempt: int = 1, order_id: str = ORDER, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "id": command_id(order_id, "seller", "Hold"),
        "kind": "cmd",
        "target": "seller",
        "type": "Hold",
        "version": 1,
        "source": "buyer",
        "time": World().clock.now(),
        "correlation_id": order_id,
        "causation_id": order_id,
        "attempt": attempt,
        "traceparent": "",
        "data": encode(Hold(order_id=order_id)),
    }
    return Message(**{**values, **changes})


def letter(message: Message, delivered: int = 1) -> Letter:
    return Letter(Envelope(message.subject, message.headers(), message.data), delivered)


class Bench:
    """The toy seller, its parts laid open."""

    def __init__(self, service: Service) -> None:
        self.service, self.chassis = service, service._chassis
        self.consumer = Consumer(self.chassis, service._handlers, "cmd")

    async def deliver(self, message: Message, delivered: int = 1) -> Letter:
        note = letter(message, delivered)
        await self.consumer._deliver(note)
        return note

    async def rows(self, table: sa.Table) -> Sequence[sa.Row[Any]]:
        async with self.service.db.read() as tx:
            return await tx.all(sa.select(table))

    async def outbox(self) -> list[tuple[str, int]]:
        return [(row.type, row.attempt) for row in await self.rows(outbox)]

    async def inbox(self) -> int:
        return len(await self.rows(inbox))

    async def dead_letters(self) -> list[tuple[str, int]]:
        return [(row.type, row.count) for row in await self.rows(dead_letters)]


@asynccontextmanager
async def bench(backend: Backend, stock: int = 5, relay_lease: float = 60) -> AsyncIterator[Bench]:
    settings = await backend.settings("seller")
    service = seller.create_app(settings.model_copy(update={"relay_lease": relay_lease}), World())
    await service.db.open()
    try:
        await service.migrate()
        await seller.restock(service, stock)
        yield Bench(service)
    finally:
        await service.db.close()
