"""The writes of one pass, and what each answer of the API server means."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from microservice_operator import owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.service import MicroService
from microservice_operator.cluster import Cluster
from microservice_operator.desired import record
from microservice_operator.errors import ApiError
from microservice_operator.observed import (
    Failed,
    NotOwned,
    Observed,
    Outcome,
    Plan,
    Record,
    Write,
)
from microservice_operator.plan import answered
from microservice_operator.store import Store

COLLECTION = timedelta(minutes=5)  # the garbage collector's time to remove a predecessor's children


@dataclass(frozen=True, slots=True)
class Writes:
    """What one pass over `service`, as it saw the world, sends out."""

    service: MicroService
    seen: Observed
    cluster: Cluster
    store: Store

    async def apply(self, todo: Plan) -> Outcome:
        """All together; a refusal becomes a value beside the successes."""
        return await _together(self._apply(write) for write in todo.writes)

    async def prune(self, todo: Plan) -> Outcome:
        return await _together(self._delete(kind, old) for kind, old in todo.prune)

    async def _apply(self, write: Write) -> Outcome:
        try:
            live = await self.cluster.apply(write)
        except ApiError as error:
            return await self._refused(write, error)
        return Outcome(applied=(answered(write, record(write.kind, live)),))

    async def _refused(self, write: Write, error: ApiError) -> Outcome:
        try:
            if write.uid is None and error.code == 409:
                return await self._taken(write, error)
            if error.code == 409 or _replaced(error):
                return await self._outdated(write, error)
        except ApiError as unread:
            error = unread
        return _failed(write, error)

    async def _taken(self, write: Write, error: ApiError) -> Outcome:
        """There is an object of this name: ours, a predecessor's, or somebody else's?"""
        live = await self._read(write)
        if live is None:
            return _failed(write, error)
        found = record(write.kind, live)
        if found.controller == self.service.uid:
            return self._found(write, found)
        if _of_predecessor(live, self.service) and not self._waited_long():
            waits = f"{write.ref.kind} {write.ref.name} of the deleted MicroService is still there"
            return _failed(write, ApiError(409, "Conflict", waits))
        return Outcome(not_owned=(NotOwned(write.ref, _owner(live)),))

    def _found(self, write: Write, found: Record) -> Outcome:
        """Ours, and the watch lags. What differs is planned again, from what is there now."""
        self.store.read(found)
        if not found.deleting and found.owned == owned.wanted(write.manifest):
            return Outcome(applied=(found,))
        return _failed(write, ApiError(409, "Conflict", f"{write.ref.kind} was not yet seen"))

    async def _outdated(self, write: Write, error: ApiError) -> Outcome:
        """Gone, replaced or newer than we thought: know what is there, plan again."""
        live = await self._read(write)
        if live is None or live["metadata"]["uid"] != write.uid:
            self.store.vanished(self.seen.children[write.ref])
        if live is not None:
            self.store.read(record(write.kind, live))
        return _failed(write, ApiError(409, "Conflict", error.message))

    async def _read(self, write: Write) -> Any:
        try:
            return await self.cluster.get(write.kind, self.service.namespace, write.ref.name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _delete(self, kind: Kind, old: Record) -> Outcome:
        try:
            answer = await self.cluster.delete(kind, old)
        except ApiError as error:
            if error.code not in (404, 409):
                return Outcome(failures=(Failed(old.ref, "delete", kind.resource, error),))
            self.store.vanished(old)
        else:
            self._deleted(kind, old, answer)
        return Outcome(pruned=(old.ref,))

    def _deleted(self, kind: Kind, old: Record, answer: Any) -> None:
        """Some kinds answer with the object; only one with a finalizer is still there."""
        metadata = answer.get("metadata") or {}
        if metadata.get("deletionTimestamp") and metadata.get("finalizers"):
            self.store.answer(record(kind, answer))
        else:
            self.store.deleted(old)

    def _waited_long(self) -> bool:
        if self.seen.failing_since is None:
            return False
        since = datetime.fromisoformat(self.seen.failing_since)
        return datetime.fromisoformat(self.seen.now) - since > COLLECTION


async def _together(requests: Any) -> Outcome:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(request) for request in requests]
    return sum((task.result() for task in tasks), Outcome())


def _failed(write: Write, error: ApiError) -> Outcome:
    verb = "create" if write.uid is None else "patch"
    return Outcome(failures=(Failed(write.ref, verb, write.kind.resource, error),))


def _replaced(error: ApiError) -> bool:
    """An apply that names the uid of an object which was replaced is a change of its uid."""
    return error.code == 422 and "metadata.uid" in error.message


def _of_predecessor(live: Mapping[str, Any], service: MicroService) -> bool:
    owners = live["metadata"].get("ownerReferences") or ()
    wanted = (MICROSERVICE.kind, service.name, True)
    return any((o["kind"], o["name"], o.get("controller")) == wanted for o in owners)


def _owner(live: Mapping[str, Any]) -> str:
    """Whom to ask about an object that is not ours."""
    owners = live["metadata"].get("ownerReferences") or ()
    for owner in owners:
        if owner.get("controller"):
            return f"{owner['kind']} {owner['name']}"
    manager = owned.last_writer(live)
    return f"nobody (last written by {manager})" if manager else "nobody"
