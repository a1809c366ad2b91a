"""Wires the payments service."""

from payments import api, audit, erasure, webhooks
from payments.gauges import refreshing
from payments.handlers import Handlers, cancel_answer, charge_answer
from payments.messages import CancelCharge, ChargePayment, EraseUser
from payments.provider import StripeProvider
from payments.settings import PaymentsSettings
from payments.worker import Worker
from shopkit.app import Service, World

PATHS = ("/api/v1/payment-methods", "/api/v1/payments", "/api/v1/webhooks")
GAUGES_SECONDS = 15


def create_app(settings: PaymentsSettings, world: World | None = None) -> Service:
    service = Service("payments", settings, world, package="payments", schema=2, paths=PATHS)
    bank = provider(service, settings)
    worker = Worker(service, settings, bank)
    service.app.state.worker = worker
    service.app.state.webhook_secret = (
        settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    )
    service.routes(api.router)
    service.routes(webhooks.router)
    handlers = Handlers(worker.wake)
    service.on_command(ChargePayment, do=handlers.charge, answer=charge_answer)
    service.on_command(CancelCharge, do=handlers.cancel, answer=cancel_answer)
    service.on_command(EraseUser, do=erasure.begin, answer=erasure.answer)
    service.worker("bank", worker.run)
    service.every("payment_gauges", GAUGES_SECONDS, refreshing(service))
    service.audited(audit.audit(bank))
    return service


def provider(service: Service, settings: PaymentsSettings) -> StripeProvider:
    secret = settings.bank_secret.get_secret_value() if settings.bank_secret else ""
    headers = {"Authorization": f"Bearer {secret}"}
    deadline = settings.provider_deadline
    return StripeProvider(
        service.client("bank", settings.bank_url, deadline=deadline, headers=headers)
    )
