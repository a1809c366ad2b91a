"""Between the operators of a test and the real API server: sees every request, acts out faults.

A process called `operator` finds the API server at `proxy.address("operator")`, so that the proxy
knows who asks without looking into tokens."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web
from tests.api.front import Front, Script
from tests.api.invariants import Invariants
from tests.api.rules import Rule, Rules
from tests.api.seen import Seen
from tests.api.upstream import Upstream

T = TypeVar("T")
HOST = "127.0.0.1"


class FaultProxy:
    """Its server lives in a thread; all methods are for the test's thread."""

    def __init__(self, kubeconfig: Path, invariants: Invariants) -> None:
        self.invariants = invariants
        self.front = Front(Upstream(kubeconfig), invariants)
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._call(self._start())

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def address(self, who: str) -> str:
        """Where the process of this name finds the API server."""
        return f"{self.url}/@{who}"

    @property
    def requests(self) -> list[Seen]:
        return self.front.requests

    def mutating(self, since: int = 0, namespace: str = "") -> list[Seen]:
        """Writes but reviews and the Lease, beginning with request number `since`."""
        return [
            seen
            for seen in self.front.requests[since:]
            if seen.mutating and namespace in ("", seen.target.namespace)
        ]

    def here(self) -> int:
        """The number of the next request."""
        return len(self.front.requests)

    def use(self, *rules: Rule) -> Rules:
        """Instead of all earlier rules, with counters from zero."""
        used = Rules(rules)
        self._call(self.front.use(used))
        return used

    def clear(self) -> None:
        """No rules; what is held goes on."""
        self.in_order("", ())
        self.use()

    def release(self) -> None:
        """What is held goes on, and nothing more is held."""
        self._loop.call_soon_threadsafe(self.front.released.set)

    def in_order(self, namespace: str, script: Iterable[str]) -> None:
        """Writes there (`Seen.what`) are held until it is their turn; one at a time."""
        self._call(self.front.turns.follow(Script(script, namespace)))

    def on_kill(self, who: str, kill: Callable[[], None]) -> None:
        """`kill` ends the process of this name, without waiting."""
        self.front.killers[who] = kill

    def canary(self, value: str) -> str:
        """A secret that must never be told; returns it."""
        self.invariants.canaries.add(value)
        return value

    def down(self) -> None:
        """As if no API server listened there: open connections break, new ones are refused."""
        self._call(self._down())

    def up(self) -> None:
        self._call(self._listen())

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self) -> None:
        await self.front.upstream.__aenter__()
        app = web.Application(client_max_size=2**25)
        app.router.add_route("*", "/@{who}/{rest:.*}", self.front.handle)
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        site = web.TCPSite(self._runner, HOST, self._port)
        await site.start()
        self._site = site
        self._port = self._runner.addresses[0][1]

    async def _down(self) -> None:
        await self._site.stop()
        assert self._runner.server is not None
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def _end(self) -> None:
        await self.front.use(Rules(()))
        await self._runner.cleanup()
        await self.front.upstream.__aexit__()
