"""The size of what a client may send: nothing here is an upload."""

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The longest of ours is an order with its quote: 32 KB.
MOST_BYTES = 256 * 1024


class BodyLimit:
    """Counts while the body is read, so that no more than the limit is ever held."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    """Raises FastAPI's own exception: it turns any other one into a 400 while it reads a body."""
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > MOST_BYTES:
            raise HTTPException(413, f"A request has at most {MOST_BYTES} bytes.")
        return message

    return counted
