"""What the storefront sends, without a browser."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shop.products import PRODUCTS
from shopkit.app import Service
from storefront.app import create_app
from storefront.settings import StorefrontSettings

STATIC = Path(__file__).parents[1] / "storefront" / "static"
SCRIPTS = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))
IMPORT = re.compile(r'from "(\.[^"]+)"')


@pytest.fixture
def storefront(tmp_path: Path) -> Service:
    return create_app(StorefrontSettings(data_dir=tmp_path))


@pytest.fixture
async def http(storefront: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(storefront.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        yield client


@pytest.mark.parametrize(
    "path",
    ["/", "/products/tide-mug", "/cart", "/checkout", "/orders", "/orders/1", "/account", "/ops"],
)
async def test_every_address_of_the_shop_is_a_page(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/nothing", "/ops/nothing", "/products"])
async def test_what_is_no_page_is_404_with_a_page_for_people(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path)
    assert (answer.status_code, "<main" in answer.text) == (404, True)


async def test_the_policy_allows_this_origin_and_nothing_else(http: httpx.AsyncClient) -> None:
    policy = (await http.get("/")).headers["content-security-policy"]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    allowed = {"'none'", "'self'", "'script'"}
    assert directives["default-src"] == "'none'"
    assert set(directives.values()) <= allowed


async def test_no_page_or_style_has_inline_code_or_foreign_addresses() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|\son\w+=", page)
    for path in (STATIC / "index.html", *STATIC.rglob("*.css"), *STATIC.rglob("*.js")):
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", path.read_text()), path


@pytest.mark.parametrize("script", SCRIPTS)
async def test_every_import_of_a_script_is_there(http: httpx.AsyncClient, script: str) -> None:
    for imported in IMPORT.findall((STATIC / script).read_text()):
        answer = await http.get(f"/static/{Path(script).parent.as_posix()}/{imported}")
        assert answer.status_code == 200, imported
        assert answer.headers["content-type"].startswith("text/javascript")


async def test_the_page_loads_all_scripts_at_once_instead_of_one_after_the_other() -> None:
    page = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:modulepreload" href|module" src)="/static/([^"]+)"', page)
    assert sorted(named) == SCRIPTS


async def test_every_file_that_the_page_names_is_there(http: httpx.AsyncClient) -> None:
    page = (STATIC / "index.html").read_text()
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert (await http.get(address)).status_code == 200, address


@pytest.mark.parametrize("sku", [product.sku for product in PRODUCTS])
async def test_every_product_of_the_seed_has_a_picture(http: httpx.AsyncClient, sku: str) -> None:
    answer = await http.get(f"/static/products/{sku}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "<script" not in answer.text


async def test_a_browser_that_has_the_file_gets_no_second_copy(http: httpx.AsyncClient) -> None:
    first = await http.get("/static/js/app.js")
    etag = first.headers["etag"]
    again = await http.get("/static/js/app.js", headers={"If-None-Match": f'"x", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag


@pytest.mark.parametrize(
    "path", ["/static/nothing.js", "/static/../app.py", "/static/%2e%2e/app.py", "/static/"]
)
async def test_only_the_files_of_the_shop_are_served(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert b"import" not in answer.content
