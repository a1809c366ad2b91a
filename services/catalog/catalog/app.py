"""Wires the catalog service."""

from catalog import audit, products, quotes, reservations
from catalog.cache import ListCache
from catalog.messages import CommitStock, ReleaseStock, ReserveStock
from catalog.quotes import Quotes
from catalog.settings import CatalogSettings
from shopkit.app import Service, World
from shopkit.auth import Signer

PATHS = ("/api/v1/products", "/api/v1/stock", "/api/v1/quotes", "/.well-known/quote-keys.json")


def create_app(settings: CatalogSettings, world: World | None = None) -> Service:
    service = Service("catalog", settings, world, package="catalog", schema=1, paths=PATHS)
    keys = settings.quote_keys
    signer = Signer.from_json(keys.get_secret_value()) if keys else None
    seconds = settings.quote_seconds
    service.app.state.quotes = Quotes(signer, service.clock, service.ids, seconds)
    service.app.state.lists = ListCache(service.clock, settings.list_cache)
    service.routes(products.router)
    service.routes(quotes.router)
    service.on_command(ReserveStock, do=reservations.reserve, answer=reservations.reserve_answer)
    service.on_command(ReleaseStock, do=reservations.release, answer=reservations.release_answer)
    service.on_command(CommitStock, do=reservations.commit, answer=reservations.commit_answer)
    service.audited(audit.AUDIT)
    return service
