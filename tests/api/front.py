"""What the proxy does with one request."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from aiohttp import ClientResponse, web
from tests.api import rules as faults
from tests.api.invariants import Invariants
from tests.api.rules import Rules
from tests.api.seen import Seen
from tests.api.upstream import Upstream
from tests.api.watches import Watch, broken


class Script:
    """Writes in the order in which they may go on."""

    def __init__(self, left: Iterable[str] = (), namespace: str = "") -> None:
        self.left = list(left)
        self.abandoned = False
        self._namespace = namespace

    def admits(self, seen: Seen) -> bool:
        """One that is not in the script need not wait."""
        return not self._concerns(seen) or self.left[0] == seen.what

    def done(self, seen: Seen) -> bool:
        """Whether this gives the turn to the next."""
        turns = self._concerns(seen) and self.left[0] == seen.what
        if turns:
            self.left.pop(0)
        return turns

    def _concerns(self, seen: Seen) -> bool:
        return seen.target.namespace == self._namespace and seen.what in self.left


class Turns:
    """Lets one write through at a time while there is a script."""

    def __init__(self) -> None:
        self._script = Script()
        self._moved = asyncio.Condition()

    async def follow(self, script: Script) -> None:
        """From now on; what has been waiting goes on."""
        async with self._moved:
            self._script = script
            self._moved.notify_all()

    async def abandon(self) -> None:
        """Whoever has been waiting is dead."""
        self._script.abandoned = True
        await self.follow(Script())

    async def wait(self, seen: Seen) -> bool:
        """Whether it may go on."""
        script = self._script
        async with self._moved:
            await self._moved.wait_for(lambda: script is not self._script or script.admits(seen))
        return not script.abandoned

    async def done(self, seen: Seen) -> None:
        async with self._moved:
            if self._script.done(seen):
                self._moved.notify_all()


class Front:
    """Sees every request, and does with it what the rules of now say."""

    def __init__(self, upstream: Upstream, invariants: Invariants) -> None:
        self.upstream = upstream
        self.requests: list[Seen] = []
        self.killers: dict[str, Callable[[], None]] = {}  # by the name of the process
        self.released = asyncio.Event()
        self.turns = Turns()
        self._rules = Rules(())
        self._invariants = invariants
        self._watches: set[Watch] = set()

    async def use(self, rules: Rules) -> None:
        self.released.set()
        self.released, self._rules = asyncio.Event(), rules
        for watch in list(self._watches):
            await watch.suffer(rules.for_open_watch(watch.seen))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        seen = await self._read(request)
        if not seen.mutating:
            return await self._faulty(request, seen)
        if not await self.turns.wait(seen):
            return broken(request)
        try:
            return await self._faulty(request, seen)
        finally:
            await self.turns.done(seen)

    async def _read(self, request: web.Request) -> Seen:
        raw = await request.read()
        who = request.match_info["who"]
        seen = Seen(
            number=len(self.requests),
            who=who,
            method=request.method,
            path=request.path.removeprefix(f"/@{who}"),
            query=dict(request.query),
            body=orjson.loads(raw) if raw else None,
            content=request.content_type,
            at=time.monotonic(),
        )
        self.requests.append(seen)
        self._invariants.check(seen)
        return seen

    async def _faulty(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        match self._rules.for_request(seen):
            case faults.Delay(seconds):
                await asyncio.sleep(seconds)
            case faults.Hold():
                await self.released.wait()
            case faults.Answer() as answer:
                seen.code = answer.code
                body = orjson.dumps(answer.status) + b"\n"
                kind = {"content-type": "application/json"}
                return web.Response(body=body, status=answer.code, headers=kind | answer.headers)
            case faults.DropBefore():
                return broken(request)
            case faults.DropAfter():
                await self._forwarded(request, seen)
                return broken(request)
            case faults.KillBefore():
                return await self._killed(request, seen)
            case faults.KillAfter():
                await self._forwarded(request, seen)
                return await self._killed(request, seen)
        return await self._forwarded(request, seen)

    async def _killed(self, request: web.Request, seen: Seen) -> web.Response:
        self.killers[seen.who]()
        await self.turns.abandon()
        return broken(request)

    async def _forwarded(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        target = request.raw_path.removeprefix(f"/@{seen.who}")
        body = await request.read()
        async with self.upstream.ask(request.method, target, dict(request.headers), body) as answer:
            seen.code = answer.status
            if seen.watch and answer.status < 400:
                return await self._watched(request, seen, answer)
            raw = await answer.read()
            self._learn(seen, raw)
            return web.Response(body=raw, status=answer.status, headers=_headers(answer))

    def _learn(self, seen: Seen, raw: bytes) -> None:
        if not seen.target.plural or seen.code >= 400:
            return
        live = orjson.loads(raw)
        if seen.mutating:
            seen.reply = live
        self._invariants.learn(seen.resource, live)

    async def _watched(
        self, request: web.Request, seen: Seen, answer: ClientResponse
    ) -> web.StreamResponse:
        watch = Watch(seen, request, answer, _headers(answer))
        self._watches.add(watch)
        try:
            return await watch.relay(
                lambda type_, path: self._rules.for_event(seen, type_, path),
                lambda: self.released,
                lambda live: self._invariants.learn(seen.resource, live),
            )
        finally:
            self._watches.discard(watch)


def _headers(answer: ClientResponse) -> dict[str, Any]:
    kept = ("content-type", "retry-after", "content-encoding")
    return {key: value for key, value in answer.headers.items() if key.lower() in kept}
