"""Users and their failed logins in the database."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from auth import domain
from auth.domain import Failures
from auth.tables import login_failures, users
from shopkit.db import Tx


async def add(tx: Tx, *, email: str, name: str, password_hash: str, scopes: Sequence[str]) -> bool:
    """False when the address is taken; nothing else tells the two apart."""
    user = {
        "id": tx.ids.uuid7(),
        "email": email,
        "name": name,
        "password_hash": password_hash,
        "scopes": " ".join(scopes),
        "created_at": tx.clock.now(),
    }
    return await tx.insert_new(users, user)


async def by_email(tx: Tx, email: str) -> sa.Row[Any] | None:
    return await tx.one(sa.select(users).where(users.c.email == email))


async def by_id(tx: Tx, user_id: str) -> sa.Row[Any] | None:
    return await tx.one(sa.select(users).where(users.c.id == user_id))


async def remove(tx: Tx, user_id: str) -> None:
    """With sessions and refresh tokens, which the database deletes by itself."""
    if user := await by_id(tx, user_id):
        await forget_failures(tx, user.email)
        await tx.execute(sa.delete(users).where(users.c.id == user_id))


async def failures(tx: Tx, email: str, *, lock: bool = False) -> Failures | None:
    query = sa.select(login_failures).where(login_failures.c.account == domain.fingerprint(email))
    row = await tx.one(query.with_for_update() if lock else query)
    return Failures(row.failed, row.since) if row else None


async def record_failure(tx: Tx, email: str) -> None:
    account, now = domain.fingerprint(email), tx.clock.now()
    # The row must exist before it can be locked, or two first failures would count as one.
    await tx.insert_new(login_failures, {"account": account, "failed": 0, "since": now})
    counted = domain.one_more(await failures(tx, email, lock=True), now)
    change = sa.update(login_failures).where(login_failures.c.account == account)
    await tx.execute(change.values(failed=counted.count, since=counted.since))


async def forget_failures(tx: Tx, email: str) -> None:
    account = domain.fingerprint(email)
    await tx.execute(sa.delete(login_failures).where(login_failures.c.account == account))


async def sweep(tx: Tx) -> None:
    """Removes what no longer counts."""
    past = tx.clock.now() - domain.FAILURE_WINDOW
    await tx.execute(sa.delete(login_failures).where(login_failures.c.since <= past))
