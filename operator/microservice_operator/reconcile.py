"""One pass over one MicroService, top to bottom."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from microservice_operator import diagnosis, names, owned, status
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import Identity, MicroService
from microservice_operator.catalog import Catalog
from microservice_operator.clock import Clock
from microservice_operator.cluster import Cluster
from microservice_operator.desired import KINDS, desired
from microservice_operator.errors import ApiError, InvalidSpec
from microservice_operator.metrics import Metrics
from microservice_operator.observed import Observed, Outcome, Plan, Ref
from microservice_operator.pacing import Pace, retry_after
from microservice_operator.plan import plan, without
from microservice_operator.status import Event, Report
from microservice_operator.store import Known, Store
from microservice_operator.workqueue import Key
from microservice_operator.writes import Writes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the queue does next: nothing, look `again` in n seconds, or `retry` after a backoff of
    at least n (0: at once, the first time)."""

    again: float | None = None
    retry: float | None = None
    result: str = "done"


DONE = Verdict()


@dataclass(frozen=True, slots=True)
class Reconciler:
    store: Store
    cluster: Cluster
    catalog: Catalog
    platform: Platform
    clock: Clock
    metrics: Metrics
    paces: dict[Key, Pace] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> Verdict:
        """Raises nothing but cancellation: one poison object must not harm another."""
        if (known := self.store.service(key)) is None:
            self.paces.pop(key, None)
            return DONE
        body = known.load()
        service = Identity.of(body)
        if service.deleting or service.paused or self.catalog.closed(service.namespace):
            return DONE  # deleted: garbage collection follows the owner references
        try:
            return await self._checked(body, service, known)
        except ApiError as error:
            return self._unanswered(key, error)
        except Exception:
            log.exception("%s: a bug of the operator, please report it", key)
            await self._report_bug(service, known)
            return Verdict(retry=0.5, result="failed")

    async def _checked(self, body: Any, service: Identity, known: Known) -> Verdict:
        try:
            return await self._pass(MicroService.parse(body), known)
        except InvalidSpec as error:
            return await self._report(
                service, known, status.invalid(service, error, self.clock.now())
            )

    async def _pass(self, service: MicroService, known: Known) -> Verdict:
        pace = self._pace(service)
        seen = await self._observe(service, pace)
        before = status.applied(service)
        todo = plan(desired(service, seen, self.platform), seen, before | pace.made)
        todo, held = await self._paced(service, todo, before)
        if todo.restores and not await self.cluster.exists(service):
            return self._ghost(service)
        outcome = await self._write(service, seen, todo)
        pace.note(outcome, seen.now)
        repaired = _repairs(service, (record.ref for record in outcome.applied), before)
        pace.repaired(repaired, self.clock.monotonic())
        if any(failed.error.cause == "NamespaceTerminating" for failed in outcome.failures):
            return DONE
        if held is not None:  # until then there is nothing new to say of a child in dispute
            verdict = Verdict(again=held)
        else:
            children = self.store.children(service.uid)
            seen = replace(seen, children=children, failing_since=pace.failing_since)
            report = status.status(service, seen, outcome, self.platform, todo.wanted)
            verdict = await self._report(service, known, report)
        retry = retry_after(outcome)
        return verdict if retry is None else replace(verdict, retry=retry, result="retry")

    async def _paced(
        self, service: MicroService, todo: Plan, before: frozenset[Ref]
    ) -> tuple[Plan, float | None]:
        """Without the repairs that somebody undoes every time, and the seconds these wait."""
        pace, now = self._pace(service), self.clock.monotonic()
        held = pace.held(_repairs(service, (write.ref for write in todo.writes), before), now)
        await self._tell_of_fights(service, pace.news(held))
        return without(todo, held), min(held.values(), default=None)

    async def _observe(self, service: MicroService, pace: Pace) -> Observed:
        """The store; pods only for a reason, and only as often as that is worth a request."""
        seen = Observed(
            now=self.clock.now(),
            children=self.store.children(service.uid),
            served=self.catalog.served(service.namespace),
            forbidden=self.catalog.forbidden(service.namespace),
            failing_since=pace.failing_since,
        )
        if not diagnosis.wants_pods(service, seen):
            pace.healthy()
            return seen
        if not pace.look_wait(self.clock.monotonic()):
            await self._look(service, pace)
        return replace(seen, pods=pace.pods, blind=pace.blind)

    async def _look(self, service: MicroService, pace: Pace) -> None:
        try:
            pods = await self.cluster.pods(service)
        except ApiError as error:
            if error.code != 403:
                raise
            pace.looked(None, self.clock.monotonic())
        else:
            pace.looked(tuple(map(diagnosis.pod, pods)), self.clock.monotonic())

    async def _write(self, service: MicroService, seen: Observed, todo: Plan) -> Outcome:
        writes = Writes(service, seen, self.cluster, self.store)
        outcome = await writes.apply(todo)
        if outcome.complete:
            outcome += await writes.prune(todo)
        self.store.learn(outcome)
        _log_changes(service, seen, outcome)
        return outcome

    async def _report(self, service: Identity, known: Known, report: Report) -> Verdict:
        pace = self._pace(service)
        urgency = status.urgency(service.known_status, report.status)
        wait = pace.status_wait(urgency, self.clock.monotonic())
        if wait is None:
            return Verdict(again=report.again)
        if wait > 0:
            return Verdict(again=wait if report.again is None else min(wait, report.again))
        return await self._write_status(service, known, report)

    async def _write_status(self, service: Identity, known: Known, report: Report) -> Verdict:
        key = Key(service.namespace, service.name)
        current = self.store.service(key)
        if current is None or (current.uid, current.asked) != (known.uid, known.asked):
            return Verdict(again=0.0)  # computed for what is no more
        change = merge_patch(service.known_status, report.status)
        try:
            answer = await self.cluster.patch_status(service, current.version, change)
        except ApiError as error:
            return self._status_refused(service, report, error)
        self._pace(service).status_written(self.clock.monotonic())
        _log_ready(service, report)
        await self._announce(service, report.events)
        changed = self.store.learn_service(key, current, answer)
        return Verdict(again=0.0 if changed else report.again)

    def _status_refused(self, service: Identity, report: Report, error: ApiError) -> Verdict:
        key = Key(service.namespace, service.name)
        if error.code == 404:
            return self._ghost(service)
        if error.code == 422:
            self.metrics.refused_status.inc()
            log.error("%s: the API server refuses our status: %s", key, error)
            return Verdict(again=report.again)
        return self._unanswered(key, error)

    async def _tell_of_fights(self, service: Identity, refs: Iterable[Ref]) -> None:
        for ref in refs:
            rival = await self._rival(service, ref)
            event = status.contested(service, ref, rival, self.clock.now())
            log.warning("%s/%s: %s", service.namespace, service.name, event.message)
            await self._announce(service, [event])

    async def _rival(self, service: Identity, ref: Ref) -> str:
        """Worth a request: a fight is rare, and managedFields are not kept."""
        try:
            live = await self.cluster.get(KINDS[ref.kind], service.namespace, ref.name)
        except ApiError:
            return ""
        return owned.last_writer(live, but=names.MANAGER)

    async def _announce(self, service: Identity, events: Iterable[Event]) -> None:
        """Best effort: a repeat is a 409, and a service must not suffer from its own news."""
        for event in events:
            try:
                await self.cluster.event(service, event)
            except ApiError as error:
                log.debug("%s/%s: event: %s", service.namespace, service.name, error)

    async def _report_bug(self, service: Identity, known: Known) -> None:
        try:
            await self._report(service, known, status.bug(service, self.clock.now()))
        except Exception:
            log.exception("%s/%s: not even that can be said", service.namespace, service.name)

    def _unanswered(self, key: Key, error: ApiError) -> Verdict:
        log.debug("%s: %s", key, error)
        at_least = error.retry_after or (0.0 if error.code == 409 else 0.1)
        return Verdict(retry=at_least, result="retry")

    def _ghost(self, service: Identity) -> Verdict:
        """Deleted in a gap of the watch: nobody will tell us."""
        key = Key(service.namespace, service.name)
        self.store.forget(key, service.uid)
        self.paces.pop(key, None)
        log.info("%s: deleted", key)
        return DONE

    def _pace(self, service: Identity) -> Pace:
        key = Key(service.namespace, service.name)
        pace = self.paces.get(key)
        if pace is None or pace.uid != service.uid:
            pace = self.paces[key] = Pace(service.uid)
        return pace


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What RFC 7386 needs to turn `old` into `new`; lists are replaced whole."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or not isinstance(value, dict) or not isinstance(old[key], dict):
            if old.get(key) != value:
                patch[key] = value
        elif inner := merge_patch(old[key], value):
            patch[key] = inner
    return patch


