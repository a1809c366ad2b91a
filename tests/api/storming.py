"""Edits one MicroService over and over: a program of its own, to be fast enough.

    python storming.py <kubeconfig> <path of the object> <edits a second> <seconds>

Prints how many edits the API server has taken."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tests.api.server import trust
from tests.api.world import MERGE

EDITORS = 10  # that wait for their answers at the same time


async def storm(access: Any, path: str, rate: float, seconds: float) -> int:
    """`access` is the content of a kubeconfig."""
    cluster, user = access["clusters"][0]["cluster"], access["users"][0]["user"]
    connector = aiohttp.TCPConnector(ssl=trust(cluster, user))
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession(cluster["server"], connector=connector) as session:
        editors = (edit(session, path, number, rate / EDITORS, until) for number in range(EDITORS))
        return sum(await asyncio.gather(*editors))


async def edit(
    session: aiohttp.ClientSession, path: str, editor: int, rate: float, until: float
) -> int:
    """How many edits it made: at its own pace, however long the answers take."""
    began, count = time.monotonic(), 0
    while time.monotonic() < until:
        body = {"spec": {"env": [{"name": "NUMBER", "value": f"{editor}-{count}"}]}}
        async with session.patch(path, json=body, headers={"content-type": MERGE}) as answer:
            answer.raise_for_status()
        count += 1
        await asyncio.sleep(max(0.0, began + count / rate - time.monotonic()))
    return count


if __name__ == "__main__":
    where, what, often, long = sys.argv[1:]
    access = yaml.safe_load(Path(where).read_text())
    print(asyncio.run(storm(access, what, float(often), float(long))))
