"""`shop seed`: fills the shelves over HTTP. Run again, it changes nothing."""

from collections.abc import Callable

from shop.customer import Credentials, Json, ShopError, Visitor, visiting
from shop.products import CURRENCY, PRODUCTS, SeedProduct

Say = Callable[[str], None]


def seed(url: str, admin: Credentials, say: Say) -> int:
    """How many products were added."""
    with visiting(url) as visitor:
        visitor.sign_in(admin)
        return fill(visitor, say)


def fill(admin: Visitor, say: Say) -> int:
    """How many products were added."""
    return sum(_ensure(admin, product, say) for product in PRODUCTS)


def _ensure(visitor: Visitor, product: SeedProduct, say: Say) -> bool:
    """The picture comes last, so a product with one is complete: a seed that broke off goes on."""
    known = visitor.send("GET", f"/products/{product.sku}")
    if known.status_code == 404:
        visitor.call("POST", "/products", _new(product))
    elif known.is_error:
        raise ShopError(f"GET /products/{product.sku}: {known.status_code}")
    elif known.json()["image"]:
        return False
    _deliver(visitor, product)
    change = {"image": f"/static/products/{product.sku}.svg"}
    visitor.call("PATCH", f"/products/{product.sku}", change, headers={"If-Match": "*"})
    say(f"  {product.title}: {product.stock} in stock")
    return True


def _new(product: SeedProduct) -> Json:
    return {
        "sku": product.sku,
        "title": product.title,
        "description": product.description,
        "category": product.category,
        "price": {"amount": product.price, "currency": CURRENCY},
    }


def _deliver(visitor: Visitor, product: SeedProduct) -> None:
    """The fixed key makes the first delivery arrive once."""
    if product.stock:
        delivery = {"delta": product.stock, "reason": "received"}
        key = f"seed-{product.sku}"
        visitor.call("POST", f"/stock/{product.sku}/adjust", delivery, key=key)
