"""argon2id off the event loop, as many at a time as there are cores."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

# 19 MiB, two passes, one lane (OWASP's first choice): about 42 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


class Passwords:
    """Hashes and checks; `turn` bounds how many run."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)
        # Checked when there is no such user, so that the time tells nothing.
        self._nobody = _HASHER.hash("nobody's password")

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._turns:
            yield

    async def hash(self, password: str) -> str:
        async with self.turn():
            return await asyncio.to_thread(_HASHER.hash, password)

    async def check(self, password_hash: str | None, password: str) -> bool:
        """Inside a `turn`; None = there is no such user, which takes just as long."""
        right = await asyncio.to_thread(_verify, password_hash or self._nobody, password)
        return right and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False
