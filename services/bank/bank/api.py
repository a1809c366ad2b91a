"""The bank's API: payment intents, refunds and the ledger, behind the secret key."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from bank import forms, store
from bank.domain import Refusal, Token
from bank.operations import Bank
from bank.wire import Json, refund_json


async def bank(request: Request) -> Bank:
    operations: Bank = request.app.state.bank
    return operations


async def secret_key(request: Request) -> None:
    """Raises Refusal without `Authorization: Bearer <the shop's secret key>`."""
    secret: str = request.app.state.secret
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
        raise Refusal(401, "api_key_invalid", "Invalid API key provided.")


Operations = Annotated[Bank, Depends(bank)]
router = APIRouter(dependencies=[Depends(secret_key)])


@router.post("/v1/payment_intents", openapi_extra=forms.CREATE)
async def create_intent(request: Request, bank: Operations) -> Response:
    return await bank.run(request, "create_intent", bank.create)


@router.get("/v1/payment_intents")
async def list_intents(
    request: Request,
    bank: Operations,
    starting_after: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Json:
    async with request.app.state.db.read() as tx:
        found = await store.intents_after(tx, starting_after, limit + 1)
    page = [bank.shown(intent) for intent in found[:limit]]
    return {"object": "list", "has_more": len(found) > limit, "data": page}


@router.post("/v1/payment_intents/{intent_id}/confirm", openapi_extra=forms.CONFIRM)
async def confirm_intent(intent_id: str, request: Request, bank: Operations) -> Response:
    await _think(request, intent_id)
    return await bank.run(request, "confirm_intent", bank.confirm(intent_id))


@router.post("/v1/payment_intents/{intent_id}/cancel")
async def cancel_intent(intent_id: str, request: Request, bank: Operations) -> Response:
    return await bank.run(request, "cancel_intent", bank.cancel(intent_id))


@router.get("/v1/payment_intents/{intent_id}")
async def read_intent(intent_id: str, request: Request, bank: Operations) -> Json:
    async with request.app.state.db.read() as tx:
        return bank.shown(await store.intent(tx, intent_id))


@router.post("/v1/refunds", openapi_extra=forms.REFUND)
async def create_refund(request: Request, bank: Operations) -> Response:
    return await bank.run(request, "create_refund", bank.refund)


@router.get("/v1/refunds/{refund_id}")
async def read_refund(refund_id: str, request: Request) -> Json:
    async with request.app.state.db.read() as tx:
        return refund_json(await store.refund(tx, refund_id))


@router.get("/v1/refunds")
async def list_refunds(payment_intent: str, request: Request) -> Json:
    async with request.app.state.db.read() as tx:
        await store.intent(tx, payment_intent)
        made = await store.refunds_of(tx, payment_intent)
    return {"object": "list", "has_more": False, "data": [refund_json(r) for r in made]}


@router.get("/ledger")
async def read_ledger(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> Json:
    """Every movement of money in booking order; `next_after` goes on."""
    async with request.app.state.db.read() as tx:
        rows = await store.ledger_after(tx, after, limit)
    items = [dict(row._mapping) for row in rows]
    return {"items": items, "next_after": items[-1]["seq"] if len(items) == limit else None}


async def _think(request: Request, intent_id: str) -> None:
    """A slow bank is slow before it charges, so a cancel can overtake it."""
    async with request.app.state.db.read() as tx:
        intent = await store.intent(tx, intent_id)
    if intent.payment_method is Token.SLOW:
        await request.app.state.clock.sleep(request.app.state.settings.slow_seconds)
