"""What surrounds a service and what a test replaces: time, chance, the broker, the network."""

import httpx

from shopkit.clock import Clock, SystemClock
from shopkit.faults import CrashPoints
from shopkit.ids import Ids, SystemIds
from shopkit.transport.memory import MemoryBroker


class World:
    """`World()` is the real one. Services that talk over memory share one World."""

    def __init__(
        self,
        clock: Clock | None = None,
        ids: Ids | None = None,
        broker: MemoryBroker | None = None,
        points: CrashPoints | None = None,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.ids: Ids = ids or SystemIds(self.clock)
        self.broker = broker or MemoryBroker(self.clock)
        self.points = points or CrashPoints()
        self.http = http
