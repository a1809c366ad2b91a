"""Both toys, started, crashed and started again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from services.kit.tests.toy import buyer, seller
from services.kit.tests.toy.bank import Bank

from shopkit.app import Service, World
from shopkit.errors import Unavailable
from shopkit.settings import Settings
from shopkit.testing import started, until

MAKERS: dict[str, Callable[[Settings, World], Service]] = {
    "buyer": buyer.create_app,
    "seller": seller.create_app,
}


class Backend(Protocol):
    """Where the toys keep their data and send their messages."""

    name: str

    async def settings(self, service: str) -> Settings:
        """Quick ones, for this test alone."""


class Toys:
    """The two services in one world; a service that crashes is started again."""

    def __init__(self, settings: dict[str, Settings], world: World, bank: Bank) -> None:
        self._settings, self.world, self.bank = settings, world, bank
        self.services: dict[str, Service] = {}
        self.restarts = 0
        self._restarting: set[asyncio.Task[None]] = set()
        world.points.on_crash = self._on_crash

    @property
    def buyer(self) -> Service:
        return self.services["buyer"]

    @property
    def seller(self) -> Service:
        return self.services["seller"]

    async def start(self) -> None:
        for name in MAKERS:
            await self._start(name)

    async def _start(self, name: str) -> None:
        service = MAKERS[name](self._settings[name], self.world)
        self.services[name] = service
        await started(service)

    def _on_crash(self, name: str) -> None:
        self._restarting.add(asyncio.create_task(self._restart(name)))

    async def _restart(self, name: str) -> None:
        # A new task: the crash is still unwinding in the one that called us.
        self.world.points.on_crash = None
        await self.services[name].kill()
        self.restarts += 1
        await self._start(name)
        self.world.points.on_crash = self._on_crash

    async def recovered(self) -> None:
        await until(lambda: all(task.done() for task in self._restarting))
        for task in self._restarting:
            task.result()

    async def stop(self) -> None:
        await self.recovered()
        for service in self.services.values():
            await service.stop()

    async def reaches(self, id: str, state: str, seconds: float = 5) -> None:
        async def there() -> bool:
            await self.recovered()
            with suppress(Unavailable):  # it crashed just now
                return await buyer.state(self.buyer, id) == state
            return False

        await until(there, seconds)


@asynccontextmanager
async def toys(
    backend: Backend, *, stock: int = 5, world: World | None = None, **changes: object
) -> AsyncIterator[Toys]:
    bank = Bank()
    world = world or World()
    world.http = bank
    settings = {name: (await backend.settings(name)).model_copy(update=changes) for name in MAKERS}
    both = Toys(settings, world, bank)
    await both.start()
    try:
        await seller.restock(both.seller, stock)
        yield both
    finally:
        await both.stop()
