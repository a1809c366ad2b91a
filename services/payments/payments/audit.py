"""What payments can tell about its own rows (I5, I9), about each payment, and from the bank."""

from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query

from payments import domain, store
from payments.domain import RefundStatus, Status
from payments.provider import Provider, Unresolved
from payments.tables import ledger, payments, refunds
from shopkit.audit import Audit, OpenWork, Violation, violations
from shopkit.auth import Ops
from shopkit.db import Tx
from shopkit.errors import Unavailable

BANK = "bank"


async def entries(tx: Tx) -> Sequence[Violation]:
    """I5: the lines of one cause sum to zero, in one currency."""
    c = ledger.c
    total = sa.func.sum(c.amount).label("total")
    currencies = sa.func.count(c.currency.distinct()).label("currencies")
    grouped = sa.select(c.cause_id, total, currencies).group_by(c.cause_id)
    wrong = await tx.all(grouped.having(sa.or_(total != 0, currencies != 1)))
    return violations(
        wrong, "I5", lambda row: f"the entry sums to {row.total}, in {row.currencies} currencies"
    )


async def causes(tx: Tx) -> Sequence[Violation]:
    """I9: each charge and each refund that succeeded is booked once, and nothing else is."""
    booked, expected = await _booked(tx), await _expected(tx)
    return [
        Violation(
            invariant="I9",
            subject=cause,
            detail=f"booked {booked.get(cause, {})}, not {expected.get(cause, {})}",
        )
        for cause in {**booked, **expected}
        if booked.get(cause) != expected.get(cause)
    ]


async def _expected(tx: Tx) -> dict[str, dict[str, int]]:
    charged = payments.c.status == Status.CHARGED.value
    charges = await tx.all(sa.select(payments.c.id, payments.c.amount).where(charged))
    returned = refunds.c.status == RefundStatus.SUCCEEDED.value
    returns = await tx.all(sa.select(refunds.c.id, refunds.c.amount).where(returned))
    return {
        **{row.id: _lines(domain.charge_entry(row.amount)) for row in charges},
        **{row.id: _lines(domain.refund_entry(row.amount)) for row in returns},
    }


def _lines(entry: Iterable[domain.Line]) -> dict[str, int]:
    return {line.account: line.amount for line in entry}


async def _booked(tx: Tx) -> dict[str, dict[str, int]]:
    booked: dict[str, dict[str, int]] = defaultdict(dict)
    for row in await tx.all(sa.select(ledger)):
        booked[row.cause_id][row.account] = row.amount
    return booked


async def undecided(tx: Tx) -> Sequence[OpenWork]:
    """Payments and refunds whose outcome is open."""
    open_payments = payments.c.status.in_(store.OPEN_STATES)
    charges = await tx.all(sa.select(payments.c.order_id, payments.c.status).where(open_payments))
    pending = refunds.c.status == RefundStatus.PENDING.value
    returns = await tx.all(sa.select(refunds.c.payment_id, refunds.c.status).where(pending))
    return [_work("payments", "order", charges), _work("refunds", "payment", returns)]


def _work(what: str, of: str, rows: Sequence[sa.Row[Any]]) -> OpenWork:
    examples = tuple(f"{of} {row[0]} is {row.status}" for row in rows[:20])
    return OpenWork(what=what, count=len(rows), examples=examples)


async def facts(tx: Tx, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Each payment with its refunds and what the ledger says about both."""
    query = sa.select(payments).order_by(payments.c.order_id).limit(limit)
    rows = await tx.all(query.where(payments.c.order_id > after) if after else query)
    ids = [row.id for row in rows]
    made, booked = await _refunds(tx, ids), await _sums(tx, ids)
    return [
        {
            "order_id": row.order_id,
            "status": row.status,
            "amount": row.amount or 0,
            "currency": row.currency,
            "intent_id": row.intent_id,
            "refunds": made[row.id],
            "booked": booked.get(row.id, 0),
        }
        for row in rows
    ]


async def _refunds(tx: Tx, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    made: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await tx.all(sa.select(refunds).where(refunds.c.payment_id.in_(ids))):
        made[row.payment_id].append(
            {"cause": row.cause, "status": row.status, "amount": row.amount}
        )
    return made


async def _sums(tx: Tx, ids: Sequence[str]) -> dict[str, int]:
    c = ledger.c
    total = sa.func.sum(c.amount).label("total")
    mine = sa.select(c.payment_id, total).where(c.account == BANK, c.payment_id.in_(ids))
    return {row.payment_id: row.total for row in await tx.all(mine.group_by(c.payment_id))}


def bank_records(provider: Provider) -> APIRouter:
    """The bank's own records, for which the auditor needs no key of the bank."""
    router = APIRouter(prefix="/internal")

    @router.get("/ledger")
    async def moves(_: Ops, after: int = 0) -> dict[str, Any]:
        return await _page(provider.ledger(after))

    @router.get("/intents")
    async def intents(_: Ops, after: Annotated[str, Query(max_length=100)] = "") -> dict[str, Any]:
        return await _page(provider.intents(after))

    return router


async def _page(asked: Awaitable[Mapping[str, Any]]) -> dict[str, Any]:
    try:
        return dict(await asked)
    except Unresolved as error:
        raise Unavailable(f"the bank's records: {error}") from error


def audit(provider: Provider) -> Audit:
    return Audit(
        invariants=("I5",),
        cheap=(entries,),
        thorough=(causes,),
        open=(undecided,),
        facts=facts,
        more=bank_records(provider),
    )
