"""HTTP in front of FakeApi: paths, watches, discovery, injected faults, the audit log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from tests.fakeapi import NAMESPACE, SERVED, Ask, FakeApi, Fault, Refused, Request, labels, selected

from microservice_operator.api.kinds import Kind
from microservice_operator.cluster import DEFINITION

WRITES = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}
BOOKMARK_AFTER = 1.0  # seconds of silence


class Front:
    def __init__(self, api: FakeApi) -> None:
        self.api = api

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ask = await _understood(request)
        if ask is None:
            return web.json_response(self._discover(request.path))
        if ask.user in self.api.banned:
            await asyncio.Event().wait()
        try:
            fault = await self._fault(ask)
            if ask.verb == "watch" and ask.kind.resource in self.api.served():
                self.api.authorize(ask)
                return await self._watch(request, ask)
            answer, code = self.api.act(ask)
            headers: dict[str, str] = {}
        except Refused as error:
            answer, code, headers = _status(error), error.code, error.headers
            fault = None
        self._log(ask, code)
        if ask.user in self.api.banned:
            await asyncio.Event().wait()
        if fault and request.transport:  # done, but nobody hears of it
            request.transport.close()
        body = orjson.dumps(answer)
        return web.Response(
            body=body, status=code, headers=headers, content_type="application/json"
        )

    async def _fault(self, ask: Ask) -> Fault | None:
        """Act out a fault; one that only loses the answer is left to the caller."""
        fault = next((f for f in self.api.faults if f.times and f.hits(ask)), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.hang:
            await asyncio.Event().wait()
        if fault.lost:
            return fault
        refused = Refused(fault.code, fault.reason, fault.message)
        refused.headers, refused.cause = fault.headers, fault.cause
        raise refused

    async def _watch(self, request: web.Request, ask: Ask) -> web.StreamResponse:
        resource, since = ask.kind.resource, int(ask.query.get("resourceVersion") or 0)
        response = web.StreamResponse()
        await response.prepare(request)
        self._log(ask, 200)
        if since < self.api.oldest.get(resource, 0):
            await response.write(_line("ERROR", {"code": 410, "reason": "Expired", "message": ""}))
            return response
        queue: asyncio.Queue[Any] = asyncio.Queue()
        for entry in self.api.history.get(resource, []):
            if entry[0] > since:
                queue.put_nowait(entry)
        self.api.watches.setdefault(resource, set()).add(queue)
        try:
            await self._feed(ask, response, queue)
        except ConnectionResetError:
            pass  # the client has gone
        finally:
            self.api.watches.get(resource, set()).discard(queue)
        return response

    async def _feed(
        self, ask: Ask, response: web.StreamResponse, queue: asyncio.Queue[Any]
    ) -> None:
        wanted = labels(ask.query.get("labelSelector", ""))
        while (entry := await self._next(queue)) is not None:
            _, event, live = entry
            if ask.user in self.api.banned:
                await asyncio.Event().wait()
            if event != "BOOKMARK" and ask.namespace not in ("", live["metadata"].get("namespace")):
                continue
            if event == "BOOKMARK" or selected(live, wanted):
                await response.write(_line(event, live))
            elif event == "MODIFIED":  # out of sight is gone
                await response.write(_line("DELETED", live))

    async def _next(self, queue: asyncio.Queue[Any]) -> Any:
        """The next event, or a bookmark when it is quiet; None when the watch is cut."""
        try:
            async with asyncio.timeout(BOOKMARK_AFTER):
                return await queue.get()
        except TimeoutError:
            return 0, "BOOKMARK", {"metadata": {"resourceVersion": str(self.api.version)}}

    def _log(self, ask: Ask, code: int) -> None:
        name = ask.name or ((ask.body or {}).get("metadata") or {}).get("name", "")
        seen = Request(ask.user, ask.verb, ask.resource, name, code, ask.body, ask.namespace)
        self.api.audit.append(seen)
        self.api.notify()

    def _discover(self, path: str) -> Any:
        served = [kind for kind in SERVED if kind.resource in self.api.served()]
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
    application.router.add_route("*", "/{path:.*}", Front(api).handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


async def _understood(request: web.Request) -> Ask | None:
    """None for discovery."""
    parts = request.path.strip("/").split("/")
    version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
    if not rest:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "")[:3]
    reads = "watch" if request.query.get("watch") else "get" if name else "list"
    raw = await request.read()
    return Ask(
        user=request.headers.get("Authorization", "").removeprefix("Bearer ") or "anonymous",
        verb=WRITES.get(request.method, reads),
        kind=next(k for k in SERVED if (k.api_version, k.plural) == (version, plural)),
        namespace=namespace,
        name=name,
        subresource=subresource,
        query=request.query,
        content=request.content_type,
        body=orjson.loads(raw) if raw else None,
    )


def _line(event: str, live: Any) -> bytes:
    return orjson.dumps({"type": event, "object": live}) + b"\n"


def _status(error: Refused) -> dict[str, Any]:
    return {
        "kind": "Status",
        "status": "Failure",
        "code": error.code,
        "reason": error.reason,
        "message": error.message,
        "details": {"causes": [{"reason": error.cause}]} if error.cause else {},
    }


def _group(name: str, version: str) -> dict[str, Any]:
    entry = {"groupVersion": version, "version": version.rpartition("/")[2]}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _entry(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "kind": kind.kind,
        "namespaced": kind not in (DEFINITION, NAMESPACE),
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    }
