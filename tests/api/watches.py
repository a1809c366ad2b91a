"""One open watch on its way through the proxy."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from tests.api import rules as faults
from tests.api.rules import Action
from tests.api.seen import Seen
from tests.api.upstream import lines

EXPIRED = {"kind": "Status", "status": "Failure", "reason": "Expired", "message": "injected"}


class Watch:
    def __init__(
        self, seen: Seen, request: web.Request, answer: aiohttp.ClientResponse, headers: Any
    ) -> None:
        self.seen = seen
        self._request = request
        self._answer = answer
        self._response = web.StreamResponse(status=answer.status, headers=headers)
        self._frozen = False

    async def relay(
        self,
        fault: Callable[[str, str], Action | None],
        released: Callable[[], asyncio.Event],
        learn: Callable[[Any], None],
    ) -> web.StreamResponse:
        """`fault` says what becomes of an event, by its type and the path of its object."""
        await self._response.prepare(self._request)
        try:
            async for line in lines(self._answer.content):
                event = orjson.loads(line)
                action = fault(event["type"], self._path(event["object"]))
                if isinstance(action, faults.Hold):
                    await released().wait()
                if not await self.suffer(action) and not self._frozen:
                    learn(event["object"])
                    await self._response.write(line)
        except (ConnectionError, aiohttp.ClientError):
            pass  # one of the two sides has gone
        if self._frozen:
            await asyncio.Event().wait()  # until whoever watches gives up
        return self._response

    async def suffer(self, action: Action | None) -> bool:
        """Whether there is nothing more to tell."""
        match action:
            case faults.Freeze():
                self._frozen = True
            case faults.Cut():
                broken(self._request)
                self._answer.close()
            case faults.Expire(code):
                error = {"type": "ERROR", "object": {**EXPIRED, "code": code}}
                await self._response.write(orjson.dumps(error) + b"\n")
                self._answer.close()
            case faults.Delay(seconds):
                await asyncio.sleep(seconds)
                return False
            case faults.DropEvent():
                return True
            case _:
                return False
        return True

    def _path(self, live: Any) -> str:
        """The object's own, whatever was watched."""
        metadata, collection = live.get("metadata") or {}, self.seen.path
        namespace, name = metadata.get("namespace"), metadata.get("name")
        if namespace and not self.seen.target.namespace:
            root, _, plural = collection.rpartition("/")
            collection = f"{root}/namespaces/{namespace}/{plural}"
        return f"{collection}/{name}"


def broken(request: web.Request) -> web.Response:
    """An answer that nobody will get."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
