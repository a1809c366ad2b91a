"""The real API server, as the proxy talks to it: with the caller's own token."""

import base64
import ssl
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Self

import aiohttp
import yaml
from yarl import URL

PASSED_ON = ("authorization", "accept", "content-type", "user-agent", "accept-encoding")


class Upstream:
    def __init__(self, kubeconfig: Path) -> None:
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        self._server = cluster["server"].rstrip("/")
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._trust = ssl.create_default_context(cadata=authority)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> "aiohttp.client._RequestContextManager":
        """`target` is path and query, as they came."""
        kept = {key: value for key, value in headers.items() if key.lower() in PASSED_ON}
        url = URL(self._server + target, encoded=True)
        return self._session.request(
            method, url, headers=kept, data=BytesIO(body) if body else None
        )


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Of any length, each with its end."""
    pending = b""
    async for chunk in content.iter_any():
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
