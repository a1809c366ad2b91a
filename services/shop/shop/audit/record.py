"""I6: what a client was promised, line by line, against what the shop has."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from shop.customer import ShopError
from shopkit.audit import Violation


class Promise(BaseModel):
    """A line of the record: POST /orders with this key was answered so."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    status: int
    order_id: str | None = None


def read(path: Path) -> Iterator[Promise]:
    """JSON lines; the last may be cut short, because its writer may have been killed."""
    lines = _lines(path)
    for number, line in enumerate(lines, 1):
        try:
            yield Promise.model_validate(json.loads(line))
        except (json.JSONDecodeError, ValidationError) as error:
            if number < len(lines):
                raise ShopError(f"{path}:{number} is no line of a record: {error}") from error


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ShopError(f"{path}: {error.strerror}") from error


def broken(promises: Iterator[Promise], known: Collection[str]) -> Iterator[Violation]:
    """Every order that was accepted exists; one key is one order."""
    orders: dict[str, str] = {}
    for promise in promises:
        if not 200 <= promise.status < 300:
            continue
        order_id = promise.order_id or ""
        if order_id not in known:
            yield _lost(promise.key, f"accepted as order {order_id or '?'}, which does not exist")
        if orders.setdefault(promise.key, order_id) != order_id:
            yield _lost(promise.key, f"became two orders: {orders[promise.key]} and {order_id}")


def _lost(key: str, detail: str) -> Violation:
    return Violation(invariant="I6", subject=f"key {key}", detail=detail)
