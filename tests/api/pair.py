"""Two operators: the one that holds the Lease, and the one that waits for it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.api.operator_process import Operators, Process, eventually
from tests.api.server import ApiServer
from tests.api.world import LEASE

NAME = "microservice-operator"
LEADS = "microservice_operator_leader 1.0"


@dataclass(frozen=True)
class Pair:
    """Each is named after what it is at first."""

    server: ApiServer
    home: str
    leader: Process
    standby: Process

    @property
    def both(self) -> tuple[Process, Process]:
        return self.leader, self.standby

    def holder(self) -> str:
        return holder(self.server, self.home)

    def running(self) -> bool:
        return all(process.running() for process in self.both)

    def leading(self) -> list[str]:
        """Who believes that it may write."""
        return [process.name for process in self.both if LEADS in process.metrics()]

    def changes(self, namespace: str) -> list[str]:
        """What either has changed there."""
        return [line for process in self.both for line in process.changes(namespace)]


@contextmanager
def pair(server: ApiServer, operators: Operators, altered: Iterable[str] = ()) -> Iterator[Pair]:
    """`altered`, as in altered_operator.py, is the standby."""
    home = operators.namespace
    leader = operators.start("leader", warm=True)
    eventually(lambda: holder(server, home) == "leader", 30, leader.last_words)
    standby = operators.start("standby", warm=not altered, altered=altered)
    found = Pair(server, home, leader, standby)
    try:
        yield found
    finally:
        for process in found.both:
            if process.running():
                process.stop()


def holder(server: ApiServer, home: str) -> str:
    answer = server.request("GET", LEASE.path(home, NAME))
    spec = answer.json().get("spec") or {} if answer.is_success else {}
    return str(spec.get("holderIdentity") or "")
