"""What auth tells an auditor: who is known, and who is leaving. No name and no address."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from auth.tables import users
from shopkit.audit import Audit
from shopkit.db import Tx


async def facts(tx: Tx, after: str, limit: int) -> Sequence[Mapping[str, Any]]:
    query = sa.select(users.c.id, users.c.erasing_since).order_by(users.c.id).limit(limit)
    rows = await tx.all(query.where(users.c.id > after) if after else query)
    return [{"user_id": row.id, "leaving": row.erasing_since is not None} for row in rows]


AUDIT = Audit(facts=facts, key="user_id")
