"""A Kubernetes API in memory: list, watch, bookmarks, 410, apply with its preconditions, audit.

It knows no defaulting, no admission and no schema: what needs more is tested on a real server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from fields import Owners, apply, edited, managed

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.cluster import DEFINITION, EVENT, LEASE, POD
from microservice_operator.desired import KINDS

NAMESPACE = Kind("v1", "Namespace", "namespaces")
SERVED = [MICROSERVICE, LEASE, EVENT, POD, DEFINITION, NAMESPACE, *KINDS.values()]
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


@dataclass(slots=True)
class Fault:
    """What the server does instead, `times` times, with requests of this verb and resource."""

    verb: str
    resource: str
    code: int = 500
    message: str = "injected"
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False  # the request works, its answer does not arrive
    hang: bool = False


class Refused(Exception):
    def __init__(self, code: int, reason: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.more = code, reason, message, more


class FakeApi:
    """Tests act as users by `create`, `edit` and `remove`; operators come by HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.audit: list[Request] = []
        self.faults: list[Fault] = []
        self.denied: set[tuple[str, str]] = set()  # verb, resource
        self.banned: set[str] = set()  # users whose requests hang from now on
        self.objects: dict[Place, dict[str, Any]] = {}
        self.controllers: list[Callable[[str, dict[str, Any]], None]] = []
        self.changed = asyncio.Condition()
        self._owners: dict[str, tuple[Owners, set[str]]] = {}  # by uid; managers that apply
        self._version = 100
        self._history: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
        self._oldest: dict[str, int] = {}  # per resource: versions below are expired
        self._watches: dict[str, set[asyncio.Queue[Any]]] = {}
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
        return self._store(place, _merged(self.objects[place], patch), "MODIFIED", manager=manager)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete, and let the garbage collector follow the owner references."""
        gone = self.objects.pop((kind.resource, namespace, name))
        self._owners.pop(gone["metadata"]["uid"], None)
        self._emit(kind.resource, "DELETED", gone)
        for place, child in list(self.objects.items()):
            owners = child["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                self.remove(BY_RESOURCE[place[0]], place[1], place[2])

    def get(self, kind: Kind, namespace: str, name: str) -> Any:
        return self.objects.get((kind.resource, namespace, name))

    def install(self, kind: Kind) -> None:
        self.create(DEFINITION, {"metadata": {"name": kind.resource}, "spec": {"group": kind.group}})

    def uninstall(self, kind: Kind) -> None:
        for place in [place for place in self.objects if place[0] == kind.resource]:
            self.remove(kind, place[1], place[2])
        self.remove(DEFINITION, "", kind.resource)

    def expire(self, kind: Kind, *, while_away: Callable[[], None]) -> None:
        """Cut every watch of a kind; what happens meanwhile can only be learnt from a new list."""
        watches = self._watches.pop(kind.resource, set())
        while_away()
        self._oldest[kind.resource] = self._version + 1
        for queue in watches:
            queue.put_nowait(None)

    def writes(self, user: str = "operator") -> Counter[str]:
        """Mutating requests but reviews and the Lease, as `verb resource`."""
        ignored = {"selfsubjectaccessreviews.authorization.k8s.io", LEASE.resource}
        return Counter(
            f"{request.verb} {request.resource}"
            for request in self.audit
            if request.user == user and request.verb not in READS
            if request.resource not in ignored
        )

    async def until(self, holds: Callable[[], Any], seconds: float = 20.0) -> Any:
        """Wait for a state; the message of a failure shows what the world looked like."""
        async with self.changed:
            try:
                async with asyncio.timeout(seconds):
                    await self.changed.wait_for(lambda: bool(holds()))
            except TimeoutError:
                raise AssertionError(f"never came true; {self.describe()}") from None
        return holds()

    def describe(self) -> str:
        status = {p[2]: o.get("status") for p, o in self.objects.items() if p[0] == MICROSERVICE.resource}
        return f"requests: {dict(self.writes())}, objects: {sorted(self.objects)}, status: {status}"

    # the store

    def _store(self, place: Place, live: dict[str, Any], event: str, *, manager: str) -> Any:
        before = self.objects.get(place)
        metadata = live["metadata"]
        metadata.setdefault("uid", f"uid-{self._version + 1}")
        owners, appliers = self._owners.setdefault(metadata["uid"], ({}, set()))
        if manager:
            edited(before or {}, live, owners, manager)
        return self._commit(place, live, before, managed(owners, appliers), event)

    def _commit(
        self, place: Place, live: Any, before: Any, fields: list[Any], event: str
    ) -> dict[str, Any]:
        live["metadata"]["managedFields"] = fields
        if before == live:
            return live
        spec_changed = before is None or before.get("spec") != live.get("spec")
        generation = (before or {}).get("metadata", {}).get("generation", 0)
        live["metadata"]["generation"] = generation + (1 if spec_changed else 0)
        self._version += 1
        live["metadata"]["resourceVersion"] = str(self._version)
        self.objects[place] = live
        self._emit(place[0], event, live, at=self._version)
        for controller in self.controllers:
            controller(place[0], live)
        return live

    def _emit(self, resource: str, event: str, live: dict[str, Any], at: int = 0) -> None:
        if not at:
            self._version = at = self._version + 1
            live["metadata"]["resourceVersion"] = str(at)
        entry = (at, event, deepcopy(live))
        self._history.setdefault(resource, []).append(entry)
        for queue in self._watches.get(resource, ()):
            queue.put_nowait(entry)
        self._notify()

    def _notify(self) -> None:
        async def wake() -> None:
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.get_running_loop().create_task(wake())
        self._waking = {*getattr(self, "_waking", set()) - {task}, task}
        task.add_done_callback(self._waking.discard)

    # HTTP

    async def handle(self, request: web.Request) -> web.StreamResponse:
        target = _target(request)
        if target is None:
            return web.json_response(self._discover(request.path))
        verb, kind, namespace, name, subresource = target
        user = request.headers.get("Authorization", "").removeprefix("Bearer ") or "anonymous"
        if user in self.banned:
            await asyncio.Event().wait()
        resource = kind.resource + (f"/{subresource}" if subresource else "")
        body = orjson.loads(raw) if (raw := await request.read()) else None
        try:
            fault = self._fault(verb, resource)
            if fault and fault.hang:
                await asyncio.Event().wait()
            if fault and not fault.lost:
                raise Refused(fault.code, "Injected", fault.message, headers=fault.headers)
            if (verb, resource) in self.denied:
                raise Refused(403, "Forbidden", f"{user} cannot {verb} {resource}")
            if kind.resource not in self._served():
                raise Refused(404, "NotFound", "the server could not find the requested resource")
            if verb == "watch":
                return await self._watch(request, kind, user)
            answer, code = self._act(verb, kind, namespace, name, subresource, request, body)
            if fault and fault.lost and request.transport:
                request.transport.close()
        except Refused as error:
            answer, code = _status(error), error.code
            headers = error.more.get("headers") or {}
            self.audit.append(Request(user, verb, resource, name, code, body))
            self._notify()
            return web.json_response(answer, status=code, headers=headers)
        self.audit.append(Request(user, verb, resource, name, code, body))
        self._notify()
        return web.Response(body=orjson.dumps(answer), status=code, content_type="application/json")

    def _act(
        self, verb: str, kind: Kind, ns: str, name: str, sub: str, request: web.Request, body: Any
    ) -> tuple[Any, int]:
        place = (kind.resource, ns, name)
        if kind.kind == "SelfSubjectAccessReview":
            return self._review(body), 201
        match verb:
            case "list":
                return self._list(kind, ns, request.query), 200
            case "create":
                if (kind.resource, ns, body["metadata"]["name"]) in self.objects:
                    raise Refused(409, "AlreadyExists", f"{name} exists")
                return self.create(kind, body, manager="operator"), 201
            case "patch" if request.content_type == "application/apply-patch+yaml":
                return self._apply(place, body, request.query["fieldManager"])
        live = self.objects.get(place)
        if live is None:
            raise Refused(404, "NotFound", f'{kind.resource} "{name}" not found')
        if verb == "delete":
            if (uid := body["preconditions"]["uid"]) != live["metadata"]["uid"]:
                raise Refused(409, "Conflict", f"the UID in the precondition ({uid}) differs")
            self.remove(kind, ns, name)
            return {"kind": "Status", "status": "Success"}, 200
        if verb == "patch":
            version = body["metadata"].pop("resourceVersion")
            if version != live["metadata"]["resourceVersion"]:
                raise Refused(409, "Conflict", "the object has been modified")
            part = {"status": body["status"]} if sub == "status" else body
            return self._store(place, _merged(live, part), "MODIFIED", manager=""), 200
        return live, 200

    def _apply(self, place: Place, body: dict[str, Any], manager: str) -> tuple[Any, int]:
        live, metadata = self.objects.get(place), body["metadata"]
        version, uid = metadata.pop("resourceVersion", None), metadata.pop("uid", None)
        if live is None and uid:
            raise Refused(409, "Conflict", "uid mismatch: the object does not exist")
        if live is not None:
            current = live["metadata"]
            if uid and uid != current["uid"]:
                raise Refused(422, "Invalid", "metadata.uid: Invalid value: field is immutable")
            if version and version != current["resourceVersion"]:
                raise Refused(409, "Conflict", "the object has been modified")
        uid = live["metadata"]["uid"] if live else f"uid-{self._version + 1}"
        owners, appliers = self._owners.setdefault(uid, ({}, set()))
        appliers.add(manager)
        base = live or {**body, "metadata": {"name": place[2], "namespace": place[1], "uid": uid}}
        result = apply(base, body, owners, manager)
        event, code = ("MODIFIED", 200) if live else ("ADDED", 201)
        return self._commit(place, result, live, managed(owners, appliers), event), code

    def _list(self, kind: Kind, namespace: str, query: Any) -> Any:
        wanted = _labels(query.get("labelSelector", ""))
        items = [o for p, o in sorted(self.objects.items()) if p[0] == kind.resource]
        items = [o for o in items if namespace in ("", o["metadata"].get("namespace"))]
        return {
            "kind": f"{kind.kind}List",
            "apiVersion": kind.api_version,
            "metadata": {"resourceVersion": str(self._version)},
            "items": [o for o in items if wanted.items() <= o["metadata"].get("labels", {}).items()],
        }

    async def _watch(self, request: web.Request, kind: Kind, user: str) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        wanted = _labels(request.query.get("labelSelector", ""))
        response = web.StreamResponse()
        await response.prepare(request)
        self.audit.append(Request(user, "watch", kind.resource, "", 200))
        if since < self._oldest.get(kind.resource, 0):
            await response.write(_line("ERROR", {"code": 410, "reason": "Expired", "message": ""}))
            return response
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for entry in self._history.get(kind.resource, []):
            if entry[0] > since:
                queue.put_nowait(entry)
        self._watches.setdefault(kind.resource, set()).add(queue)
        try:
            while (entry := await self._next(queue)) is not None:
                _, event, live = entry
                if wanted.items() <= (live["metadata"].get("labels") or {}).items():
                    await response.write(_line(event, live))
        except (ConnectionResetError, asyncio.CancelledError):
            pass
        finally:
            self._watches.get(kind.resource, set()).discard(queue)
        return response

    async def _next(self, queue: asyncio.Queue[Any]) -> Any:
        """The next event, or a bookmark when it is quiet."""
        try:
            async with asyncio.timeout(1.0):
                return await queue.get()
        except TimeoutError:
            return 0, "BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}}

    def _review(self, body: Any) -> Any:
        asked = body["spec"]["resourceAttributes"]
        resource = ".".join(filter(None, (asked["resource"], asked.get("group"))))
        if sub := asked.get("subresource"):
            resource += f"/{sub}"
        return {**body, "status": {"allowed": (asked["verb"], resource) not in self.denied}}

    def _fault(self, verb: str, resource: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.verb in ("*", verb) and fault.resource in ("*", resource):
                fault.times -= 1
                return fault
        return None

    def _served(self) -> set[str]:
        built_in = {k.resource for k in SERVED if not k.optional and k is not MICROSERVICE}
        installed = {place[2] for place in self.objects if place[0] == DEFINITION.resource}
        return built_in | installed | {"selfsubjectaccessreviews.authorization.k8s.io"}

    def _discover(self, path: str) -> Any:
        served = [kind for kind in SERVED if kind.resource in self._served()]
        if path == "/api":
            return {"versions": ["v1"]}
        if path == "/apis":
            groups = {k.group: k.api_version for k in served if k.group}
            return {"groups": [_group(name, version) for name, version in groups.items()]}
        here = path.removeprefix("/apis/").removeprefix("/api/")
        return {"resources": [_entry(kind) for kind in served if kind.api_version == here]}


@asynccontextmanager
async def served(api: FakeApi) -> AsyncIterator[FakeApi]:
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


def _target(request: web.Request) -> tuple[str, Kind, str, str, str] | None:
    """(verb, kind, namespace, name, subresource); None for discovery."""
    parts = request.path.strip("/").split("/")
    version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "")[:3]
    kind = next((k for k in SERVED if (k.api_version, k.plural) == (version, plural)), None)
    kind = kind or Kind(version, "SelfSubjectAccessReview", plural)
    reads = "watch" if request.query.get("watch") else "get" if name else "list"
    verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(request.method, reads)
    return verb, kind, namespace, name, subresource


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7386, without touching `old`."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = deepcopy(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


def _labels(selector: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in selector.split(",") if pair)


def _line(event: str, live: Any) -> bytes:
    return orjson.dumps({"type": event, "object": live}) + b"\n"


def _status(error: Refused) -> dict[str, Any]:
    details = {"causes": [{"reason": cause}]} if (cause := error.more.get("cause")) else {}
    return {
        "kind": "Status",
        "status": "Failure",
        "code": error.code,
        "reason": error.reason,
        "message": error.message,
        "details": details,
    }


def _group(name: str, version: str) -> dict[str, Any]:
    entry = {"groupVersion": version, "version": version.rpartition("/")[2]}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _entry(kind: Kind) -> dict[str, Any]:
    verbs: Iterable[str] = ("get", "list", "watch", "create", "patch", "delete")
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "kind": kind.kind,
        "namespaced": kind not in (DEFINITION, NAMESPACE),
        "verbs": list(verbs),
    }
