"""The parts of a service that its components share."""

from dataclasses import dataclass

from shopkit.clock import Clock
from shopkit.db import Database
from shopkit.faults import CrashPoints
from shopkit.ids import Ids
from shopkit.metrics import Metrics
from shopkit.settings import Settings
from shopkit.spans import Spans
from shopkit.switches import Switches
from shopkit.transport import Transport


@dataclass(frozen=True, slots=True)
class Chassis:
    """Made once by the service."""

    database: Database
    transport: Transport
    settings: Settings
    clock: Clock
    ids: Ids
    points: CrashPoints
    metrics: Metrics
    switches: Switches
    spans: Spans
