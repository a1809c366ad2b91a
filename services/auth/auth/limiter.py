"""Requests per client address and minute, in memory: a brake per replica, not a promise."""

from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from shopkit.errors import Problem, Slug


class AddressLimiter:
    """Counts each kind of request on its own."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def check(self, kind: str, address: str) -> None:
        """Raises the 429 problem."""
        if not await self._limiter.hit(self._limit, kind, address):
            detail = "Too many requests from your address; try again in a minute."
            raise Problem(Slug.RATE_LIMITED, detail, headers={"Retry-After": "60"})


async def _check(request: Request) -> None:
    limiter: AddressLimiter = request.app.state.limiter
    await limiter.check(request.url.path, request.client.host if request.client else "")


PerAddress = Depends(_check)
