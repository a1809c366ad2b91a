"""All six services in one process: the same apps that run as pods, wired by hand."""

from collections.abc import Callable, Collection, Mapping, Sequence
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
Common = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an embedded shop listens and keeps its files."""

    port: int
    admin_port: int
    data: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def embedded(
    place: Place,
    keys: Installation,
    world: World | None = None,
    *,
    only: Collection[str] = (),
    consumers: bool = True,
    databases: Mapping[str, str] | None = None,
) -> Sequence[Service]:
    """One World, so that all share the broker in memory; `only` = all when empty.

    `databases`: the URLs of those whose database is not a file in the place.
    """
    world, common = world or World(), {**_common(place, keys), "consumers": consumers}
    names = [name for name in _MAKERS if not only or name in only]
    urls = {name: (databases or {}).get(name) for name in names}
    return tuple(
        _MAKERS[name]({**common, "database_url": urls[name]}, place, keys, world) for name in names
    )


def _common(place: Place, keys: Installation) -> Common:
    """Given here, and `database_url` in `embedded`, so that a DATABASE_URL of somebody's shell
    cannot mix six databases into one."""
    return {
        "nats_url": None,
        "http_host": HOST,
        "http_port": place.port,
        "admin_port": place.admin_port,
        "data_dir": place.data,
        "token_jwks": keys.token_jwks,
        "idempotency_key": keys.idempotency_key,
        # Nobody routes to this process, so it need not wait before it closes.
        "drain_grace": 0,
    }


def _auth(common: Common, _: Place, keys: Installation, world: World) -> Service:
    admin = {"admin_email": ADMIN_EMAIL, "admin_password": keys.admin_password}
    # A login lost with the power is a login done again.
    fast = {"sqlite_synchronous": "NORMAL", "token_keys": keys.token_keys}
    return auth.app.create_app(AuthSettings(**common | admin | fast), world)


def _catalog(common: Common, _: Place, keys: Installation, world: World) -> Service:
    return catalog.app.create_app(CatalogSettings(**common, quote_keys=keys.quote_keys), world)


def _orders(common: Common, _: Place, keys: Installation, world: World) -> Service:
    return orders.app.create_app(OrdersSettings(**common, quote_jwks=keys.quote_jwks), world)


def _payments(common: Common, place: Place, keys: Installation, world: World) -> Service:
    shared = {"bank_secret": keys.bank_secret, "webhook_secret": keys.webhook_secret}
    settings = PaymentsSettings(**common | shared, bank_url=place.url, public_url=place.url)
    return payments.app.create_app(settings, world)


def _bank(common: Common, place: Place, keys: Installation, world: World) -> Service:
    shared = {"bank_secret": keys.bank_secret, "webhook_secret": keys.webhook_secret}
    urls = {"public_url": place.url, "webhook_url": f"{place.url}/api/v1/webhooks/bank"}
    return bank.app.create_app(BankSettings(**common | shared | urls), world)


def _storefront(common: Common, place: Place, __: Installation, world: World) -> Service:
    admin = f"http://{HOST}:{place.admin_port}/{{service}}"
    return storefront.app.create_app(StorefrontSettings(**common, admin_url=admin), world)


_MAKERS: Mapping[str, Callable[[Common, Place, Installation, World], Service]] = {
    "auth": _auth,
    "catalog": _catalog,
    "orders": _orders,
    "payments": _payments,
    "bank": _bank,
    "storefront": _storefront,
}
