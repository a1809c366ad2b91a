"""The storefront: web pages, no state."""

from shopkit.app import Service, World
from storefront import assets, pages
from storefront.settings import StorefrontSettings


def create_app(settings: StorefrontSettings, world: World | None = None) -> Service:
    service = Service("storefront", settings, world, paths=("/",))
    service.app.state.assets = assets.load()
    service.routes(pages.router)
    return service