def _settled(service: Identity) -> bool:
    """Nobody asked for anything new since the last status: a write now is a repair."""
    return service.known_status.get("observedGeneration") == service.generation


def _repairs(service: Identity, written: Iterable[Ref], before: frozenset[Ref]) -> set[Ref]:
    """Those of children that were there before, though nobody asked for anything new."""
    return {ref for ref in written if _settled(service) and ref in before}


def _log_changes(service: Identity, seen: Observed, outcome: Outcome) -> None:
    """One line a change; names only, since values may be secret."""
    where = f"{service.namespace}/{service.name}"
    for record in outcome.applied:
        verb = "updated" if record.ref in seen.children else "created"
        log.info("%s: %s %s %s", where, verb, record.ref.kind, record.ref.name)
    for ref in outcome.pruned:
        log.info("%s: deleted %s %s", where, ref.kind, ref.name)
    for other in outcome.not_owned:
        log.warning("%s: %s %s belongs to %s", where, other.ref.kind, other.ref.name, other.owner)
    for failed in outcome.failures:
        log.warning("%s: %s %s: %s", where, failed.verb, failed.resource, failed.error)


def _log_ready(service: Identity, report: Report) -> None:
    conditions = report.status.get("conditions") or []
    told = (c for c in conditions if c["type"] in ("Ready", "Reconciling", "Stalled"))
    words = ", ".join(f"{c['type']}={c['status']} ({c['reason']})" for c in told)
    log.info("%s/%s: %s", service.namespace, service.name, words)
