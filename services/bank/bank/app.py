"""Wires the bank."""

from fastapi import Request, Response

from bank import api, page
from bank.domain import Refusal
from bank.operations import Bank
from bank.settings import BankSettings
from bank.webhooks import Webhooks
from shopkit.app import Service, World

PATHS = ("/v1", "/ledger", "/bank")
SWEEP_SECONDS = 600


def create_app(settings: BankSettings, world: World | None = None) -> Service:
    service = Service("bank", settings, world, package="bank", schema=2, paths=PATHS)
    bank = Bank(service, settings, Webhooks(service, settings))
    secret = settings.bank_secret.get_secret_value() if settings.bank_secret else ""
    state = {"bank": bank, "settings": settings, "secret": secret}
    state |= {"db": service.db, "clock": service.clock}
    for name, value in state.items():
        setattr(service.app.state, name, value)
    service.routes(api.router)
    service.routes(page.router)
    service.app.add_exception_handler(Refusal, _refused)
    service.every("forget_keys", SWEEP_SECONDS, bank.forget_keys)
    return service


async def _refused(request: Request, refusal: Exception) -> Response:
    """In Stripe's form, not as a problem: the bank is somebody else's service."""
    assert isinstance(refusal, Refusal)
    bank: Bank = request.app.state.bank
    return bank.refused(refusal).response()
