"""Wiring of auth."""

import asyncio

from auth import accounts, api, audit, sessions
from auth.erasure import Erasure
from auth.first_admin import FirstAdmin
from auth.limiter import AddressLimiter
from auth.login import PasswordCheck
from auth.passwords import Passwords
from auth.settings import AuthSettings
from auth.sign_in import SignIn
from shopkit.app import Service, World
from shopkit.auth import Signer

PATHS = ("/api/v1/users", "/api/v1/tokens", "/.well-known/jwks.json")
SWEEP_SECONDS = 600


def create_app(settings: AuthSettings, world: World | None = None) -> Service:
    service = Service("auth", settings, world, package="auth", schema=2, paths=PATHS)
    passwords = Passwords()
    first_admin = FirstAdmin(service, settings, passwords)
    check = PasswordCheck(service, passwords, first_admin)
    service.app.state.sign_in = SignIn(service, settings, _signer(settings), passwords, check)
    service.app.state.erasure = service.saga(Erasure())
    service.app.state.limiter = AddressLimiter(settings.rate_limit)
    service.routes(api.router)
    service.routes(api.keys_router)
    service.audited(audit.AUDIT)
    _background(service, first_admin)
    return service


def _signer(settings: AuthSettings) -> Signer:
    if settings.token_keys is None:
        raise SystemExit("auth needs TOKEN_KEYS_FILE: a file with a private JWK set")
    return Signer.from_json(settings.token_keys.get_secret_value())


def _background(service: Service, first_admin: FirstAdmin) -> None:
    async def admin(_: asyncio.Event) -> None:
        await first_admin.ensure()

    async def sweep() -> None:
        async with service.db.transaction("sweep") as tx:
            await sessions.sweep(tx)
            await accounts.sweep(tx)

    service.worker("first_admin", admin)
    service.every("sweep", SWEEP_SECONDS, sweep)
