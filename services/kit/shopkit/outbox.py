"""The outbox: messages are rows of the transaction that causes them (rules a and f)."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from shopkit import traces
from shopkit.db import Tx
from shopkit.messages import Body, Message, ReplyAddress, command_id, encode, reply_id
from shopkit.schema import outbox


async def command(
    tx: Tx, target: str, body: Body, *, correlation_id: str, attempt: int = 1, trace: str = ""
) -> str:
    """Returns the command's id, which is the same for every attempt."""
    id = command_id(correlation_id, target, body.type_name())
    row = _content(tx, "cmd", target, body)
    origin = {"id": id, "correlation_id": correlation_id, "causation_id": correlation_id}
    await put(tx, row | origin | {"attempt": attempt, "traceparent": trace or traces.current()})
    return id


async def again(tx: Tx, saga: sa.Row[Any], attempt: int) -> None:
    """The pending command of a saga once more, under the id and trace it had."""
    row = {
        "id": command_id(saga.id, saga.pending_target, saga.pending_type),
        "kind": "cmd",
        "target": saga.pending_target,
        "type": saga.pending_type,
        "version": saga.pending_version,
        "data": saga.pending_data,
        "created_at": tx.clock.now(),
        "correlation_id": saga.id,
        "causation_id": saga.id,
        "attempt": attempt,
        "traceparent": saga.traceparent,
    }
    await put(tx, row)


async def reply(tx: Tx, address: ReplyAddress, body: Body) -> None:
    row = _content(tx, "reply", address.to, body)
    origin = {
        "id": reply_id(address.command_id, body.type_name()),
        "correlation_id": address.correlation_id,
        "causation_id": address.command_id,
        "attempt": address.attempt,
        "traceparent": traces.current() or address.traceparent,
    }
    await put(tx, row | origin)


def _content(tx: Tx, kind: str, target: str, body: Body) -> dict[str, Any]:
    return {
        "kind": kind,
        "target": target,
        "type": body.type_name(),
        "version": body.version,
        "data": encode(body).decode(),
        "created_at": tx.clock.now(),
    }


async def put(tx: Tx, row: dict[str, Any]) -> None:
    """A row that is still there was not sent yet and stays as it is (rule f)."""
    await tx.insert_new(outbox, row)
    tx.after_commit(tx.wake_outbox)


async def take(tx: Tx, token: str, lease: float, limit: int) -> Sequence[Message]:
    """The oldest rows, leased so that no other replica publishes them meanwhile (rule b)."""
    free = sa.or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < tx.time())
    due = sa.select(outbox.c.id).where(free).order_by(outbox.c.created_at).limit(limit)
    oldest = due.with_for_update(skip_locked=True).cte("due")
    values = {"lease_token": token, "lease_until": tx.time(lease)}
    leased = sa.update(outbox).where(outbox.c.id.in_(sa.select(oldest.c.id))).values(values)
    rows = await tx.all(leased.returning(outbox))
    return [_message(row, tx.service) for row in sorted(rows, key=lambda row: row.created_at)]


async def sent(tx: Tx, token: str, ids: Sequence[str]) -> None:
    """A deleted row is a sent one."""
    mine = sa.and_(outbox.c.id.in_(ids), outbox.c.lease_token == token)
    await tx.execute(sa.delete(outbox).where(mine))


async def release(tx: Tx, token: str) -> None:
    """What could not be published is free for the next pass."""
    freed = {"lease_token": None, "lease_until": None}
    await tx.execute(sa.update(outbox).where(outbox.c.lease_token == token).values(freed))


def _message(row: sa.Row[Any], source: str) -> Message:
    return Message(
        id=row.id,
        kind=row.kind,
        target=row.target,
        type=row.type,
        version=row.version,
        source=source,
        time=row.created_at,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        attempt=row.attempt,
        traceparent=row.traceparent,
        data=row.data.encode(),
    )
