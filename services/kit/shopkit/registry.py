"""Which handler belongs to which message type."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic

from shopkit.db import Tx
from shopkit.messages import B, Body, Command, Kind, Message, decode

Do = Callable[[Tx, Command[B]], Awaitable[None]]
AnswerFrom = Callable[[Tx, Command[B]], Awaitable[Body | None]]


class UnknownMessage(Exception):
    """No handler for this type and version: a failure like any other (rule g)."""


@dataclass(frozen=True, slots=True)
class Handler(Generic[B]):
    """`do` runs once a message id; `answer` on every delivery (rule d)."""

    body: type[B]
    do: Do[B]
    answer: AnswerFrom[B] | None = None


@dataclass(slots=True)
class Handlers:
    """Of one service."""

    _by_key: dict[tuple[Kind, str, int], Handler[Any]] = field(default_factory=dict)

    def add(self, kind: Kind, handler: Handler[Any]) -> None:
        key = (kind, handler.body.type_name(), handler.body.version)
        if key in self._by_key:
            raise ValueError(f"two handlers for {key}")
        self._by_key[key] = handler

    def kinds(self) -> tuple[Kind, ...]:
        """What the service has to subscribe to."""
        return tuple(sorted({kind for kind, _, _ in self._by_key}))

    def knows(self, type: str) -> bool:
        return any(name == type for _, name, _ in self._by_key)

    def find(self, message: Message) -> tuple[Handler[Any], Command[Any]]:
        """Raises UnknownMessage, or a ValueError when the body does not fit its model."""
        handler = self._by_key.get((message.kind, message.type, message.version))
        if handler is None:
            raise UnknownMessage(f"{message.subject} is not handled here")
        body = handler.body.model_validate(decode(message.data))
        return handler, message.received(body)
