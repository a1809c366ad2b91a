"""W3C trace context: taken from the request or message, handed on with every call and message."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("traceparent", default="")


def current() -> str:
    """The traceparent of this task, or "" outside a trace."""
    return _current.get()


def trace_id() -> str:
    """32 hex digits, or "" outside a trace."""
    return current().split("-")[1] if current() else ""


def span_id() -> str:
    return current().split("-")[2] if current() else ""


def child(parent: str) -> str:
    """A new span below `parent`; a new trace when there is none or it is malformed (W3C 3.2.2)."""
    trace = parent.split("-")[1] if is_valid(parent) else secrets.token_hex(16)
    return f"00-{trace}-{secrets.token_hex(8)}-01"


def is_valid(text: str) -> bool:
    parts = text.split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return False
    lowercase_hex = set("0123456789abcdef")
    return all(set(part) <= lowercase_hex for part in parts[:4]) and set(parts[1]) != {"0"}


@contextmanager
def span(parent: str = "") -> Iterator[str]:
    """Everything inside belongs to one new span."""
    here = child(parent or current())
    reset = _current.set(here)
    try:
        yield here
    finally:
        _current.reset(reset)
