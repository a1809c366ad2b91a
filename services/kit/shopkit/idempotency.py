"""Idempotent requests: the key's row, the work and the answer are one transaction."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
import sqlalchemy as sa
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel

from shopkit.db import LockTimeout, Tx
from shopkit.errors import Problem, Slug
from shopkit.schema import idempotency_keys

KEPT = 48 * 3600.0
REPLAY_HEADER = "Idempotent-Replay"


@dataclass(frozen=True, slots=True)
class Answer:
    """A definite result: stored with the work. A status of 500 or more is returned, not stored."""

    status: int
    body: BaseModel | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        if self.body is None:
            return ""
        if isinstance(self.body, BaseModel):
            return self.body.model_dump_json()
        return orjson.dumps(self.body).decode()


Work = Callable[[Tx], Awaitable[Answer]]


class _NotKept(Exception):
    """Rolls the transaction back and carries the answer out."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class IdempotentRequest:
    """One request that carries an Idempotency-Key."""

    def __init__(self, request: Request, key: str, body: bytes) -> None:
        self._service = request.app.state.service
        self._method, self._path = request.method, request.url.path
        self._key, self._body = key, body

    async def run(self, step: str, work: Work, *, user: str = "anonymous") -> Response:
        """The stored answer of this user, path and key, or the work's; `step` names the commit."""
        row = self._row(user)
        try:
            async with self._service.db.transaction(step) as tx:
                return await self._new_or_stored(tx, row, work)
        except _NotKept as problem:
            return _response(problem.answer.status, problem.answer.headers, problem.answer.text())

    async def _new_or_stored(self, tx: Tx, row: dict[str, Any], work: Work) -> Response:
        try:
            new = await tx.insert_new(idempotency_keys, row)
        except LockTimeout as error:
            detail = "The first request with this key has not ended."
            raise Problem(Slug.IN_PROGRESS, detail, headers={"Retry-After": "1"}) from error
        if not new:
            return self._stored(await tx.one(sa.select(idempotency_keys).where(_is(row))), row)
        answer = await work(tx)
        if answer.status >= 500:
            raise _NotKept(answer)
        result = {"status": answer.status, "headers": dict(answer.headers), "body": answer.text()}
        await tx.execute(sa.update(idempotency_keys).where(_is(row)).values(result))
        tx.after_commit(lambda: self._count("new"))
        return _response(answer.status, answer.headers, answer.text())

    def _stored(self, stored: sa.Row[Any] | None, row: Mapping[str, Any]) -> Response:
        if stored is None:
            raise Problem(Slug.IN_PROGRESS, "Try again.", headers={"Retry-After": "1"})
        if not hmac.compare_digest(stored.fingerprint, row["fingerprint"]):
            self._count("conflict")
            raise Problem(Slug.IDEMPOTENCY_KEY_REUSED, "Use a new key for a new request.")
        self._count("replay")
        return _response(stored.status, {**stored.headers, REPLAY_HEADER: "true"}, stored.body)

    def _row(self, user: str) -> dict[str, Any]:
        return {
            "caller": user,
            "method": self._method,
            "path": self._path,
            "key": self._key,
            "fingerprint": fingerprint(self._secret(), self._body),
            "created_at": self._service.clock.now(),
        }

    def _secret(self) -> bytes:
        secret = self._service.settings.idempotency_key
        if secret is None:
            raise Problem(Slug.UNAVAILABLE, "IDEMPOTENCY_KEY_FILE is not set for this service.")
        return bytes(secret.get_secret_value(), "utf-8")

    def _count(self, outcome: str) -> None:
        self._service.metrics.idempotent_requests.labels(outcome).inc()


def fingerprint(secret: bytes, body: bytes) -> str:
    """Keyed, so that the table does not help to guess a password; blind to spaces and key order."""
    canonical = body
    if body:
        try:
            canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
        except orjson.JSONDecodeError:
            canonical = body
    return hmac.new(secret, canonical, hashlib.sha256).hexdigest()


def _is(row: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    keys = ("caller", "method", "path", "key")
    return sa.and_(*(idempotency_keys.c[name] == row[name] for name in keys))


def _response(status: int, headers: Mapping[str, str], body: str) -> Response:
    media_type = "application/json" if body else None
    return Response(body, status, dict(headers), media_type)


async def _idempotent(
    request: Request,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> IdempotentRequest:
    if idempotency_key is None:
        detail = "Send an Idempotency-Key header, such as a random UUID, and keep it for retries."
        raise Problem(Slug.IDEMPOTENCY_KEY_MISSING, detail)
    return IdempotentRequest(request, idempotency_key, await request.body())


Idempotent = Annotated[IdempotentRequest, Depends(_idempotent)]


async def forget(tx: Tx, user: str) -> None:
    """The stored answers to this user: they may show what the user did."""
    await tx.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.caller == user))


async def clean(tx: Tx) -> None:
    old = idempotency_keys.c.created_at < tx.time(-KEPT)
    await tx.execute(sa.delete(idempotency_keys).where(old))
