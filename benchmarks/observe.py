"""The observer: one process that stamps every event of services and children with one clock.

Prints a JSON line for each, and `{"listening": true}` once every watch is open.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import uvloop
from benchmarks.api import JSON, METADATA, METADATA_LIST, Api, Refused
from benchmarks.load import NAMESPACE, SEVEN, WARM_UP

from microservice_operator.api.kinds import Kind
from microservice_operator.names import controller

KRO_OWNER = "kro.run/instance-id"  # kro marks children with a label, not with an owner reference
LABEL = "app.kubernetes.io/name"
WHOLE = frozenset({"Deployment"})  # of the others the metadata will do
Line = dict[str, Any]


def line(kind: Kind, event: Mapping[str, Any], at: float, *, service: bool) -> Line:
    """What the fold in world.py needs of an event."""
    live = event["object"]
    metadata = live["metadata"]
    labels = metadata.get("labels") or {}
    found = {
        "at": at,
        "event": event["type"],
        "kind": kind.kind,
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "version": int(metadata["resourceVersion"]),
    }
    if service:
        return found | {"generation": metadata["generation"], **_service(live)}
    owner = controller(metadata) or labels.get(KRO_OWNER)
    return found | {"owner": owner, "label": labels.get(LABEL), "image": _image(live)}


def _service(live: Mapping[str, Any]) -> dict[str, Any]:
    conditions = (live.get("status") or {}).get("conditions") or ()
    generation = live["metadata"]["generation"]
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" and c.get("observedGeneration") == generation
        for c in conditions
    )
    return {"ready": ready, "image": (live.get("spec") or {}).get("image")}


def _image(live: Mapping[str, Any]) -> str | None:
    template = (live.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or [{}]
    image: str | None = containers[0].get("image")
    return image


class Observer:
    def __init__(self, api: Api, service: Kind) -> None:
        self._api = api
        self._service = service
        self._open = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for kind in (*SEVEN, self._service):
                group.create_task(self._follow(kind))

    async def _follow(self, kind: Kind) -> None:
        whole = kind.kind in WHOLE or kind is self._service
        listed = await self._api.request(
            "GET", kind.path(), accept=JSON if whole else METADATA_LIST, params={"limit": "1"}
        )
        version = listed["metadata"]["resourceVersion"]
        self._opened()
        while True:
            async for event in self._api.watch(kind.path(), version, JSON if whole else METADATA):
                if event["type"] == "ERROR":
                    raise Refused(event["object"].get("code", 0), f"the watch of {kind.plural}")
                version = event["object"]["metadata"]["resourceVersion"]
                self._print(kind, event)

    def _opened(self) -> None:
        self._open += 1
        if self._open == len(SEVEN) + 1:
            _write({"listening": True})

    def _print(self, kind: Kind, event: Mapping[str, Any]) -> None:
        at = time.monotonic()
        if event["object"]["metadata"]["namespace"] in (NAMESPACE, WARM_UP):
            _write(line(kind, event, at, service=kind is self._service))


def _write(value: Line) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.buffer.flush()


async def main(kubeconfig: Path, api_version: str, kind: str, plural: str) -> None:
    async with Api.of(kubeconfig, "observer") as api:
        await Observer(api, Kind(api_version, kind, plural)).run()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), *sys.argv[2:5]))
