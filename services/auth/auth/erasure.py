"""The erasure of a user: orders forgets them, then payments, then the row here goes.

tests/shop/model_erasure.py explores this protocol; change it there first.
"""

from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from auth import accounts, sessions
from auth.messages import EraseUser, UserErased
from auth.tables import users
from shopkit.db import Tx
from shopkit.engine import SagaEngine
from shopkit.messages import Body
from shopkit.saga import SagaState, Send, Transition


class State(StrEnum):
    """Who is asked to forget the user."""

    ORDERS = "ORDERS"
    PAYMENTS = "PAYMENTS"
    ERASED = "ERASED"


# Orders first: it has no open order when it answers, so nothing new comes to payments.
NEXT = {State.ORDERS: State.PAYMENTS, State.PAYMENTS: State.ERASED}


def into(state: State, user_id: str) -> Transition:
    """With the command that is sent until it is answered."""
    if state is State.ERASED:
        return Transition(state)
    return Transition(state, Send(state.lower(), EraseUser(user_id=user_id)))


class Erasure:
    """The saga's definition for the engine."""

    name = "erasure"
    replies: tuple[type[Body], ...] = (UserErased,)
    final: frozenset[str] = frozenset({State.ERASED})

    def decide(self, saga: SagaState, message: object) -> Transition | None:
        """A deadline changes nothing: who wants to go, goes."""
        state = State(saga.state)
        if not isinstance(message, UserErased) or message.service != state.lower():
            return None
        return into(NEXT[state], saga.id)

    def id_of(self, reply: Any) -> str:
        return str(reply.user_id)

    async def record(
        self, tx: Tx, saga: SagaState, message: object, transition: Transition | None
    ) -> None:
        if transition and transition.state == State.ERASED:
            await accounts.remove(tx, saga.id)


async def ask(tx: Tx, engine: SagaEngine, user_id: str) -> bool:
    """Locks the login and starts the saga, once; False when there is no such user."""
    unlocked = sa.and_(users.c.id == user_id, users.c.erasing_since.is_(None))
    locked = await tx.execute(sa.update(users).where(unlocked).values(erasing_since=tx.clock.now()))
    if locked.rowcount:
        await sessions.end_all(tx, user_id)
        await engine.start(tx, user_id, into(State.ORDERS, user_id))
    return bool(locked.rowcount) or await accounts.by_id(tx, user_id) is not None
