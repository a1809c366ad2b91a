"""Whole orders through catalog, orders, payments and bank: every way they can end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.shop.shop_in_process import Customer, InProcessShop, Json, audit, open_shop

import bank.tables
from shopkit.messages import Message
from shopkit.testing import until


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcessShop]:
    async with open_shop(tmp_path, monkeypatch) as shop:
        yield shop


@pytest.fixture
def anna(shop: InProcessShop) -> Customer:
    return shop.customer()


def story(order: Json) -> list[str]:
    return [entry["event"] for entry in order["timeline"]]


# --- the ways an order ends by itself ------------------------------------------------------------


async def test_an_order_with_a_good_card_and_enough_stock_is_completed(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 5, price=450)
    await shop.stock("pot", 1, price=1900)
    order = await anna.ends(await anna.buy({"tea": 2, "pot": 1}))
    assert (order["state"], order["cancel_reason"]) == ("COMPLETED", None)
    assert order["total"] == {"amount": 2800, "currency": "EUR"}
    assert story(order) == ["PLACED", "StockReserved", "Charged", "StockCommitted"]
    assert await anna.cart() == {}
    await audit(shop)


async def test_a_declined_card_cancels_the_order_and_everything_is_back(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 5)
    order = await anna.ends(await anna.buy({"tea": 2}, "tok_declined"))
    assert (order["state"], order["cancel_reason"]) == ("CANCELLED", "declined")
    assert story(order) == ["PLACED", "StockReserved", "Declined", "StockReleased"]
    assert await anna.cart() == {"tea": 2}
    await audit(shop)


async def test_an_order_is_rejected_as_a_whole_when_one_line_has_no_stock(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 5)
    await shop.stock("pot", 0)
    order = await anna.ends(await anna.buy({"tea": 1, "pot": 1}))
    assert (order["state"], order["cancel_reason"]) == ("REJECTED", "out-of-stock")
    assert story(order) == ["PLACED", "StockRejected"]
    assert await anna.cart() == {"tea": 1, "pot": 1}
    await audit(shop)


async def test_of_many_customers_only_as_many_as_there_is_stock_get_the_last_pieces(
    shop: InProcessShop,
) -> None:
    await shop.stock("pot", 2)
    customers = [shop.customer() for _ in range(6)]
    placed = await asyncio.gather(*(customer.buy({"pot": 1}) for customer in customers))
    ended = await asyncio.gather(
        *(customer.ends(order) for customer, order in zip(customers, placed, strict=True))
    )
    assert sorted(order["state"] for order in ended) == ["COMPLETED"] * 2 + ["REJECTED"] * 4
    await audit(shop)


@pytest.mark.parametrize("card", ["tok_slow", "tok_timeout_after_charge", "tok_error_after_charge"])
async def test_an_unknown_outcome_at_the_bank_is_looked_up_and_charged_once(
    shop: InProcessShop, anna: Customer, card: str
) -> None:
    await shop.stock("tea", 1)
    assert (await anna.ends(await anna.buy({"tea": 1}, card)))["state"] == "COMPLETED"
    await audit(shop)


async def test_a_payment_method_of_somebody_else_is_declined(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 1)
    thief = shop.customer()
    lines = {"lines": [{"sku": "tea", "quantity": 1}]}
    quote = await shop.called("POST", "/api/v1/quotes", lines, thief.headers)
    keyed = {**anna.headers, "Idempotency-Key": "k"}
    card = {"token": "tok_ok", "label": "mine"}
    method = await shop.called("POST", "/api/v1/payment-methods", card, keyed)
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    keyed = {**thief.headers, "Idempotency-Key": "k"}
    order = await shop.called("POST", "/api/v1/orders", body, keyed)
    assert (await thief.ends(order["id"]))["cancel_reason"] == "declined"
    await audit(shop)


@pytest.mark.parametrize(
    ("answer", "state", "last"),
    [("approve", "COMPLETED", "StockCommitted"), ("refuse", "CANCELLED", "StockReleased")],
)
async def test_the_customer_answers_the_banks_question(
    shop: InProcessShop, anna: Customer, answer: str, state: str, last: str
) -> None:
    await shop.stock("tea", 1)
    order_id = await anna.buy({"tea": 1}, "tok_requires_action")
    asked = await anna.reaches(order_id, "PAYMENT_ACTION")
    reply = await shop.http.post(asked["action_url"], data={"answer": answer})
    assert reply.status_code == 303
    assert reply.headers["Location"] == f"http://127.0.0.1:8080/orders/{order_id}"
    order = await anna.ends(order_id)
    assert (order["state"], story(order)[-1], order["action_url"]) == (state, last, None)
    await audit(shop)


# --- cancelling in each state --------------------------------------------------------------------


async def test_a_cancel_before_the_stock_is_reserved_holds_nothing(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 1)
    shop.lose("ReserveStock")
    order_id = await anna.buy({"tea": 1})
    assert (await anna.cancel(order_id)).status_code == 202
    order = await anna.ends(order_id)
    assert (order["state"], order["cancel_reason"]) == ("CANCELLED", "customer")
    assert await anna.cart() == {"tea": 1}
    await audit(shop)


async def test_a_cancel_while_the_bank_is_away_waits_for_the_bank(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 1)
    await shop.kill("bank")
    order_id = await anna.buy({"tea": 1})
    await anna.reaches(order_id, "CHARGING")
    assert (await anna.cancel(order_id)).json()["state"] == "VOIDING"
    await shop.start("bank")
    assert (await anna.ends(order_id))["state"] == "CANCELLED"
    await audit(shop)


async def test_a_cancel_while_the_bank_asks_the_customer_cancels_at_the_bank(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 1)
    order_id = await anna.buy({"tea": 1}, "tok_requires_action")
    asked = await anna.reaches(order_id, "PAYMENT_ACTION")
    assert (await anna.cancel(order_id)).status_code == 202
    assert (await anna.ends(order_id))["state"] == "CANCELLED"
    await shop.http.post(asked["action_url"], data={"answer": "approve"})
    await audit(shop)


@pytest.mark.parametrize("card", ["tok_ok", "tok_refund_fails_once"])
async def test_a_cancel_that_crosses_the_charge_is_refunded(
    shop: InProcessShop, anna: Customer, card: str
) -> None:
    await shop.stock("tea", 1)
    shop.lose("Charged")
    order_id = await anna.buy({"tea": 1}, card)
    await anna.reaches(order_id, "CHARGING")
    await until(lambda: _charged(shop), 30)
    assert (await anna.cancel(order_id)).status_code == 202
    shop.heal()
    order = await anna.ends(order_id)
    assert order["state"] == "CANCELLED"
    assert order["timeline"][-2]["detail"] == "the charge was refunded"
    await audit(shop)


async def _charged(shop: InProcessShop) -> bool:
    return bool(await shop.rows("bank", sa.select(bank.tables.ledger.c.seq)))


async def test_a_confirmed_order_cannot_be_cancelled_and_is_completed(
    shop: InProcessShop, anna: Customer
) -> None:
    await shop.stock("tea", 1)
    shop.lose("StockCommitted")
    order_id = await anna.buy({"tea": 1})
    await anna.reaches(order_id, "CONFIRMED")
    refused = await anna.cancel(order_id)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:shop:problem:order-not-cancellable"
    shop.heal()
    assert (await anna.ends(order_id))["state"] == "COMPLETED"
    await audit(shop)


# --- deadlines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("away", "waits_in"), [("catalog", "RESERVING"), ("bank", "CHARGING")])
async def test_an_order_that_takes_too_long_is_cancelled_when_everybody_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: str, waits_in: str
) -> None:
    async with open_shop(tmp_path, monkeypatch, SAGA_DEADLINE=3) as shop:
        anna = shop.customer()
        await shop.stock("tea", 1)
        shop.lose("ReserveStock" if away == "catalog" else "nothing")
        if away == "bank":
            await shop.kill("bank")
        order_id = await anna.buy({"tea": 1})
        if away == "catalog":
            await shop.kill("catalog")
        await anna.reaches(order_id, waits_in)
        await until(lambda: _is_told(anna, order_id, "Deadline"), 30)
        shop.heal()
        await shop.start(away)
        order = await anna.ends(order_id)
        assert (order["state"], order["cancel_reason"]) == ("CANCELLED", "deadline")
        await audit(shop)


async def _is_told(customer: Customer, order_id: str, event: str) -> bool:
    return event in story(await customer.order(order_id))


# --- a bad network, and crashes ------------------------------------------------------------------

CARDS = ["tok_ok", "tok_declined", "tok_ok", "tok_ok"]
EXPECTED = ["COMPLETED", "CANCELLED", "COMPLETED", "REJECTED"]


async def place_all(shop: InProcessShop) -> list[tuple[Customer, str]]:
    """One order of each kind; the last finds an empty shelf."""
    await shop.stock("tea", 10)
    await shop.stock("pot", 0)
    placed = []
    for card, expected in zip(CARDS, EXPECTED, strict=True):
        customer = shop.customer()
        sku = "pot" if expected == "REJECTED" else "tea"
        placed.append((customer, await customer.buy({sku: 1}, card)))
    return placed


async def all_end_as_expected(shop: InProcessShop, placed: list[tuple[Customer, str]]) -> None:
    ended = await asyncio.gather(*(customer.ends(order) for customer, order in placed))
    assert [order["state"] for order in ended] == EXPECTED
    await audit(shop)


@pytest.mark.parametrize("seed", range(3))
async def test_lost_doubled_and_reordered_messages_only_delay_orders(
    shop: InProcessShop, seed: int
) -> None:
    chance = random.Random(seed)

    def copies(_: Message) -> int:
        return chance.choice([0, 1, 1, 2, 3])

    shop.broker.copies, shop.broker.pick = copies, chance.randrange
    await all_end_as_expected(shop, await place_all(shop))


async def test_a_broker_that_loses_everything_only_delays_orders(shop: InProcessShop) -> None:
    shop.broker.down = True
    placed = await place_all(shop)
    shop.broker.down = False
    for _ in range(3):
        await asyncio.gather(*(customer.order(order) for customer, order in placed))
        shop.broker.wipe()
    await all_end_as_expected(shop, placed)


@pytest.mark.parametrize("name", ["catalog", "orders", "payments", "bank"])
async def test_a_service_that_dies_in_the_middle_goes_on_where_it_was(
    shop: InProcessShop, name: str
) -> None:
    placed = await place_all(shop)
    await shop.kill(name)
    shop.broker.wipe()
    await shop.start(name)
    await all_end_as_expected(shop, placed)


async def test_all_services_die_at_once_and_nothing_is_lost(shop: InProcessShop) -> None:
    placed = await place_all(shop)
    await shop.kill(*list(shop.wires.up))
    shop.broker.wipe()
    await shop.start()
    await all_end_as_expected(shop, placed)
