"""The floor: what every operator must send, sent by a client that decides nothing.

Reads lines `create NAMESPACE NAME UID` and `update NAMESPACE NAME UID` from standard input.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson
import uvloop
from benchmarks.api import Api
from benchmarks.load import IMAGE, NEXT_IMAGE, children, parsed

from microservice_operator.api.kinds import MICROSERVICE

NAME, SPACE, UID = "name-of-service", "name-of-space", "uid-of-service"
STATUS = {
    "status": {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Ready",
                "message": "2 of 2 pods are ready and up to date",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
}
AT_ONCE = 16  # services: as many as our operator has workers


class Floor:
    """Manifests are made once, as bytes with gaps for name and owner."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._templates = [
            (kind.path(SPACE, NAME), orjson.dumps(body), kind.kind)
            for kind, body in children(parsed(SPACE, NAME, UID))
        ]
        self._status = orjson.dumps(STATUS)

    async def create(self, namespace: str, name: str, uid: str) -> None:
        async with self._turn:
            async with asyncio.TaskGroup() as group:
                for path, body, _ in self._templates:
                    group.create_task(self._apply(path, body, namespace, name, uid))
            await self._report(namespace, name)

    async def update(self, namespace: str, name: str, uid: str) -> None:
        async with self._turn:
            for path, body, kind in self._templates:
                if kind == "Deployment":
                    new = body.replace(IMAGE.encode(), NEXT_IMAGE.encode())
                    await self._apply(path, new, namespace, name, uid)
            await self._report(namespace, name)

    async def _apply(self, path: str, body: bytes, namespace: str, name: str, uid: str) -> None:
        filled = body.replace(NAME.encode(), name.encode()).replace(UID.encode(), uid.encode())
        await self._api.apply(
            path.replace(SPACE, namespace).replace(NAME, name),
            filled.replace(SPACE.encode(), namespace.encode()),
            "floor",
        )

    async def _report(self, namespace: str, name: str) -> None:
        await self._api.merge(MICROSERVICE.path(namespace, name) + "/status", self._status)


async def main(kubeconfig: Path) -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Api.of(kubeconfig, "floor") as api, asyncio.TaskGroup() as group:
        floor = Floor(api)
        print("listening", flush=True)
        while line := (await lines.readline()).decode().split():
            verb, *about = line
            group.create_task(floor.create(*about) if verb == "create" else floor.update(*about))


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
