"""Checks a password, and counts the wrong ones."""

from typing import Any

import sqlalchemy as sa
from prometheus_client import Counter

from auth import accounts, domain
from auth.first_admin import FirstAdmin
from auth.passwords import Passwords
from shopkit.app import Service
from shopkit.clock import Clock
from shopkit.db import Database
from shopkit.errors import Problem, Slug


class PasswordCheck:
    """One account at a time is guessed at most five times in 15 minutes."""

    def __init__(self, service: Service, passwords: Passwords, first_admin: FirstAdmin) -> None:
        self._first_admin = first_admin
        self._db: Database = service.db
        self._clock: Clock = service.clock
        self._passwords = passwords
        self._logins = Counter(
            "shop_logins", "Logins by outcome", ["outcome"], registry=service.metrics.registry
        )

    async def user(self, email: str, password: str) -> sa.Row[Any]:
        """The user with this password; raises 401 or 429."""
        await self._first_admin.ensure()
        # The lock is looked at inside the turn: a burst must not pass it before the first failure.
        async with self._passwords.turn():
            user = await self._unlocked(email)
            right = await self._passwords.check(user and user.password_hash, password)
            await self._remember(email, right)
        if user is None or not right or user.erasing_since is not None:
            self._logins.labels("refused").inc()
            raise Problem(Slug.UNAUTHENTICATED, "The email or the password is wrong.")
        self._logins.labels("ok").inc()
        return user

    async def _unlocked(self, email: str) -> sa.Row[Any] | None:
        now = self._clock.now()
        async with self._db.read() as tx:
            until = domain.locked_until(await accounts.failures(tx, email), now)
            if until is None:
                return await accounts.by_email(tx, email)
        self._logins.labels("locked").inc()
        wait = str(max(1, round((until - now).total_seconds())))
        detail = "Too many wrong passwords for this account; try again later."
        raise Problem(Slug.RATE_LIMITED, detail, headers={"Retry-After": wait})

    async def _remember(self, email: str, right: bool) -> None:
        async with self._db.read() as tx:
            before = await accounts.failures(tx, email)
        if right and before is None:
            return
        async with self._db.transaction("count_login") as tx:
            await (accounts.forget_failures if right else accounts.record_failure)(tx, email)
