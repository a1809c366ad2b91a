"""The situations that the rules of the erasure were made for, one user each.

A healthy shop forgets all of them; without its rule each way leaves something that shows.
"""

from __future__ import annotations

import sqlalchemy as sa
from tests.shop.crashing import (
    PASSWORD,
    PATIENCE,
    SturdyShop,
    click,
    forgotten,
    losing_the_first,
    registered,
)
from tests.shop.shop_in_process import FINAL, Customer, Json, keyed

import auth.tables
import orders.tables
import payments.tables
from payments.domain import payment_id
from shopkit.schema import sagas
from shopkit.testing import until

ME = "/api/v1/users/me"


async def leaves(shop: SturdyShop, who: Customer) -> None:
    await shop.called("DELETE", ME, None, who.headers)


async def gone(shop: SturdyShop, who: Customer) -> None:
    shop.heal()
    await until(lambda: forgotten(shop, who.id), PATIENCE)


async def asked_often(shop: SturdyShop, who: Customer) -> None:
    """Until one service was asked three times, or nobody needs to be any more."""

    async def often() -> bool:
        rows = await shop.rows("auth", sa.select(sagas.c.attempt).where(sagas.c.id == who.id))
        return rows[0].attempt not in (1, 2)

    await until(often, PATIENCE)


async def login_of(shop: SturdyShop, who: Customer) -> Json:
    users = auth.tables.users.c
    (row,) = await shop.rows("auth", sa.select(users.email).where(users.id == who.id))
    return {"email": row.email, "password": PASSWORD}


async def signs_in(shop: SturdyShop, login: Json) -> tuple[int, dict[str, str]]:
    """The answer's status, and the cookie of the new session as headers."""
    answer = await shop.http.post("/api/v1/tokens", json=login)
    shop.http.cookies.clear()
    return answer.status_code, {"Cookie": f"refresh_token={answer.cookies.get('refresh_token')}"}


async def with_an_open_order(shop: SturdyShop) -> tuple[Customer, Json]:
    who = await registered(shop)
    order_id = await who.buy({"tea": 1}, "tok_requires_action")
    return who, await who.reaches(order_id, "PAYMENT_ACTION")


async def with_an_order(shop: SturdyShop) -> tuple[Customer, str]:
    who = await registered(shop)
    order_id = await who.buy({"tea": 1})
    await who.ends(order_id)
    return who, order_id


async def theirs(shop: SturdyShop, who: Customer, table: sa.Table) -> list[sa.Row[tuple[object]]]:
    service = "orders" if table.metadata is orders.tables.orders.metadata else "payments"
    return await shop.rows(service, sa.select(table).where(table.c.user_id == who.id))


# --- messages ------------------------------------------------------------------------------------


async def command_lost(shop: SturdyShop) -> None:
    await _leaves_although_lost(shop, "EraseUser")


async def answer_lost(shop: SturdyShop) -> None:
    await _leaves_although_lost(shop, "UserErased")


async def _leaves_although_lost(shop: SturdyShop, message: str) -> None:
    who = await registered(shop)
    shop.broker.copies = losing_the_first(message)
    await leaves(shop, who)
    await until(lambda: forgotten(shop, who.id), PATIENCE)
    shop.heal()


# --- what is no longer taken ---------------------------------------------------------------------


async def signing_in(shop: SturdyShop) -> None:
    """With the right password, while the account is still there."""
    who = await registered(shop)
    login = await login_of(shop, who)
    shop.lose("EraseUser")
    await leaves(shop, who)
    status, _ = await signs_in(shop, login)
    assert status == 401, f"signed in: {status}"
    await gone(shop, who)


async def staying_signed_in(shop: SturdyShop) -> None:
    """A session from before is not renewed."""
    who = await registered(shop)
    _, session = await signs_in(shop, await login_of(shop, who))
    shop.lose("EraseUser")
    await leaves(shop, who)
    renewed = await shop.http.post("/api/v1/tokens/refresh", headers=session)
    shop.http.cookies.clear()
    assert renewed.status_code == 401, f"signed in: {renewed.status_code}"
    await gone(shop, who)


async def ordering_again(shop: SturdyShop) -> None:
    """From the first EraseUser on, although an earlier order is still open."""
    who, order = await with_an_open_order(shop)
    lines = {"lines": [{"sku": "tea", "quantity": 1}]}
    quote = await shop.called("POST", "/api/v1/quotes", lines, who.headers)
    await leaves(shop, who)
    await asked_often(shop, who)
    body = {"quote": quote["quote"], "payment_method_id": who.id}
    again = await shop.http.post("/api/v1/orders", json=body, headers=keyed(who.headers))
    assert again.status_code == 409, f"taken: {again.status_code}"
    await click(shop, order["action_url"])
    await gone(shop, who)


async def adding_a_card(shop: SturdyShop) -> None:
    """With an access token that outlives its user."""
    who = await registered(shop)
    await leaves(shop, who)
    await gone(shop, who)
    card = {"token": "tok_ok", "label": "mine"}
    added = await shop.http.post("/api/v1/payment-methods", json=card, headers=keyed(who.headers))
    assert added.status_code == 409, f"taken: {added.status_code}"


# --- what is waited for --------------------------------------------------------------------------


async def an_open_order(shop: SturdyShop) -> None:
    who, order = await with_an_open_order(shop)
    await leaves(shop, who)
    await asked_often(shop, who)
    known = await theirs(shop, who, orders.tables.orders)
    assert known, "orders has forgotten a user with an open order"
    await click(shop, order["action_url"])
    await gone(shop, who)


async def an_open_refund(shop: SturdyShop) -> None:
    who, order_id = await with_an_order(shop)
    shop.wires.cut = lambda request: request.url.path.startswith("/v1/refunds")
    path = f"/api/v1/payments/{payment_id(order_id)}/refunds"
    await shop.called("POST", path, {"amount": 100}, keyed(shop.admin()))
    await leaves(shop, who)
    await asked_often(shop, who)
    known = await theirs(shop, who, payments.tables.payments)
    assert known, "payments has forgotten a user with an open refund"
    shop.wires.cut = lambda _: False
    await gone(shop, who)


async def a_young_order(shop: SturdyShop) -> None:
    """Its charge was not asked for when the user left: its card is kept until then."""
    who = await registered(shop)
    shop.lose("ReserveStock")
    order_id = await who.buy({"tea": 1})
    await leaves(shop, who)
    await asked_often(shop, who)
    shop.heal()
    await until(lambda: _ended(shop, order_id), PATIENCE)
    ended = await _state(shop, order_id)
    assert ended == "COMPLETED", f"{ended}: the order lost its card"
    await gone(shop, who)


async def _ended(shop: SturdyShop, order_id: str) -> bool:
    return await _state(shop, order_id) in FINAL


async def _state(shop: SturdyShop, order_id: str) -> str:
    mine = orders.tables.orders.c
    (row,) = await shop.rows("orders", sa.select(mine.state).where(mine.id == order_id))
    return str(row.state)


async def everybody(shop: SturdyShop) -> None:
    """When the account is gone, nobody else knows the user any more."""
    who, _ = await with_an_order(shop)
    await leaves(shop, who)
    await gone(shop, who)
    cards = await theirs(shop, who, payments.tables.payment_methods)
    assert cards == [], "the user is gone, and payments still knows them"
