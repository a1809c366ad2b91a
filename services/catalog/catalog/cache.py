"""Rendered product lists, kept for a moment in each replica."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from catalog.listing import Listing
from shopkit.clock import Clock

MOST = 512
Render = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True)
class Rendered:
    body: bytes
    etag: str
    until: float

    @classmethod
    def of(cls, body: bytes, *, until: float) -> "Rendered":
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:20]}"', until)


class ListCache:
    """A list may be `seconds` old; prices of quotes never come from here."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._known: dict[Listing, Rendered] = {}
        self._under_way: dict[Listing, asyncio.Task[Rendered]] = {}

    async def get(self, listing: Listing, render: Render) -> Rendered:
        known = self._known.get(listing)
        if known is not None and known.until > self._clock.monotonic():
            return known
        # One renders and all wait for it: a list that is asked for 800 times a second would
        # otherwise be rendered a hundred times at once whenever it has expired.
        rendering = self._under_way.get(listing)
        if rendering is None:
            rendering = asyncio.create_task(self._render(listing, render))
            self._under_way[listing] = rendering
            rendering.add_done_callback(lambda _: self._under_way.pop(listing, None))
        return await asyncio.shield(rendering)

    async def _render(self, listing: Listing, render: Render) -> Rendered:
        fresh = Rendered.of(await render(), until=self._clock.monotonic() + self._seconds)
        self._known.pop(listing, None)
        self._known[listing] = fresh
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return fresh
