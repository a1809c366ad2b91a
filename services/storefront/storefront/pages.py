"""Every page is the same document: its script draws what the address names."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from shopkit.errors import Problem, Slug
from storefront.assets import Asset

# Nothing but this origin, no inline script or style, no markup made from strings.
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_PAGES = (
    "/",
    "/products/{sku}",
    "/cart",
    "/checkout",
    "/orders",
    "/orders/{id}",
    "/account",
    "/ops",
)

router = APIRouter(include_in_schema=False)


async def _assets(request: Request) -> Mapping[str, Asset]:
    assets: Mapping[str, Asset] = request.app.state.assets
    return assets


Assets = Annotated[Mapping[str, Asset], Depends(_assets)]
IfNoneMatch = Annotated[str, Header(alias="If-None-Match")]


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(path: str, assets: Assets, if_none_match: IfNoneMatch = "") -> Response:
    if path not in assets:
        raise Problem(Slug.NOT_FOUND, f"There is no file {path}.")
    return _send(assets[path], if_none_match)


async def page(assets: Assets, if_none_match: IfNoneMatch = "") -> Response:
    return _send(assets["index.html"], if_none_match)


async def missing(assets: Assets) -> Response:
    """The same page, which says so in words; the status says it to machines."""
    return _send(assets["index.html"], "", status=404)


def _send(asset: Asset, known: str, status: int = 200) -> Response:
    headers = _HEADERS | {"ETag": asset.etag, "Cache-Control": asset.cache_control}
    if asset.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(asset.content, status, headers, asset.media_type)


for _path in _PAGES:
    router.add_api_route(_path, page, methods=["GET", "HEAD"])
router.add_api_route("/{path:path}", missing, methods=["GET", "HEAD"])
