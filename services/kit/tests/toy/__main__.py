"""`python -m services.kit.tests.toy serve`: the buyer as a process, with one slow route."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from services.kit.tests.toy import buyer

from shopkit.app import Service, command_line
from shopkit.http import Kit
from shopkit.settings import Settings

router = APIRouter()


@router.get("/slow")
async def slow(kit: Kit) -> dict[str, str]:
    """Answers only after the process was told to end."""
    await kit.drain.stopping.wait()
    await asyncio.sleep(0.2)
    return {"slow": "but sure"}


@router.get("/events")
async def events(kit: Kit) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        yield "data: first\n\n"
        await kit.drain.stopping.wait()
        yield "retry: 1000\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


def create_app(settings: Settings) -> Service:
    service = buyer.create_app(settings)
    service.routes(router)
    return service


if __name__ == "__main__":
    command_line(Settings, create_app, package="services.kit.tests.toy")
