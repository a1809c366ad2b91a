"""Messages: commands and their replies, as values. The wire form is CloudEvents 1.0 in headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict

from shopkit.ids import uuid5

Kind = Literal["cmd", "reply"]


class Body(BaseModel):
    """What a message says. Its type is the class name; extra fields are ignored (rule g)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    version: ClassVar[int] = 1

    @classmethod
    def type_name(cls) -> str:
        return cls.__name__


B = TypeVar("B", bound=Body)


def command_id(correlation_id: str, target: str, type: str) -> str:
    """One id for all attempts (rule f); `correlation_id` is the order or user id."""
    return uuid5(correlation_id, f"{target}{type}")


def reply_id(command_id: str, type: str) -> str:
    return uuid5(command_id, type)


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """Where an answer goes and which attempt it answers."""

    to: str
    command_id: str
    correlation_id: str
    attempt: int = 1
    traceparent: str = ""

    @classmethod
    def of(
        cls, *, to: str, correlation_id: str, target: str, command: str, attempt: int = 1
    ) -> Self:
        """For a worker that answers later than the handler: rebuilt from what its row knows."""
        return cls(to, command_id(correlation_id, target, command), correlation_id, attempt)


@dataclass(frozen=True, slots=True)
class Command(Generic[B]):
    """A received message with its validated body; replies come in the same form."""

    id: str
    type: str
    source: str
    correlation_id: str
    causation_id: str
    attempt: int
    traceparent: str
    body: B

    @property
    def address(self) -> ReplyAddress:
        return ReplyAddress(
            self.source, self.id, self.correlation_id, self.attempt, self.traceparent
        )


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over the wire."""

    id: str
    kind: Kind
    target: str
    type: str
    version: int
    source: str
    time: datetime
    correlation_id: str
    causation_id: str
    attempt: int
    traceparent: str
    data: bytes

    @property
    def subject(self) -> str:
        return f"{self.kind}.{self.target}.v{self.version}.{self.type}"

    @property
    def dedup_id(self) -> str:
        """The broker drops a second message with the same one within two minutes (rule f)."""
        return f"{self.id}:{self.attempt}"

    def headers(self) -> dict[str, str]:
        headers = {
            "Nats-Msg-Id": self.dedup_id,
            "ce-specversion": "1.0",
            "ce-id": self.id,
            "ce-type": self.type,
            "ce-source": self.source,
            "ce-time": self.time.isoformat(),
            "ce-correlationid": self.correlation_id,
            "ce-causationid": self.causation_id,
            "ce-attempt": str(self.attempt),
            "content-type": "application/json",
        }
        return headers | ({"traceparent": self.traceparent} if self.traceparent else {})

    @classmethod
    def parse(cls, subject: str, headers: Mapping[str, str], data: bytes) -> Self:
        """Raises KeyError or ValueError on what is not one of our messages."""
        kind, target, version, type_name = subject.split(".")
        if kind not in ("cmd", "reply"):
            raise ValueError(f"{subject} is neither a command nor a reply")
        return cls(
            id=headers["ce-id"],
            kind="cmd" if kind == "cmd" else "reply",
            target=target,
            type=type_name,
            version=int(version.removeprefix("v")),
            source=headers["ce-source"],
            time=datetime.fromisoformat(headers["ce-time"]),
            correlation_id=headers["ce-correlationid"],
            causation_id=headers.get("ce-causationid", ""),
            attempt=int(headers.get("ce-attempt", "1")),
            traceparent=headers.get("traceparent", ""),
            data=data,
        )

    def received(self, body: B) -> Command[B]:
        return Command(
            self.id,
            self.type,
            self.source,
            self.correlation_id,
            self.causation_id,
            self.attempt,
            self.traceparent,
            body,
        )


def encode(body: Body) -> bytes:
    return orjson.dumps(body.model_dump(mode="json"))


def decode(data: bytes) -> Any:
    return orjson.loads(data)
