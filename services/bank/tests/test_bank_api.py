import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bank.app import create_app
from bank.settings import BankSettings
from bank.tables import ledger
from shopkit.app import Service
from shopkit.testing import until
from shopkit.world import World

Client = httpx.AsyncClient


async def created(http: Client, token: str = "tok_ok", amount: int = 500) -> dict[str, Any]:
    form = {"amount": str(amount), "currency": "eur", "payment_method": token}
    answer = await http.post("/v1/payment_intents", data={**form, "metadata[order_id]": "o1"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def confirmed(http: Client, id: str, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post(f"/v1/payment_intents/{id}/confirm", headers=headers)


async def booked(http: Client) -> list[tuple[str, int]]:
    items = (await http.get("/ledger")).json()["items"]
    return [(item["kind"], item["amount"]) for item in items]


async def charged(http: Client) -> bool:
    return bool(await booked(http))


async def test_no_money_moves_before_the_confirm(http: Client) -> None:
    intent = await created(http)
    assert intent["status"] == "requires_confirmation"
    assert await booked(http) == []
    answer = await confirmed(http, intent["id"])
    assert answer.json()["status"] == "succeeded"
    assert await booked(http) == [("charge", 500)]


async def test_a_declined_card_is_a_402_with_the_intent(http: Client) -> None:
    intent = await created(http, "tok_declined")
    answer = await confirmed(http, intent["id"])
    assert answer.status_code == 402
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("card_error", "card_declined")
    assert error["payment_intent"]["status"] == "requires_payment_method"
    assert await booked(http) == []


async def test_one_key_is_one_confirm(http: Client) -> None:
    intent = await created(http)
    first = await confirmed(http, intent["id"], "k1")
    again = await confirmed(http, intent["id"], "k1")
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await booked(http) == [("charge", 500)]


async def test_two_confirms_at_once_charge_once(http: Client) -> None:
    intent = await created(http)
    both = await asyncio.gather(*(confirmed(http, intent["id"], "k1") for _ in range(2)))
    assert [answer.json()["status"] for answer in both] == ["succeeded"] * 2
    assert await booked(http) == [("charge", 500)]


async def test_a_key_used_with_other_parameters_is_refused(http: Client) -> None:
    headers = {"Idempotency-Key": "k1"}
    form = {"amount": "5", "currency": "eur", "payment_method": "tok_ok"}
    await http.post("/v1/payment_intents", data=form, headers=headers)
    answer = await http.post("/v1/payment_intents", data={**form, "amount": "6"}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "idempotency_error"


async def test_a_key_is_forgotten_after_a_day(bank_settings: BankSettings) -> None:
    forgetful = bank_settings.model_copy(update={"key_hours": 1e-9})
    service = create_app(forgetful, World())
    await service.start()
    await service.settled()
    headers = {"Authorization": "Bearer sk_test_bank", "Idempotency-Key": "k1"}
    form = {"amount": "5", "currency": "eur", "payment_method": "tok_ok"}
    transport = httpx.ASGITransport(service.app)
    async with Client(transport=transport, base_url="http://bank", headers=headers) as http:
        first = await http.post("/v1/payment_intents", data=form)
        await service.app.state.bank.forget_keys()
        second = await http.post("/v1/payment_intents", data=form)
    await service.stop()
    assert first.json()["id"] != second.json()["id"]


async def test_an_answer_lost_after_the_charge_is_there_on_the_retry(http: Client) -> None:
    intent = await created(http, "tok_timeout_after_charge")
    lost = asyncio.create_task(confirmed(http, intent["id"], "k1"))
    await until(lambda: charged(http))
    assert not lost.done()
    lost.cancel()
    assert (await confirmed(http, intent["id"], "k1")).json()["status"] == "succeeded"
    assert await booked(http) == [("charge", 500)]


async def test_an_error_after_the_charge_stays_the_answer_of_its_key(http: Client) -> None:
    intent = await created(http, "tok_error_after_charge")
    for _ in range(2):
        assert (await confirmed(http, intent["id"], "k1")).status_code == 500
    looked = await http.get(f"/v1/payment_intents/{intent['id']}")
    assert looked.json()["status"] == "succeeded"
    assert await booked(http) == [("charge", 500)]


async def test_a_slow_confirm_can_be_overtaken_by_a_cancel(http: Client) -> None:
    intent = await created(http, "tok_slow")
    confirm = asyncio.create_task(confirmed(http, intent["id"]))
    cancel = await http.post(f"/v1/payment_intents/{intent['id']}/cancel")
    assert cancel.json()["status"] == "canceled"
    refused = (await confirm).json()["error"]
    assert refused["code"] == "payment_intent_unexpected_state"
    assert refused["payment_intent"]["status"] == "canceled"
    assert await booked(http) == []


async def test_a_paid_intent_is_not_cancelled_and_says_so(http: Client) -> None:
    intent = await created(http)
    await confirmed(http, intent["id"])
    answer = await http.post(f"/v1/payment_intents/{intent['id']}/cancel")
    assert answer.status_code == 400
    assert answer.json()["error"]["payment_intent"]["status"] == "succeeded"


async def test_refunds_are_partial_listed_and_never_more_than_the_charge(http: Client) -> None:
    intent = await created(http)
    await confirmed(http, intent["id"])
    form = {"payment_intent": intent["id"], "metadata[refund_id]": "r1"}
    part = await http.post("/v1/refunds", data={**form, "amount": "200"})
    assert (part.json()["status"], part.json()["metadata"]) == ("succeeded", {"refund_id": "r1"})
    too_much = await http.post("/v1/refunds", data={**form, "amount": "301"})
    assert too_much.status_code == 400
    rest = await http.post("/v1/refunds", data=form)
    assert rest.json()["amount"] == 300
    listed = await http.get("/v1/refunds", params={"payment_intent": intent["id"]})
    assert [refund["amount"] for refund in listed.json()["data"]] == [200, 300]
    assert await booked(http) == [("charge", 500), ("refund", -200), ("refund", -300)]
    one = await http.get(f"/v1/refunds/{rest.json()['id']}")
    assert one.json() == rest.json()


async def test_a_refund_fails_once_and_moves_nothing(http: Client) -> None:
    intent = await created(http, "tok_refund_fails_once")
    await confirmed(http, intent["id"])
    form = {"payment_intent": intent["id"], "amount": "500"}
    answers = [(await http.post("/v1/refunds", data=form)).json() for _ in range(2)]
    assert [refund["status"] for refund in answers] == ["failed", "succeeded"]
    assert await booked(http) == [("charge", 500), ("refund", -500)]


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"amount": "0"}, "parameter_invalid_integer"),
        ({"amount": "1.5"}, "parameter_invalid_integer"),
        ({"currency": "euro"}, "parameter_invalid"),
        ({"payment_method": "tok_nothing"}, "resource_missing"),
        ({"payment_method": ""}, "parameter_missing"),
    ],
)
async def test_a_bad_parameter_is_named(http: Client, form: dict[str, str], code: str) -> None:
    good = {"amount": "5", "currency": "eur", "payment_method": "tok_ok"}
    answer = await http.post("/v1/payment_intents", data={**good, **form})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


