"""Payment methods, payments and refunds over HTTP."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from payments import domain, erasure, store
from payments.domain import Cause, Refund
from payments.tables import payment_methods, payments, refunds
from shopkit.auth import Admin, Customer, SignedIn
from shopkit.db import Tx
from shopkit.errors import Problem, Slug
from shopkit.fields import WHOLE, Text
from shopkit.http import Db
from shopkit.idempotency import Answer, Idempotent
from shopkit.pages import Page

router = APIRouter(prefix="/api/v1")
AT_MOST = 100
_LOOKS_LIKE_A_CARD = re.compile(r"(?:\d[ -]?){12,}")


class NewMethod(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(pattern=r"^(tok|pm)_[A-Za-z][A-Za-z0-9_]{1,63}$")]
    label: Annotated[Text, Field(min_length=1, max_length=60)]

    @field_validator("label")
    @classmethod
    def _no_card_number(cls, label: str) -> str:
        if _LOOKS_LIKE_A_CARD.search(label):
            raise ValueError("a card number does not belong here; give the card a name")
        return label


class Method(BaseModel):
    id: str
    label: str
    created_at: datetime


class Money(BaseModel):
    amount: int
    currency: str


class RefundView(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    cause: domain.Cause
    status: domain.RefundStatus
    amount: int
    created_at: datetime


class PaymentView(BaseModel):
    id: str
    order_id: str
    status: domain.Status
    charge: Money | None
    refunded: int
    refunds: list[RefundView]
    reason: str | None
    action_url: str | None
    created_at: datetime


class NewRefund(BaseModel):
    """Without an amount: everything that is left."""

    model_config = ConfigDict(extra="forbid")
    amount: Annotated[int, Field(gt=0, strict=True), WHOLE] | None = None
    reason: Annotated[Text, Field(max_length=200)] = ""


@router.post("/payment-methods", status_code=201, response_model=Method)
async def add_method(body: NewMethod, caller: Customer, idem: Idempotent) -> Response:
    async def work(tx: Tx) -> Answer:
        await erasure.refuse_leaving(tx, caller.id)
        method = Method(id=tx.ids.uuid7(), label=body.label, created_at=tx.clock.now())
        row = method.model_dump() | {"user_id": caller.id, "token": body.token}
        await tx.execute(sa.insert(payment_methods).values(row))
        return Answer(201, method, {"Location": f"/api/v1/payment-methods/{method.id}"})

    return await idem.run("add_payment_method", work, user=caller.id)


@router.get("/payment-methods")
async def list_methods(caller: Customer, db: Db) -> Page[Method]:
    newest = _methods_of(caller.id).order_by(payment_methods.c.id.desc()).limit(AT_MOST)
    async with db.read() as tx:
        rows = await tx.all(newest)
    return Page(items=[_method(row) for row in rows], next_cursor=None)


@router.get("/payment-methods/{method_id}")
async def one_method(method_id: UUID, caller: Customer, db: Db) -> Method:
    async with db.read() as tx:
        wanted = _methods_of(caller.id).where(payment_methods.c.id == str(method_id))
        row = await tx.one(wanted)
    if row is None:
        raise _no_method(method_id)
    return _method(row)


@router.delete("/payment-methods/{method_id}", status_code=204)
async def delete_method(method_id: UUID, caller: Customer, db: Db) -> None:
    """A charge that has started goes on; a later one is declined."""
    mine = sa.update(payment_methods).where(
        payment_methods.c.id == str(method_id),
        payment_methods.c.user_id == caller.id,
        payment_methods.c.deleted_at.is_(None),
    )
    async with db.transaction("delete_payment_method") as tx:
        result = await tx.execute(mine.values(deleted_at=tx.clock.now()))
    if result.rowcount == 0:
        raise _no_method(method_id)


@router.get("/payments/{payment_id}")
async def one_payment(payment_id: UUID, caller: SignedIn, db: Db) -> PaymentView:
    """Another user's payment is as good as none."""
    query = sa.select(payments).where(payments.c.id == str(payment_id))
    async with db.read() as tx:
        row = await tx.one(query)
        if row is None or (row.user_id != caller.id and "admin" not in caller.scopes):
            raise _no_payment(payment_id)
        made = sa.select(refunds).where(refunds.c.payment_id == row.id).order_by(refunds.c.id)
        return _view(row, await tx.all(made))


@router.post("/payments/{payment_id}/refunds", status_code=202, response_model=RefundView)
async def give_back(
    payment_id: UUID, body: NewRefund, caller: Admin, idem: Idempotent, request: Request
) -> Response:
    async def work(tx: Tx) -> Answer:
        refund = await _decided(tx, payment_id, body)
        await store.add_refund(tx, refund, reason=body.reason)
        tx.after_commit(request.app.state.worker.wake)
        view = RefundView(
            id=refund.id,
            cause=refund.cause,
            status=refund.status,
            amount=refund.amount,
            created_at=tx.clock.now(),
        )
        return Answer(202, view, {"Location": f"/api/v1/payments/{payment_id}"})

    return await idem.run("refund_payment", work, user=caller.id)


async def _decided(tx: Tx, payment_id: UUID, body: NewRefund) -> Refund:
    """Under the payment's lock, so that two refunds never share the same money."""
    payment = await store.payment(tx, str(payment_id), lock=True)
    if payment is None:
        raise _no_payment(payment_id)
    rest = domain.refundable(payment, await store.refunds_of(tx, payment.id))
    amount = body.amount or rest
    if not 0 < amount <= rest:
        raise Problem(Slug.REFUND_TOO_LARGE, f"At most {rest} can still be given back.")
    return Refund(tx.ids.uuid7(), payment.id, Cause.MERCHANT, amount)


def _methods_of(user_id: str) -> sa.Select[Any]:
    return sa.select(payment_methods).where(
        payment_methods.c.user_id == user_id, payment_methods.c.deleted_at.is_(None)
    )


def _method(row: sa.Row[Any]) -> Method:
    return Method(id=row.id, label=row.label, created_at=row.created_at)


def _view(row: sa.Row[Any], made: Sequence[sa.Row[Any]]) -> PaymentView:
    given = [r.amount for r in made if r.status == domain.RefundStatus.SUCCEEDED]
    return PaymentView(
        id=row.id,
        order_id=row.order_id,
        status=row.status,
        charge=Money(amount=row.amount, currency=row.currency) if row.amount else None,
        refunded=sum(given),
        refunds=[RefundView.model_validate(refund) for refund in made],
        reason=row.reason,
        action_url=row.action_url,
        created_at=row.created_at,
    )


def _no_method(method_id: UUID) -> Problem:
    return Problem(Slug.NOT_FOUND, f"You have no payment method {method_id}.")


def _no_payment(payment_id: UUID) -> Problem:
    return Problem(Slug.NOT_FOUND, f"There is no payment {payment_id}.")
