"""The operator's own rights: which are missing, and whether it can work without them."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.catalog import Gaps
from microservice_operator.clock import Clock
from microservice_operator.cluster import DEFINITION, LEASE
from microservice_operator.errors import ApiError, OperatorError
from microservice_operator.metrics import Metrics
from microservice_operator.reach import EVERYWHERE, Reach

REVIEW = 300.0  # seconds between two looks at rights that are missing
DOUBT = 30.0  # seconds from a sign to a look: a server that starts refuses everything for a while
VERBS = ("get", "list", "watch", "create", "patch", "delete")
Need = tuple[str, str]  # verb, resource
T = TypeVar("T")
SERVICES: tuple[Need, ...] = (
    *((verb, MICROSERVICE.resource) for verb in ("get", "list", "watch")),
    ("patch", f"{MICROSERVICE.resource}/status"),
)

log = logging.getLogger(__name__)


class NotAllowed(OperatorError):
    """A right is missing without which the operator cannot do anything."""


class Access(Protocol):
    """Asks the API server for our own right; raises ApiError."""

    async def may(
        self, verb: str, resource: str, *, namespace: str = "", name: str = ""
    ) -> bool: ...


class Rights:
    """What we may do, asked again when something looks as if it had changed."""

    def __init__(
        self,
        access: Access,
        *,
        home: str,
        reach: Reach,
        kinds: Sequence[Kind],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._access, self._home, self._reach, self._kinds = access, home, reach, kinds
        self._metrics, self._clock = metrics, clock
        self._doubted = asyncio.Event()

    def doubt(self) -> None:
        """A request was refused, or something shows up that was closed to us."""
        self._doubted.set()

    async def ask(self) -> Gaps:
        """What is missing, where anything is. Waits for an API server that is away; raises
        NotAllowed without our Lease, or if no part gives us its MicroServices and their status."""
        gaps = await self._answered(
            lambda: check(self._access, self._home, self._reach, self._kinds)
        )
        report(gaps, self._metrics)
        return gaps

    async def changed(self, gaps: Gaps) -> Gaps:
        """Returns once others are missing than these."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(self._clock.jitter(REVIEW, 0.1)):
                    await self._doubted.wait()
                await self._clock.sleep(self._clock.jitter(DOUBT, 0.1))
            if gaps or self._doubted.is_set():
                self._doubted.clear()
                if (now := await self.ask()) != gaps:
                    return now

    async def may_watch_definitions(self) -> bool:
        """Whether CRDs can tell us that an optional kind came or went."""
        needs = [(verb, DEFINITION.resource) for verb in ("list", "watch")]
        return not await self._answered(lambda: _missing(self._access, needs))

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except ApiError as error:
                log.warning("waiting for the API server: %s", error)
                await self._clock.sleep(self._clock.jitter(2.0))


async def check(access: Access, home: str, reach: Reach, kinds: Sequence[Kind]) -> Gaps:
    lease = await _missing_on_lease(access, home)
    closed = {part: await _missing(access, SERVICES, part) for part in reach.parts}
    if lease or all(closed.values()):
        raise NotAllowed(_sentence([*_everywhere(closed), *map(_said, lease)], home))
    gaps = {part: await _gaps(access, kinds, part, closed[part]) for part in reach.parts}
    return {part: missing for part, missing in gaps.items() if missing}


def report(gaps: Gaps, metrics: Metrics) -> None:
    metrics.forbidden.clear()
    for namespace, missing in gaps.items():
        place = f" in namespace {namespace}" if namespace else ""
        for kind, verbs in missing.items():
            metrics.forbidden.labels(kind, namespace).set(1)
            if kind == MICROSERVICE.kind:
                log.warning("namespace %s is left alone: no right to %s", namespace, verbs)
            else:
                what = f"{verbs} {kind}{place}"
                log.warning("no right to %s: services that need one are Stalled", what)


async def _gaps(
    access: Access, kinds: Iterable[Kind], part: str, closed: Sequence[Need]
) -> dict[str, str]:
    """As in {"Service": "create, patch"}; of a part that is closed, only what closes it."""
    if closed:
        return {MICROSERVICE.kind: ", ".join(map(_said, closed))}
    by_resource = {kind.resource: kind.kind for kind in kinds}
    needs = [(verb, resource) for resource in by_resource for verb in VERBS]
    missing: dict[str, list[str]] = {}
    for verb, resource in await _missing(access, needs, part):
        missing.setdefault(by_resource[resource], []).append(verb)
    return {kind: ", ".join(verbs) for kind, verbs in missing.items()}


async def _missing(
    access: Access, needs: Sequence[Need], part: str = EVERYWHERE, name: str = ""
) -> list[Need]:
    asked = (access.may(*need, namespace=part, name=name) for need in needs)
    answers = await asyncio.gather(*asked)
    return [need for need, allowed in zip(needs, answers, strict=True) if not allowed]


async def _missing_on_lease(access: Access, home: str) -> list[Need]:
    """Any may be made, since a name cannot be required then; the rest is about ours alone."""
    ours = [(verb, LEASE.resource) for verb in ("get", "list", "watch", "patch")]
    made = await _missing(access, [("create", LEASE.resource)], home)
    return made + await _missing(access, ours, home, names.MANAGER)


def _everywhere(closed: dict[str, list[Need]]) -> Iterable[str]:
    for part, needs in closed.items():
        yield from (_said(need) + (f" in namespace {part}" if part else "") for need in needs)


def _said(need: Need) -> str:
    return " ".join(need)


def _sentence(missing: Sequence[str], home: str) -> str:
    return (
        f"the operator may not {', '.join(missing)}: bind its service account to the "
        f"roles of the Helm chart (namespace {home})"
    )
