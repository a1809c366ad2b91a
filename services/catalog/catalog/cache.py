"""Rendered product lists, kept for a moment in each replica."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from catalog.listing import Listing
from shopkit.clock import Clock

MOST = 512


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

    async def get(self, listing: Listing, render: Callable[[], Awaitable[bytes]]) -> Rendered:
        known = self._known.get(listing)
        if known is not None and known.until > self._clock.monotonic():
            return known
        fresh = Rendered.of(await render(), until=self._clock.monotonic() + self._seconds)
        self._known.pop(listing, None)
        self._known[listing] = fresh
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
        return fresh
