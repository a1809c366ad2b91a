"""What holds for every single request of an operator, whatever the test is about."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from tests.api.seen import Seen

from microservice_operator import names
from microservice_operator.api.kinds import GROUP, MICROSERVICE
from microservice_operator.desired import KINDS

STATUS = f"{MICROSERVICE.resource}/status"
CHILDREN = frozenset(kind.resource for kind in KINDS.values())
REVIEW = "selfsubjectaccessreviews.authorization.k8s.io"


class Invariants:
    """`check` each request before it is sent on, `learn` from each object that comes back."""

    def __init__(self, rights: Iterable[Mapping[str, Any]]) -> None:
        self.violations: list[str] = []
        self.canaries: set[str] = set()
        self._rights = tuple(rights)
        self._controllers: dict[str, str] = {}  # uid of a child -> uid of its controller
        self._services: set[str] = set()

    def check(self, seen: Seen) -> None:
        checks = (status_only, preconditions, self._deletes, self._rightful, self._discreet)
        for check in checks:
            self.violations += [f"{said}: {seen.what}" for said in check(seen)]

    def learn(self, resource: str, live: Any) -> None:
        """An object of this resource, or a list of them, that the operator gets to see."""
        for item in live.get("items") or [live]:
            metadata = item.get("metadata") or {}
            if not (uid := metadata.get("uid")):
                continue
            if controller := names.controller(metadata):
                self._controllers[uid] = controller
            if resource == MICROSERVICE.resource:
                self._services.add(uid)

    def _deletes(self, seen: Seen) -> Iterator[str]:
        """I3"""
        if seen.verb != "delete":
            return
        uid = ((seen.body or {}).get("preconditions") or {}).get("uid")
        if uid is None:
            yield "I3: a DELETE without a uid precondition"
        elif self._controllers.get(uid) not in self._services:
            yield "I3: a DELETE of an object that no known MicroService controls"

    def _rightful(self, seen: Seen) -> Iterator[str]:
        """I4"""
        discovery = not seen.target.plural and seen.method == "GET"
        asks = (seen.resource, seen.verb) == (REVIEW, "create")
        if not (discovery or asks or any(_covers(rule, seen) for rule in self._rights)):
            yield f"I4: nobody gave the right to {seen.verb}"

    def _discreet(self, seen: Seen) -> Iterator[str]:
        """I5, as far as it is a matter of requests; see `Operators.stop` for the log"""
        if seen.resource in (STATUS, "events") and seen.mutating:
            told = orjson.dumps(seen.body).decode()
            yield from (f"I5: {canary} is told" for canary in self.canaries if canary in told)


def status_only(seen: Seen) -> Iterator[str]:
    """I1"""
    if not seen.mutating or seen.target.group != GROUP:
        return
    if (seen.resource, seen.verb) != (STATUS, "patch"):
        yield "I1: a write to a MicroService beside its status"
    elif set(seen.body) - {"metadata", "status"} or set(seen.body["metadata"]) - {
        "resourceVersion"
    }:
        yield "I1: a status write that carries more than a status"


def preconditions(seen: Seen) -> Iterator[str]:
    """I2"""
    if seen.resource not in CHILDREN or seen.verb not in ("patch", "create", "update"):
        return
    if not seen.applies or seen.query.get("fieldManager") != names.MANAGER:
        yield "I2: a child is written by other means than our server-side apply"
        return
    metadata, count = seen.body["metadata"], (seen.body.get("spec") or {}).get("replicas")
    version, uid = metadata.get("resourceVersion"), metadata.get("uid")
    if (version == "1") == bool(uid):
        yield "I2: an apply with neither or both of uid and resourceVersion 1"
    elif version not in (None, "1") and count is None:
        yield "I2: an apply pinned to a version without a reason"


def _covers(rule: Mapping[str, Any], seen: Seen) -> bool:
    target, verb = seen.target, seen.verb
    resource = "/".join(part for part in (target.plural, target.subresource) if part)
    name = target.name or seen.query.get("fieldSelector", "").removeprefix("metadata.name=")
    named = verb == "create" or name in rule.get("resourceNames", (name,))
    return (
        named
        and target.group in rule["apiGroups"]
        and resource in rule["resources"]
        and verb in rule["verbs"]
    )
