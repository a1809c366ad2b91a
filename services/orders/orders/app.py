"""Wires the orders service."""

from orders import api, audit, erasure
from orders.checkout import Checkout
from orders.events import Events
from orders.messages import EraseUser
from orders.order_saga import OrderSaga
from orders.quotes import Quotes
from orders.settings import OrdersSettings
from orders.watching import Watching
from shopkit.app import Service, World

PATHS = ("/api/v1/cart", "/api/v1/orders")


def create_app(settings: OrdersSettings, world: World | None = None) -> Service:
    service = Service("orders", settings, world, package="orders", schema=2, paths=PATHS)
    watching = Watching(service.clock)
    engine = service.saga(OrderSaga(watching))
    jwks = settings.quote_jwks
    quotes = Quotes(jwks.get_secret_value() if jwks else None, service.clock)
    service.app.state.engine = engine
    service.app.state.checkout = Checkout(quotes, engine, settings.open_orders)
    service.app.state.events = Events(service.db, watching, service.drain, service.clock, settings)
    service.routes(api.router)
    service.on_command(EraseUser, do=erasure.begin, answer=erasure.answer)
    service.audited(audit.AUDIT)
    return service
