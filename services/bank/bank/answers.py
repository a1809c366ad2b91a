"""Idempotency as Stripe does it: a key's first answer, a 500 included, is its answer for a day."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import orjson
import sqlalchemy as sa
from fastapi import Response

from bank.domain import Refusal
from bank.tables import answers
from bank.wire import Json
from shopkit.db import Tx

REUSED = "This Idempotency-Key was first used with other parameters."


@dataclass(frozen=True)
class Answer:
    """`hang` is how many seconds the line goes dead before the first answer leaves."""

    status: int
    body: bytes
    hang: float = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        return Response(self.body, self.status, dict(self.headers), "application/json")


def answer(body: Json, *, status: int = 200, hang: float = 0) -> Answer:
    return Answer(status, orjson.dumps(body), hang)


def fingerprint(method: str, path: str, form: Mapping[str, str]) -> str:
    canonical = orjson.dumps([method, path, form], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


async def stored(tx: Tx, key: str, print: str) -> Answer | None:
    """Raises Refusal when the key came with other parameters before."""
    row = await tx.one(sa.select(answers).where(answers.c.key == key))
    if row is None:
        return None
    if row.fingerprint != print:
        raise Refusal(400, "idempotency_key_reused", REUSED)
    return Answer(row.status, row.body, headers={"Idempotent-Replayed": "true"})


async def store(tx: Tx, key: str, print: str, answer: Answer) -> None:
    values = {
        "key": key,
        "fingerprint": print,
        "status": answer.status,
        "body": answer.body,
        "created_at": tx.clock.now(),
    }
    await tx.execute(sa.insert(answers).values(values))


async def forget(tx: Tx, *, hours: float) -> None:
    too_old = tx.clock.now() - timedelta(hours=hours)
    await tx.execute(sa.delete(answers).where(answers.c.created_at < too_old))
