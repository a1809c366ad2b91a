"""Message transports. They may lose everything at any time: correctness needs none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shopkit.messages import Kind, Message


class Parcel(Protocol):
    """A message as it came, whether it is one of ours or not."""

    @property
    def subject(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def data(self) -> bytes: ...


class Delivery(Parcel, Protocol):
    """One received message, not acked yet."""

    @property
    def delivered(self) -> int:
        """How often it was handed out, this time included."""

    async def ack(self) -> None: ...
    async def hand_back(self) -> None:
        """Another replica may have it now."""


class Subscription(Protocol):
    """The messages of one kind for one service."""

    async def fetch(self, limit: int, seconds: float) -> Sequence[Delivery]:
        """Waits up to `seconds` for the first; none is not an error."""

    async def close(self) -> None:
        """Hands back what was received but not fetched."""


class Transport(Protocol):
    """One service's connection to the broker."""

    async def start(self) -> None:
        """Never fails because the broker is away: it goes on connecting."""

    async def stop(self) -> None: ...

    async def publish(self, message: Message) -> None:
        """Returns after the broker stored it; raises PublishFailed."""

    async def subscribe(self, kind: Kind) -> Subscription: ...


class PublishFailed(Exception):
    """The broker did not say that it stored the message."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as bytes: what every transport carries."""

    subject: str
    headers: Mapping[str, str]
    data: bytes
