"""What the customers of a load buy, and stock enough for it."""

import math
import uuid
from collections.abc import Mapping, Sequence

from shop.customer import Credentials, ShopError
from shop.load.client import Client
from shop.load.customers import patiently, sign_in
from shop.load.open_loop import Say

KINDS = 12  # products that a load is spread over, as customers are


def deck(available: Mapping[str, int], count: int) -> list[str]:
    """`count` SKUs, one after the other, none more often than it is there."""
    left, cards = dict(available), list[str]()
    while len(cards) < count and (stocked := [sku for sku, number in left.items() if number > 0]):
        for sku in stocked[: count - len(cards)]:
            cards.append(sku)
            left[sku] -= 1
    if len(cards) < count:
        raise ShopError(
            f"{count} checkouts need {count} pieces, {len(cards)} are in stock; "
            "add --restock, which takes goods in as the shop's admin, or lower --rate or --seconds"
        )
    return cards


def missing(available: Mapping[str, int], count: int) -> dict[str, int]:
    """SKU -> how many have to come in, so that each of them serves its share."""
    share = math.ceil(count / len(available))
    return {sku: share - number for sku, number in available.items() if number < share}


async def stocked(client: Client, count: int, say: Say) -> Sequence[str]:
    return deck(await _available(client, say), count)


async def restock(client: Client, count: int, admin: Credentials, say: Say) -> None:
    """Raises ShopError when there is nothing to take in."""
    lacking = missing(await _available(client, say), count)
    if not lacking:
        return
    token = await sign_in(client, admin.email, admin.password, say)
    say(f"taking in {sum(lacking.values())} pieces of {len(lacking)} products")
    for sku, number in lacking.items():
        await _take_in(client, sku, number, token, say)


async def _take_in(client: Client, sku: str, number: int, token: str, say: Say) -> None:
    path, delivery = f"/stock/{sku}/adjust", {"delta": number, "reason": "received"}
    key = str(uuid.uuid4())
    await patiently(
        lambda: client.ask("catalog", "POST", path, delivery, token=token, key=key), say
    )


async def _available(client: Client, say: Say) -> dict[str, int]:
    """Never from the list's cache, which may be two seconds old: from each product itself."""
    listed = await patiently(lambda: client.ask("catalog", "GET", f"/products?limit={KINDS}"), say)
    skus = [str(item["sku"]) for item in listed.json()["items"]]
    if not skus:
        raise ShopError("there are no products; run `shop seed` first")
    return {sku: await _one(client, sku, say) for sku in skus}


async def _one(client: Client, sku: str, say: Say) -> int:
    reply = await patiently(lambda: client.ask("catalog", "GET", f"/products/{sku}"), say)
    return int(reply.json()["available"])
