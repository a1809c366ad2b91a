"""The first admin comes from a mounted secret: there is nobody yet who could make one."""

from auth import accounts
from auth.domain import FIRST_ADMIN, normal_email
from auth.passwords import Passwords
from auth.settings import AuthSettings
from shopkit.app import Service


async def ensure(service: Service, settings: AuthSettings, passwords: Passwords) -> None:
    """Makes the admin once; a later change of the secret changes nobody's password."""
    if settings.admin_email is None or settings.admin_password is None:
        return
    email = normal_email(settings.admin_email)
    async with service.db.read() as tx:
        known = await accounts.by_email(tx, email)
    if known is None:
        await _add(service, email, await passwords.hash(settings.admin_password.get_secret_value()))
    elif "admin" not in known.scopes.split():
        # Whoever registered the address first must not become admin by a restart.
        service.log.error("admin_address_taken")


async def _add(service: Service, email: str, password_hash: str) -> None:
    async with service.db.transaction("first_admin") as tx:
        new = await accounts.add(
            tx, email=email, name="Shop admin", password_hash=password_hash, scopes=FIRST_ADMIN
        )
    service.log.info("first_admin_ready" if new else "first_admin_exists")
