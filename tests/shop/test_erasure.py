"""A user who wants to be forgotten: nothing is left of them, and nothing of the books is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from tests.shop.auditing_in_process import must_be_clean
from tests.shop.crashing import (
    PASSWORD,
    SturdyShop,
    asked,
    click,
    erased,
    forgotten,
    open_sturdy_shop,
    registered,
)
from tests.shop.leaving import ME, leaves
from tests.shop.shop_in_process import Customer, keyed

import auth.tables
import orders.tables
import payments.tables
from payments.domain import payment_id
from shop.audit import scan
from shopkit.schema import sagas
from shopkit.testing import NewDatabase, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_on_postgresql_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_postgres: NewDatabase
) -> None:
    databases = {name: await new_postgres() for name in ("auth", "orders", "payments")}
    async with open_sturdy_shop(tmp_path, monkeypatch, databases=databases) as shop:
        await erased(shop)
        await must_be_clean(shop)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SturdyShop]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with open_sturdy_shop(tmp_path_factory.mktemp("erasure"), monkeypatch) as shop:
            yield shop


async def waits_for(shop: SturdyShop, who: Customer) -> tuple[str, int] | None:
    """Whom the erasure asks and how often it did."""
    rows = await shop.rows("auth", sa.select(sagas).where(sagas.c.id == who.id))
    return (rows[0].state, rows[0].attempt) if rows else None


async def refused_twice(shop: SturdyShop, who: Customer, service: str) -> None:
    """It was sent again and not answered."""

    async def sent_again() -> bool:
        waiting = await waits_for(shop, who)
        return waiting is not None and waiting[0] == service and waiting[1] >= 3

    await until(sent_again, 20)
    assert not await forgotten(shop, who.id)


async def test_nothing_names_the_user_any_more_but_two_tombstones(shop: SturdyShop) -> None:
    who = await registered(shop)
    order_id = await who.buy({"tea": 1})
    await who.ends(order_id)
    await shop.called("PUT", "/api/v1/cart/items/pot", {"quantity": 1}, who.headers)
    (email,) = await shop.rows(
        "auth", sa.select(auth.tables.users.c.email).where(auth.tables.users.c.id == who.id)
    )
    await leaves(shop, who)
    await until(lambda: forgotten(shop, who.id), 20)
    await must_be_clean(shop)
    for service, table in (
        ("orders", orders.tables.orders),
        ("orders", orders.tables.cart_lines),
        ("payments", payments.tables.payment_methods),
        ("payments", payments.tables.payments),
        ("auth", auth.tables.sessions),
    ):
        mine = sa.select(table).where(table.c.user_id == who.id)
        assert await shop.rows(service, mine) == [], table.name
    data = await shop.rows("orders", sa.select(sagas.c.data).where(sagas.c.id == order_id))
    assert who.id not in str(data)
    admin = await shop.called("GET", f"/api/v1/payments/{payment_id(order_id)}", None, shop.admin())
    assert (admin["status"], admin["charge"]["amount"]) == ("CHARGED", 500), "the books stay"
    assert email.email not in str(await shop.rows("auth", sa.select(auth.tables.users)))


async def test_an_open_order_is_waited_for_and_ends_as_if_nothing_had_been_asked(
    shop: SturdyShop,
) -> None:
    who = await registered(shop)
    order = await who.reaches(await who.buy({"tea": 1}, "tok_requires_action"), "PAYMENT_ACTION")
    await leaves(shop, who)
    await refused_twice(shop, who, "ORDERS")
    await click(shop, order["action_url"])
    await until(lambda: forgotten(shop, who.id), 20)
    orders_ = orders.tables.orders
    (ended,) = await shop.rows(
        "orders", sa.select(orders_.c.state).where(orders_.c.id == order["id"])
    )
    assert ended.state == "COMPLETED"
    await must_be_clean(shop)


async def test_from_the_first_command_on_neither_orders_nor_payment_methods_are_taken(
    shop: SturdyShop,
) -> None:
    """The access token is still valid."""
    who = await registered(shop)
    order = await who.reaches(await who.buy({"tea": 1}, "tok_requires_action"), "PAYMENT_ACTION")
    await leaves(shop, who)
    await refused_twice(shop, who, "ORDERS")
    item = await shop.http.put("/api/v1/cart/items/tea", json={"quantity": 1}, headers=who.headers)
    assert (item.status_code, item.json()["detail"]) == (409, "This account is being deleted.")
    await shop.called("POST", f"/api/v1/orders/{order['id']}/cancel", None, keyed(who.headers))
    await until(lambda: forgotten(shop, who.id), 20)
    method = await shop.http.post(
        "/api/v1/payment-methods",
        json={"token": "tok_ok", "label": "mine"},
        headers=keyed(who.headers),
    )
    assert method.status_code == 409
    quote = await shop.called(
        "POST", "/api/v1/quotes", {"lines": [{"sku": "tea", "quantity": 1}]}, who.headers
    )
    body = {"quote": quote["quote"], "payment_method_id": who.id}
    placed = await shop.http.post("/api/v1/orders", json=body, headers=keyed(who.headers))
    assert placed.status_code == 409
    assert await who.cart() == {}, "what the cancelled order gave back is not kept either"
    await must_be_clean(shop)


async def test_an_open_refund_is_waited_for(shop: SturdyShop) -> None:
    who = await registered(shop)
    order_id = await who.buy({"tea": 1})
    await who.ends(order_id)
    shop.wires.cut = lambda request: request.url.path.startswith("/v1/refunds")
    path = f"/api/v1/payments/{payment_id(order_id)}/refunds"
    await shop.called("POST", path, {"amount": 100}, keyed(shop.admin()))
    await leaves(shop, who)
    await refused_twice(shop, who, "PAYMENTS")
    shop.wires.cut = lambda _: False
    await until(lambda: forgotten(shop, who.id), 30)
    await must_be_clean(shop)


async def test_nobody_signs_in_to_an_account_that_is_being_deleted(shop: SturdyShop) -> None:
    who = await registered(shop)
    shop.lose("EraseUser")
    users = auth.tables.users
    (row,) = await shop.rows("auth", sa.select(users).where(users.c.id == who.id))
    login = {"email": row.email, "password": PASSWORD}
    opened = await shop.http.post("/api/v1/tokens", json=login)
    cookie = {"Cookie": f"refresh_token={opened.cookies['refresh_token']}"}
    shop.http.cookies.clear()
    await leaves(shop, who)
    await leaves(shop, who)
    assert (await shop.http.post("/api/v1/tokens", json=login)).status_code == 401
    assert (await shop.http.post("/api/v1/tokens/refresh", headers=cookie)).status_code == 401
    shop.heal()
    await until(lambda: forgotten(shop, who.id), 20)
    gone = await shop.http.delete(ME, headers=who.headers)
    assert (gone.status_code, gone.json()["detail"]) == (401, "This account no longer exists.")
    again = {**login, "name": "Kim again"}
    await shop.called("POST", "/api/v1/users", again, keyed({}))
    assert (await shop.http.post("/api/v1/tokens", json=login)).status_code == 200
    shop.http.cookies.clear()


async def test_a_duplicate_is_answered_again(shop: SturdyShop) -> None:
    """Both answers are lost twice: only another EraseUser can bring them back."""
    who = await registered(shop)
    shop.lose("UserErased")
    await leaves(shop, who)
    await refused_twice(shop, who, "ORDERS")
    shop.heal()
    await until(lambda: forgotten(shop, who.id), 20)
    await must_be_clean(shop)


async def test_another_users_orders_stay_theirs(shop: SturdyShop) -> None:
    stays, order = await asked(shop)
    who = await registered(shop)
    await leaves(shop, who)
    await until(lambda: forgotten(shop, who.id), 20)
    await click(shop, order["action_url"])
    assert (await stays.ends(order["id"]))["state"] == "COMPLETED"
    await must_be_clean(shop)


async def test_the_databases_keep_no_secret_of_the_forgotten(
    shop: SturdyShop, tmp_path: Path
) -> None:
    assert list(scan.scan([shop.folder], [PASSWORD])) == []
