"""All six services in one process: the same apps that run as pods, wired by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import auth.app
import bank.app
import catalog.app
import orders.app
import payments.app
import storefront.app
from auth.settings import AuthSettings
from bank.settings import BankSettings
from catalog.settings import CatalogSettings
from orders.settings import OrdersSettings
from payments.settings import PaymentsSettings
from shop.installation import ADMIN_EMAIL, Installation
from shopkit.app import Service, World
from storefront.settings import StorefrontSettings

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an embedded shop listens and keeps its files."""

    port: int
    admin_port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def embedded(place: Place, keys: Installation, world: World | None = None) -> Sequence[Service]:
    """One World, so that all share the broker in memory."""
    world = world or World()
    common = _common(place, keys)
    return (
        _auth(common, keys, world),
        catalog.app.create_app(CatalogSettings(**common, quote_keys=keys.quote_keys), world),
        orders.app.create_app(OrdersSettings(**common, quote_jwks=keys.quote_jwks), world),
        _payments(common, place, keys, world),
        _bank(common, place, keys, world),
        storefront.app.create_app(StorefrontSettings(**common), world),
    )


def _common(place: Place, keys: Installation) -> dict[str, Any]:
    """Given here, so that a DATABASE_URL of somebody's shell cannot mix six databases into one."""
    return {
        "database_url": None,
        "nats_url": None,
        "http_host": HOST,
        "http_port": place.port,
        "admin_port": place.admin_port,
        "data_dir": place.data,
        "token_jwks": keys.token_jwks,
        "idempotency_key": keys.idempotency_key,
        "consumers": True,
        # Nobody routes to this process, so it need not wait before it closes.
        "drain_grace": 0,
    }


def _auth(common: dict[str, Any], keys: Installation, world: World) -> Service:
    admin = {"admin_email": ADMIN_EMAIL, "admin_password": keys.admin_password}
    # A login lost with the power is a login done again.
    fast = {"sqlite_synchronous": "NORMAL", "token_keys": keys.token_keys}
    return auth.app.create_app(AuthSettings(**common | admin | fast), world)


def _payments(common: dict[str, Any], place: Place, keys: Installation, world: World) -> Service:
    shared = {"bank_secret": keys.bank_secret, "webhook_secret": keys.webhook_secret}
    settings = PaymentsSettings(**common | shared, bank_url=place.url)
    return payments.app.create_app(settings, world)


def _bank(common: dict[str, Any], place: Place, keys: Installation, world: World) -> Service:
    shared = {"bank_secret": keys.bank_secret, "webhook_secret": keys.webhook_secret}
    urls = {"public_url": place.url, "webhook_url": f"{place.url}/api/v1/webhooks/bank"}
    return bank.app.create_app(BankSettings(**common | shared | urls), world)
