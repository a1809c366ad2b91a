"""Failures by kind: few enough to count, clear enough to act upon."""

from collections.abc import Mapping

import aiohttp
import orjson

_PREFIX = "urn:shop:problem:"


class Failed(Exception):
    """No success; `retry_after` in seconds, 0 when the shop did not say."""

    def __init__(self, kind: str, status: int = 0, retry_after: float = 0.0) -> None:
        super().__init__(kind)
        self.kind, self.status, self.retry_after = kind, status, retry_after


def refused(status: int, headers: Mapping[str, str], body: bytes) -> Failed:
    """`429 rate-limited`; a proxy's answer has a number only."""
    after = headers.get("Retry-After", "")
    kind = f"{status} {_slug(body)}".strip()
    return Failed(kind, status, float(after) if after.isdigit() else 0.0)


def _slug(body: bytes) -> str:
    try:
        type_ = orjson.loads(body)["type"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(type_).removeprefix(_PREFIX) if str(type_).startswith(_PREFIX) else ""


def unanswered(error: Exception) -> Failed:
    """Whether the shop did anything is unknown in all cases but the second."""
    if isinstance(error, TimeoutError):
        return Failed("timed out")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failed("connection refused")
    return Failed("connection lost")
