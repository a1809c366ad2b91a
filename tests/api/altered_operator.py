"""The real program with one thing altered that no answer of an API server can bring about.

    python altered_operator.py <alteration> ...

Names of alterations are those of the functions below.
"""

import sys
from collections.abc import Callable
from typing import Any

from kopf._core.reactor import processing

from microservice_operator import app, handlers, informer, reconcile, workqueue
from microservice_operator.__main__ import main
from microservice_operator.catalog import Catalog
from microservice_operator.lease import Lease
from microservice_operator.permissions import Rights

SOON = 2.0  # seconds
POISON = "poison"  # the name of services that the operator has a bug with


class Bug(Exception):
    """Nobody expects it."""


def impatient() -> None:
    """A watch counts as dead after seconds, not after more than a minute."""
    given = handlers.options

    def options(*arguments: Any) -> Any:
        settings = given(*arguments)
        settings.watching.inactivity_timeout = SOON
        return settings

    handlers.options = options
    informer.SILENCE = SOON


def hasty() -> None:
    """A pass that takes seconds counts as stuck."""
    given = workqueue.WorkQueue.longest
    workqueue.WorkQueue.longest = lambda queue: given(queue) * app.STUCK / SOON


def poisoned() -> None:
    """The operator has a bug that some services meet."""
    given = reconcile.desired

    def desired(service: Any, *arguments: Any) -> Any:
        if service.name.startswith(POISON):
            raise Bug("this one cannot be built")
        return given(service, *arguments)

    reconcile.desired = desired


def lawless() -> None:
    """It writes without the Lease."""
    Lease.held = property(lambda lease: True)  # type: ignore[method-assign,assignment]


def _dies(*_: Any) -> Any:
    raise Bug("injected")


def without_passes() -> None:
    """A task that makes a pass dies."""
    workqueue.WorkQueue.done = _dies


def without_queue() -> None:
    """What hands out the keys dies, once it has handed out one."""
    given = workqueue.WorkQueue.take

    async def take(queue: workqueue.WorkQueue) -> Any:
        return _dies() if queue._started else await given(queue)

    workqueue.WorkQueue.take = take


def without_resync() -> None:
    app.RESYNC, app.App._add_all = SOON, _dies


def without_review() -> None:
    """What looks again at missing rights dies."""
    Rights.changed = _dies


def without_measure() -> None:
    """What fills the gauges dies."""
    workqueue.WorkQueue.oldest = _dies


def without_definitions() -> None:
    """What follows the CRDs dies."""
    Catalog.replace = _dies


def without_events() -> None:
    processing.process_resource_event = _dies


ALTERATIONS: dict[str, Callable[[], None]] = {
    alteration.__name__: alteration
    for alteration in (
        impatient,
        hasty,
        poisoned,
        lawless,
        without_passes,
        without_queue,
        without_resync,
        without_review,
        without_measure,
        without_definitions,
        without_events,
    )
}

if __name__ == "__main__":
    for name in sys.argv[1:]:
        ALTERATIONS[name]()
    sys.exit(main([]))
