"""A broker in this process. It keeps nothing: a restart loses every message."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shopkit.clock import Clock
from shopkit.messages import Kind, Message
from shopkit.transport import Envelope, PublishFailed
from shopkit.waker import Waker

DEDUP_WINDOW = 120.0


@dataclass(slots=True, eq=False)
class _Parcel:
    envelope: Envelope
    delivered: int = 0
    hidden_until: float = 0.0


@dataclass(slots=True)
class _Queue:
    waker: Waker
    parcels: deque[_Parcel] = field(default_factory=deque)


@dataclass(slots=True)
class MemoryDelivery:
    """See `shopkit.transport.Delivery`."""

    _queue: _Queue
    _parcel: _Parcel

    @property
    def subject(self) -> str:
        return self._parcel.envelope.subject

    @property
    def headers(self) -> Mapping[str, str]:
        return self._parcel.envelope.headers

    @property
    def data(self) -> bytes:
        return self._parcel.envelope.data

    @property
    def delivered(self) -> int:
        return self._parcel.delivered

    async def ack(self) -> None:
        if self._parcel in self._queue.parcels:
            self._queue.parcels.remove(self._parcel)

    async def hand_back(self) -> None:
        self._parcel.hidden_until = 0.0
        self._queue.waker.wake()


class MemoryBroker:
    """Shared by the services of one process. Tests decide what the network does to a message.

    `copies(message)`: how often it arrives (0 = lost). `pick(n)`: which of n waiting ones is next.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        copies: Callable[[Message], int] = lambda _: 1,
        pick: Callable[[int], int] = lambda _: 0,
    ) -> None:
        self.clock, self.copies, self.pick = clock, copies, pick
        self.down = False
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._seen: dict[str, float] = {}

    def queue(self, kind: str, target: str) -> _Queue:
        return self._queues.setdefault((kind, target), _Queue(Waker(self.clock)))

    def publish(self, message: Message) -> None:
        if self.down:
            raise PublishFailed("the broker is down")
        if self._is_duplicate(message.dedup_id):
            return
        for _ in range(self.copies(message)):
            self.arrive(message)

    def arrive(self, message: Message) -> None:
        """Once more, whatever arrived before: how a test delays a message that it held back."""
        queue = self.queue(message.kind, message.target)
        queue.parcels.append(_Parcel(Envelope(message.subject, message.headers(), message.data)))
        queue.waker.wake()

    def _is_duplicate(self, dedup_id: str) -> bool:
        """As JetStream does within its duplicate window."""
        now = self.clock.monotonic()
        if now - self._seen.get(dedup_id, -DEDUP_WINDOW) < DEDUP_WINDOW:
            return True
        if len(self._seen) > 10_000:
            self._seen = {k: at for k, at in self._seen.items() if now - at < DEDUP_WINDOW}
        self._seen[dedup_id] = now
        return False

    def wipe(self) -> None:
        """The broker lost its disk."""
        self._seen.clear()
        for queue in self._queues.values():
            queue.parcels.clear()

    def waiting(self) -> int:
        """Messages not acked yet."""
        return sum(len(queue.parcels) for queue in self._queues.values())


class MemorySubscription:
    """See `shopkit.transport.Subscription`."""

    def __init__(self, broker: MemoryBroker, queue: _Queue, ack_wait: float) -> None:
        self._broker, self._queue, self._ack_wait = broker, queue, ack_wait

    async def fetch(self, limit: int, seconds: float) -> Sequence[MemoryDelivery]:
        until = self._broker.clock.monotonic() + seconds
        while not (ready := self._visible()):
            left = until - self._broker.clock.monotonic()
            if left <= 0:
                return []
            await self._queue.waker.wait(self._patience(left))
        return [self._hand_out(ready) for _ in range(min(limit, len(ready)))]

    def _visible(self) -> list[_Parcel]:
        now = self._broker.clock.monotonic()
        return [parcel for parcel in self._queue.parcels if parcel.hidden_until <= now]

    def _patience(self, seconds: float) -> float:
        now = self._broker.clock.monotonic()
        return min([seconds, *(p.hidden_until - now for p in self._queue.parcels)])

    def _hand_out(self, ready: list[_Parcel]) -> MemoryDelivery:
        parcel = ready.pop(self._broker.pick(len(ready)))
        parcel.delivered += 1
        parcel.hidden_until = self._broker.clock.monotonic() + self._ack_wait
        return MemoryDelivery(self._queue, parcel)

    async def close(self) -> None:
        self._queue.waker.wake()


class MemoryTransport:
    """See `shopkit.transport.Transport`."""

    def __init__(self, service: str, broker: MemoryBroker, ack_wait: float) -> None:
        self._service, self._broker, self._ack_wait = service, broker, ack_wait

    async def start(self) -> None:
        return None

    async def stop(self) -> None:
        return None

    async def publish(self, message: Message) -> None:
        self._broker.publish(message)

    async def subscribe(self, kind: Kind) -> MemorySubscription:
        queue = self._broker.queue(kind, self._service)
        return MemorySubscription(self._broker, queue, self._ack_wait)
