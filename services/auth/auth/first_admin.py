"""The first admin comes from a mounted secret: there is nobody yet who could make one."""

import asyncio

from auth import accounts
from auth.domain import FIRST_ADMIN, normal_email
from auth.passwords import Passwords
from auth.settings import AuthSettings
from shopkit.app import Service


class FirstAdmin:
    """Made once; a later change of the secret changes nobody's password."""

    def __init__(self, service: Service, settings: AuthSettings, passwords: Passwords) -> None:
        self._service, self._settings, self._passwords = service, settings, passwords
        self._turn, self._ensured = asyncio.Lock(), False

    async def ensure(self) -> None:
        """At start, and before a login that comes sooner than that."""
        async with self._turn:
            if not self._ensured:
                await self._ensure()
                self._ensured = True

    async def _ensure(self) -> None:
        given, password = self._settings.admin_email, self._settings.admin_password
        if given is None or password is None:
            return
        email = normal_email(given)
        async with self._service.db.read() as tx:
            known = await accounts.by_email(tx, email)
        if known is None:
            await self._add(email, await self._passwords.hash(password.get_secret_value()))
        elif "admin" not in known.scopes.split():
            # Whoever registered the address first must not become admin by a restart.
            self._service.log.error("admin_address_taken")

    async def _add(self, email: str, password_hash: str) -> None:
        async with self._service.db.transaction("first_admin") as tx:
            await accounts.add(
                tx, email=email, name="Shop admin", password_hash=password_hash, scopes=FIRST_ADMIN
            )
