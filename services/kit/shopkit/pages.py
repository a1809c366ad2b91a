"""Keyset pages: `?cursor=&limit=` and `{items, next_cursor}`."""

import base64
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from shopkit.errors import Problem, Slug

T = TypeVar("T")
# Of an integer column in PostgreSQL.
MOST = 2**31 - 1

Cursor = Annotated[str | None, Query(max_length=400)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Page(BaseModel, Generic[T]):
    """`next_cursor` is null on the last page."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*parts: str | int) -> str:
    """The sort key of the last row shown."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode_cursor(text: str) -> list[str | int]:
    """Raises a 422 for what we did not make."""
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, orjson.JSONDecodeError) as error:
        raise _garbage() from error
    if not isinstance(parts, list) or not all(map(_is_key, parts)):
        raise _garbage()
    return parts


def _is_key(part: object) -> bool:
    """What a column can be compared with, on both databases."""
    if isinstance(part, int):
        return abs(part) <= MOST
    return isinstance(part, str) and "\0" not in part


def _garbage() -> Problem:
    return Problem(Slug.VALIDATION, "`cursor` has to be the `next_cursor` of an earlier page.")
