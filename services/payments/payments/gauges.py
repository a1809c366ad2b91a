"""What an operator has to know about money: outcomes that are open, refunds that are stuck."""

from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa
from prometheus_client import Gauge

from payments.domain import Cause, RefundStatus
from payments.store import OPEN_STATES
from payments.tables import payments, refunds
from shopkit.app import Service
from shopkit.db import Tx

STUCK_AFTER = 3600.0


def refreshing(service: Service) -> Callable[[], Awaitable[None]]:
    registry = service.metrics.registry
    unresolved = Gauge(
        "shop_payments_unresolved", "Payments whose outcome is open", registry=registry
    )
    stuck = Gauge(
        "shop_refund_stuck", "Cancelled payments not given back for an hour", registry=registry
    )

    async def refresh() -> None:
        async with service.db.read() as tx:
            unresolved.set(await tx.scalar(_unresolved()))
            stuck.set(await tx.scalar(_stuck(tx)))

    return refresh


def _unresolved() -> sa.Select[Any]:
    is_open = payments.c.status.in_(OPEN_STATES)
    return sa.select(sa.func.count()).select_from(payments).where(is_open)


def _stuck(tx: Tx) -> sa.Select[Any]:
    """From the first try: every failed one is followed by a new row."""
    waiting = sa.select(refunds.c.payment_id).where(refunds.c.status == RefundStatus.PENDING.value)
    return sa.select(sa.func.count(refunds.c.payment_id.distinct())).where(
        refunds.c.cause == Cause.COMPENSATION.value,
        refunds.c.created_at < tx.time(-STUCK_AFTER),
        refunds.c.payment_id.in_(waiting),
    )
