"""Sagas as values: a pure `decide` says what happens, the engine makes it durable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shopkit.db import Tx
from shopkit.messages import Body


@dataclass(frozen=True, slots=True)
class Pending:
    """The command that is re-sent until an answer changes the state."""

    target: str
    type: str
    attempt: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class SagaState:
    """What `decide` may look at."""

    id: str
    state: str
    data: Mapping[str, Any]
    created_at: datetime
    deadline_at: datetime | None
    pending: Pending | None


@dataclass(frozen=True, slots=True)
class Send:
    """A command for another service."""

    target: str
    body: Body


@dataclass(frozen=True, slots=True)
class Transition:
    """`send` is the pending command of the new state; the same one as before keeps its schedule.

    `data` is merged into the saga's data.
    """

    state: str
    send: Send | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Told once, when the saga's time is over."""


class SagaDefinition(Protocol):
    """What a service writes."""

    @property
    def name(self) -> str: ...
    @property
    def replies(self) -> tuple[type[Body], ...]: ...
    @property
    def final(self) -> frozenset[str]: ...

    def decide(self, saga: SagaState, message: object) -> Transition | None:
        """Pure. None: the message changes nothing here."""

    def id_of(self, reply: Any) -> str:
        """The saga a reply belongs to."""

    async def record(
        self, tx: Tx, saga: SagaState, message: object, transition: Transition | None
    ) -> None:
        """The service's own rows, in the same transaction; ignored messages are told too."""


class UnknownSaga(Exception):
    """No such row: the reply of an order this database has never seen."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a pending command is sent again, in seconds."""

    first: float
    longest: float

    def after(self, attempt: int, chance: float) -> float:
        """Doubles with each attempt; `chance` in [0, 1) spreads it by a fifth either way."""
        plain = min(self.first * 2.0 ** min(attempt - 1, 30), self.longest)
        return plain * (0.8 + 0.4 * chance)
