"""A Kubernetes API in memory: list, watch, bookmarks, 410, apply with its preconditions, audit.

It knows no defaulting, no admission and no schema: what needs more is tested on a real server."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.fields import Owners, apply, edited, managed

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.cluster import DEFINITION, EVENT, LEASE, POD, REVIEW
from microservice_operator.desired import KINDS

NAMESPACE = Kind("v1", "Namespace", "namespaces")
SERVED = [MICROSERVICE, LEASE, EVENT, POD, DEFINITION, NAMESPACE, REVIEW, *KINDS.values()]
BY_RESOURCE = {kind.resource: kind for kind in SERVED}
READS = ("get", "list", "watch")
Place = tuple[str, str, str]  # resource, namespace, name


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the audit log."""

    user: str
    verb: str
    resource: str
    name: str
    code: int
    body: Any = None
    namespace: str = ""


@dataclass(slots=True)
class Fault:
    """What the server does instead, `times` times, with requests of this verb and resource."""

    verb: str
    resource: str
    code: int = 500
    reason: str = "Injected"
    message: str = "injected"
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    cause: str = ""  # type of the first metav1.StatusCause
    lost: bool = False  # the request works, its answer does not arrive
    hang: bool = False

    def hits(self, ask: "Ask") -> bool:
        return self.verb in ("*", ask.verb) and self.resource in ("*", ask.resource)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, understood."""

    user: str
    verb: str
    kind: Kind
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    content: str
    body: Any

    @property
    def resource(self) -> str:
        return self.kind.resource + (f"/{self.subresource}" if self.subresource else "")

    @property
    def place(self) -> Place:
        return self.kind.resource, self.namespace, self.name


class Refused(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.headers: dict[str, str] = {}
        self.cause = ""


class FakeApi:
    """Tests act as users by `create`, `edit` and `remove`; operators come by HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.audit: list[Request] = []
        self.faults: list[Fault] = []
        self.denied: set[tuple[str, str]] = set()  # verb, resource
        self.bound: set[str] | None = (
            None  # namespaces with the operator's Role; None: its ClusterRole
        )
        self.banned: set[str] = set()  # users whose requests hang from now on
        self.objects: dict[Place, dict[str, Any]] = {}
        self.controllers: list[Callable[[str, dict[str, Any]], None]] = []
        self._limits: dict[str, tuple[int, Callable[[], None]]] = {}
        self._waiters: set[asyncio.Event] = set()
        self._owners: dict[str, tuple[Owners, set[str]]] = {}  # by uid; managers that apply
        self.version = 100
        self.history: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
        self.oldest: dict[str, int] = {}  # per resource: versions below are expired
        self.watches: dict[str, set[asyncio.Queue[Any]]] = {}
        for kind in SERVED:
            if kind.optional or kind is MICROSERVICE:
                self.install(kind)

    # users

    def create(self, kind: Kind, manifest: dict[str, Any], manager: str = "kubectl") -> Any:
        metadata = manifest["metadata"]
        place = (kind.resource, metadata.get("namespace", ""), metadata["name"])
        assert place not in self.objects, f"{place} exists"
        live = {"apiVersion": kind.api_version, "kind": kind.kind, **deepcopy(manifest)}
        if kind is MICROSERVICE:
            live.setdefault("status", {"observedGeneration": -1})
        return self._store(place, live, "ADDED", manager=manager)

    def edit(
        self, kind: Kind, namespace: str, name: str, patch: Any, manager: str = "kubectl"
    ) -> Any:
        """A merge patch by a person or another controller."""
        place = (kind.resource, namespace, name)
        return self._store(place, merged(self.objects[place], patch), "MODIFIED", manager=manager)

    def remove(self, kind: Kind, namespace: str, name: str, *, collect: bool = True) -> None:
        """Delete, and let the garbage collector follow the owner references at once."""
        gone = self.objects.pop((kind.resource, namespace, name))
        self._owners.pop(gone["metadata"]["uid"], None)
        self._emit(kind.resource, "DELETED", gone)
        if collect:
            self.collect_garbage()

    def collect_garbage(self) -> None:
        """Delete what has owners, none of which exists."""
        known = {live["metadata"]["uid"] for live in self.objects.values()}
        for place, child in list(self.objects.items()):
            owners = child["metadata"].get("ownerReferences") or ()
            if owners and not any(owner["uid"] in known for owner in owners):
                self.remove(BY_RESOURCE[place[0]], place[1], place[2], collect=False)

    def get(self, kind: Kind, namespace: str, name: str) -> Any:
        return self.objects.get((kind.resource, namespace, name))

    def install(self, kind: Kind) -> None:
        self.create(
            DEFINITION, {"metadata": {"name": kind.resource}, "spec": {"group": kind.group}}
        )

    def uninstall(self, kind: Kind) -> None:
        for place in [place for place in self.objects if place[0] == kind.resource]:
            self.remove(kind, place[1], place[2])
        self.remove(DEFINITION, "", kind.resource)

    def cut_off(self, user: str) -> None:
        """As if its machine had lost the network: requests hang, watches fall silent."""
        self.banned.add(user)

    def after_writes(self, user: str, count: int, act: Callable[[], None]) -> None:
        """Call `act` once when `user` has written to that many children."""
        self._limits[user] = (count, act)

    def expire(self, kind: Kind, *, while_away: Callable[[], None]) -> None:
        """Cut every watch of a kind; what happens meanwhile can only be learnt from a new list."""
        watches = self.watches.pop(kind.resource, set())
        while_away()
        self.oldest[kind.resource] = self.version + 1
        for queue in watches:
            queue.put_nowait(None)

    def writes(self, user: str = "operator") -> Counter[str]:
        """Mutating requests but reviews and the Lease, as `verb resource`."""
        ignored = {REVIEW.resource, LEASE.resource}
        return Counter(
            f"{request.verb} {request.resource}"
            for request in self.audit
            if request.user == user and request.verb not in READS
            if request.resource not in ignored
        )

    async def until(self, holds: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait for a state; the message of a failure shows what the world looked like."""
        changed = asyncio.Event()
        self._waiters.add(changed)
        try:
            async with asyncio.timeout(seconds):
                while not (found := holds()):
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            raise AssertionError(f"never came true; {self.describe()}") from None
        finally:
            self._waiters.discard(changed)
        return found

    def describe(self) -> str:
        status = {
            p[2]: o.get("status") for p, o in self.objects.items() if p[0] == MICROSERVICE.resource
        }
        return f"requests: {dict(self.writes())}, objects: {sorted(self.objects)}, status: {status}"

    # the store

    def _store(self, place: Place, live: dict[str, Any], event: str, *, manager: str) -> Any:
        before = self.objects.get(place)
        metadata = live["metadata"]
        metadata.setdefault("uid", f"uid-{self.version + 1}")
        owners, appliers = self._owners.setdefault(metadata["uid"], ({}, set()))
        if manager:
            edited(before or {}, live, owners, manager)
        return self._commit(place, live, before, managed(owners, appliers), event)

    def _commit(self, place: Place, live: Any, before: Any, fields: list[Any], event: str) -> Any:
        live["metadata"]["managedFields"] = fields
        if before == live:
            return live
        spec_changed = before is None or before.get("spec") != live.get("spec")
        generation = (before or {}).get("metadata", {}).get("generation", 0)
        live["metadata"]["generation"] = generation + (1 if spec_changed else 0)
        self.version += 1
        live["metadata"]["resourceVersion"] = str(self.version)
        self.objects[place] = live
        self._emit(place[0], event, live, at=self.version)
        for controller in self.controllers:
            controller(place[0], live)
        return live

    def _emit(self, resource: str, event: str, live: dict[str, Any], at: int = 0) -> None:
        if not at:
            self.version = at = self.version + 1
            live["metadata"]["resourceVersion"] = str(at)
        entry = (at, event, deepcopy(live))
        self.history.setdefault(resource, []).append(entry)
        for queue in self.watches.get(resource, ()):
            queue.put_nowait(entry)
        self.notify()

    def notify(self) -> None:
        """Let `until` look again."""
        for waiter in self._waiters:
            waiter.set()

    # what operators ask for, as fakehttp.py has understood it

    def act(self, ask: Ask) -> tuple[Any, int]:
        """The answer and its code; raises Refused."""
        self.authorize(ask)
        if ask.kind.resource not in self.served():
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if ask.kind is REVIEW:
            return self._review(ask.body), 201
        if ask.verb == "create":
            return self._create(ask), 201
        if ask.content == "application/apply-patch+yaml":
            answer = self._apply(ask)
            self._count(ask.user)
            return answer
        if ask.verb == "list":
            return self._list(ask), 200
        if (live := self.objects.get(ask.place)) is None:
            raise Refused(404, "NotFound", f'{ask.resource} "{ask.name}" not found')
        if ask.verb == "get":
            return live, 200
        return (self._delete if ask.verb == "delete" else self._patch)(ask, live), 200

    def authorize(self, ask: Ask) -> None:
        if not self._allowed(ask.verb, ask.resource, ask.namespace):
            raise Refused(403, "Forbidden", f"{ask.user} cannot {ask.verb} {ask.resource}")

    def _allowed(self, verb: str, resource: str, namespace: str) -> bool:
        if self.bound is not None and resource not in (DEFINITION.resource, REVIEW.resource):
            return namespace in self.bound and (verb, resource) not in self.denied
        return (verb, resource) not in self.denied

    def served(self) -> set[str]:
        """Resources that are built in or have their CRD."""
        built_in = {k.resource for k in SERVED if not k.optional and k is not MICROSERVICE}
        return built_in | {p[2] for p in self.objects if p[0] == DEFINITION.resource}

    def _count(self, user: str) -> None:
        if user in self._limits:
            count, act = self._limits.pop(user)
            if count > 1:
                self._limits[user] = (count - 1, act)
            else:
                act()

    def _create(self, ask: Ask) -> Any:
        name = ask.body["metadata"]["name"]
        if (ask.kind.resource, ask.namespace, name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{ask.resource} "{name}" already exists')
        return self.create(ask.kind, ask.body, manager=ask.user)

    def _apply(self, ask: Ask) -> tuple[Any, int]:
        live, metadata = self.objects.get(ask.place), dict(ask.body["metadata"])
        version, uid = metadata.pop("resourceVersion", None), metadata.pop("uid", None)
        if live is None and uid:
            raise Refused(409, "Conflict", "uid mismatch: the object does not exist")
        if live and uid and uid != live["metadata"]["uid"]:
            raise Refused(422, "Invalid", "metadata.uid: Invalid value: field is immutable")
        if live and version and version != live["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified")
        uid = live["metadata"]["uid"] if live else f"uid-{self.version + 1}"
        owners, appliers = self._owners.setdefault(uid, ({}, set()))
        appliers.add(ask.query["fieldManager"])
        base = live or {**ask.body, "metadata": {**metadata, "uid": uid}}
        applied = {**ask.body, "metadata": metadata}
        result = apply(base, applied, owners, ask.query["fieldManager"])
        event, code = ("MODIFIED", 200) if live else ("ADDED", 201)
        return self._commit(ask.place, result, live, managed(owners, appliers), event), code

    def _patch(self, ask: Ask, live: dict[str, Any]) -> Any:
        if ask.body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified")
        part = {k: v for k, v in ask.body.items() if k in ("spec", "status")}
        return self._store(ask.place, merged(live, part), "MODIFIED", manager="")

    def _delete(self, ask: Ask, live: dict[str, Any]) -> Any:
        if (uid := ask.body["preconditions"]["uid"]) != live["metadata"]["uid"]:
            raise Refused(409, "Conflict", f"the UID in the precondition ({uid}) differs")
        self.remove(ask.kind, ask.namespace, ask.name)
        return {"kind": "Status", "status": "Success"}

    def _list(self, ask: Ask) -> Any:
        wanted = labels(ask.query.get("labelSelector", ""))
        items = [o for p, o in sorted(self.objects.items()) if p[0] == ask.kind.resource]
        items = [o for o in items if ask.namespace in ("", o["metadata"].get("namespace"))]
        return {
            "kind": f"{ask.kind.kind}List",
            "apiVersion": ask.kind.api_version,
            "metadata": {"resourceVersion": str(self.version)},
            "items": [o for o in items if selected(o, wanted)],
        }

    def _review(self, body: Any) -> Any:
        asked = body["spec"]["resourceAttributes"]
        resource = ".".join(filter(None, (asked["resource"], asked.get("group"))))
        if sub := asked.get("subresource"):
            resource += f"/{sub}"
        allowed = self._allowed(asked["verb"], resource, asked.get("namespace", ""))
        return {**body, "status": {"allowed": allowed}}


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386, without touching `old`."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = deepcopy(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def labels(selector: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in selector.split(",") if pair)


def selected(live: dict[str, Any], wanted: dict[str, str]) -> bool:
    return wanted.items() <= (live["metadata"].get("labels") or {}).items()
