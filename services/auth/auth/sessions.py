"""Refresh tokens: opaque, rotated at every use, one session (family) per login."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from auth import domain
from auth.domain import Refresh, RefreshToken
from auth.tables import refresh_tokens, sessions
from shopkit.db import Tx


@dataclass(frozen=True, slots=True)
class Renewed:
    """The user of a renewed session and the next refresh token."""

    user_id: str
    refresh_token: str


async def start(tx: Tx, user_id: str, lifetime: timedelta) -> str:
    """The first refresh token of a new session."""
    session = {"id": tx.ids.uuid7(), "user_id": user_id, "created_at": tx.clock.now()}
    await tx.execute(sa.insert(sessions).values(session))
    return await _issue(tx, session["id"], lifetime)


async def _issue(tx: Tx, session_id: object, lifetime: timedelta) -> str:
    token = tx.ids.token(32)
    row = {
        "hash": domain.fingerprint(token),
        "session_id": session_id,
        "expires_at": tx.clock.now() + lifetime,
    }
    await tx.execute(sa.insert(refresh_tokens).values(row))
    return token


async def renew(tx: Tx, token: str, lifetime: timedelta) -> Renewed | Refresh:
    """Does not raise for a refusal: what a reuse revokes must be committed."""
    now, digest = tx.clock.now(), domain.fingerprint(token)
    row = await tx.one(_with_session(digest))
    known = RefreshToken(row.expires_at, row.rotated_at, bool(row.revoked_at)) if row else None
    decision = domain.decide_refresh(known, now)
    if row is None or decision is Refresh.REFUSE:
        return decision
    if decision is Refresh.REVOKE_SESSION:
        await _revoke(tx, sessions.c.id == row.session_id)
        return decision
    await _mark_rotated(tx, digest)
    return Renewed(row.user_id, await _issue(tx, row.session_id, lifetime))


def _with_session(digest: str) -> sa.Select[tuple[object, ...]]:
    columns = (refresh_tokens, sessions.c.user_id, sessions.c.revoked_at)
    # The token's row is the lock: of two uses at once, the second sees the first's rotation.
    return (
        sa.select(*columns)
        .join(sessions)
        .where(refresh_tokens.c.hash == digest)
        .with_for_update(of=refresh_tokens)
    )


async def _mark_rotated(tx: Tx, digest: str) -> None:
    """Only the first use counts: the grace must not be renewed by using it."""
    unused = (refresh_tokens.c.hash == digest) & refresh_tokens.c.rotated_at.is_(None)
    await tx.execute(sa.update(refresh_tokens).where(unused).values(rotated_at=tx.clock.now()))


async def end(tx: Tx, user_id: str, token: str) -> None:
    """The session of this token, if it is the user's own."""
    session = sa.select(refresh_tokens.c.session_id).where(
        refresh_tokens.c.hash == domain.fingerprint(token)
    )
    await _revoke(tx, sessions.c.id.in_(session) & (sessions.c.user_id == user_id))


async def end_all(tx: Tx, user_id: str) -> None:
    await _revoke(tx, sessions.c.user_id == user_id)


async def _revoke(tx: Tx, which: sa.ColumnElement[bool]) -> None:
    open_ones = which & sessions.c.revoked_at.is_(None)
    await tx.execute(sa.update(sessions).where(open_ones).values(revoked_at=tx.clock.now()))


async def sweep(tx: Tx) -> None:
    """Removes tokens that are long useless, and sessions with none left."""
    await tx.execute(sa.delete(refresh_tokens).where(refresh_tokens.c.expires_at <= tx.clock.now()))
    alive = sa.select(refresh_tokens.c.session_id)
    await tx.execute(sa.delete(sessions).where(sessions.c.id.not_in(alive)))
