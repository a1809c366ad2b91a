"""The storefront: web pages, no state."""

from shopkit.app import Service, World
from storefront import assets, ops, pages
from storefront.ports import SERVICES
from storefront.settings import StorefrontSettings


def create_app(settings: StorefrontSettings, world: World | None = None) -> Service:
    service = Service("storefront", settings, world, paths=("/",))
    service.app.state.assets = assets.load()
    urls = {name: settings.admin_url.replace("{service}", name) for name in SERVICES}
    service.app.state.clients = {name: service.client(name, url) for name, url in urls.items()}
    service.routes(ops.router)
    service.routes(pages.router)
    return service