async def test_an_unknown_intent_is_missing(http: Client) -> None:
    answer = await http.get("/v1/payment_intents/pi_none")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")


@pytest.mark.parametrize("given", ["", "Bearer wrong"])
async def test_nobody_else_has_the_secret_key(http: Client, given: str) -> None:
    answer = await http.get("/ledger", headers={"Authorization": given})
    assert answer.status_code == 401
    assert "sk_test" not in answer.text


async def test_the_ledger_is_read_in_pages(http: Client) -> None:
    for _ in range(3):
        await confirmed(http, (await created(http))["id"])
    first = (await http.get("/ledger", params={"limit": 2})).json()
    rest = (await http.get("/ledger", params={"after": first["next_after"]})).json()
    assert (len(first["items"]), len(rest["items"]), rest["next_after"]) == (2, 1, None)
    assert first["items"][0]["metadata"] == {"order_id": "o1"}


async def test_the_ledger_cannot_be_rewritten(http: Client, bank: Service) -> None:
    await confirmed(http, (await created(http))["id"])
    for statement in (sa.update(ledger).values(amount=1), sa.delete(ledger)):
        with pytest.raises(IntegrityError, match="append-only"):
            async with bank.db.transaction("tamper") as tx:
                await tx.execute(statement)


async def test_the_books_survive_a_death(bank_settings: BankSettings) -> None:
    headers = {"Authorization": "Bearer sk_test_bank"}
    world = World()
    service = create_app(bank_settings, world)
    await service.start()
    await service.settled()
    transport = httpx.ASGITransport(service.app)
    async with Client(transport=transport, base_url="http://bank", headers=headers) as http:
        intent = await created(http)
        await confirmed(http, intent["id"], "k1")
    await service.kill()
    again = create_app(bank_settings, world)
    await again.start()
    await again.settled()
    transport = httpx.ASGITransport(again.app)
    async with Client(transport=transport, base_url="http://bank", headers=headers) as http:
        assert (await confirmed(http, intent["id"], "k1")).headers["Idempotent-Replayed"]
        assert await booked(http) == [("charge", 500)]
    await again.stop()


async def test_all_intents_come_in_pages(http: Client) -> None:
    ids = sorted([(await created(http))["id"] for _ in range(5)])
    seen: list[str] = []
    page: dict[str, Any] = {"has_more": True}
    while page["has_more"]:
        query = {"limit": "2", **({"starting_after": seen[-1]} if seen else {})}
        page = (await http.get("/v1/payment_intents", params=query)).json()
        seen += [intent["id"] for intent in page["data"]]
    assert seen == ids
