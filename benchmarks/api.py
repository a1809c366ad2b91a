"""A bare client of the API server: one identity, no retries: what it sends is what counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import orjson

from microservice_operator.connection import Connection, from_kubeconfig

JSON = "application/json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML
MERGE = "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
BUSY = 429


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """`sent` counts the answered requests, watches apart: the audit log must show as many."""

    def __init__(self, connection: Connection, agent: str, connections: int = 64) -> None:
        self.sent = 0
        self._server = connection.server
        token = connection.token.header() if connection.token else ""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, ssl=connection.tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": agent, "Accept-Encoding": "identity", "Authorization": token},
            timeout=aiohttp.ClientTimeout(total=60),
        )

    @classmethod
    def of(cls, kubeconfig: Path, agent: str) -> Self:
        return cls(from_kubeconfig(kubeconfig), agent)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: str = JSON,
        accept: str = JSON,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The parsed answer; `body` may be bytes that are JSON already."""
        data = body if isinstance(body, bytes | None) else orjson.dumps(body)
        headers = {"Content-Type": content, "Accept": accept}
        async with self._session.request(
            method, self._server + path, data=data, params=params, headers=headers
        ) as response:
            raw = await response.read()
            self.sent += 1
            if response.status >= 400:
                raise Refused(response.status, raw[:300].decode(errors="replace"))
            return orjson.loads(raw) if raw else {}

    async def apply(self, path: str, body: object, manager: str) -> Any:
        params = {"fieldManager": manager, "force": "true"}
        return await self.request("PATCH", path, body, content=APPLY, params=params)

    async def merge(self, path: str, body: object) -> Any:
        return await self.request("PATCH", path, body, content=MERGE)

    async def revision(self) -> int:
        """That of etcd, now."""
        path = "/api/v1/namespaces/kube-system/configmaps"
        answer = await self.request("GET", path, params={"limit": "1"}, accept=METADATA_LIST)
        return int(answer["metadata"]["resourceVersion"])

    async def watch(
        self, path: str, version: str, accept: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Events until the server ends the watch."""
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "7200"}
        endless = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            self._server + path, params=params, headers={"Accept": accept}, timeout=endless
        ) as response:
            if response.status >= 400:
                raise Refused(response.status, (await response.text())[:300])
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield orjson.loads(line)
