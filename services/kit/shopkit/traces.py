"""W3C trace context: taken from the request or message, handed on with every call and message."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# W3C 3.2: no version ff, no id of zeros; a later version may say more at the end.
_FORM = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})"
    r"-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_SAMPLED = 1


class Span:
    """One piece of work in a trace; this one only carries the trace on and is told to nobody."""

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def set(self, name: str, value: str | int) -> None:
        """An attribute; see `shopkit.spans` for those there are."""

    def rename(self, name: str) -> None:
        """When the name is known only afterwards, as a route is."""

    def failed(self, why: str) -> None:
        """`why` is a class of errors, never a message: that may hold anything."""

    def link(self, traceparent: str) -> None:
        """Another trace that this work belongs to as well."""

    def end(self) -> None: ...


_NONE = Span("")
_here: ContextVar[Span] = ContextVar("span", default=_NONE)


def here() -> Span:
    """The span of this task; outside a trace one without effect."""
    return _here.get()


def current() -> str:
    """The traceparent of this task, or "" outside a trace."""
    return here().traceparent


def trace_id(traceparent: str | None = None) -> str:
    """32 hex digits, or "" outside a trace; of this task when none is given."""
    return _part(current() if traceparent is None else traceparent, 1)


def span_id() -> str:
    return _part(current(), 2)


def _part(traceparent: str, number: int) -> str:
    return traceparent.split("-")[number] if traceparent else ""


def child(parent: str) -> str:
    """A new span below `parent`; a new trace when there is none or it is malformed (W3C 3.2.2)."""
    if not is_valid(parent):
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return f"00-{trace_id(parent)}-{secrets.token_hex(8)}-{int(is_sampled(parent)):02x}"


def is_valid(text: str) -> bool:
    found = _FORM.fullmatch(text)
    return found is not None and (found["version"] != "00" or found["more"] is None)


def is_sampled(traceparent: str) -> bool:
    """Whether whoever began the trace wants it recorded; of a valid one."""
    return bool(int(_part(traceparent, 3), 16) & _SAMPLED)


@contextmanager
def inside(span: Span) -> Iterator[Span]:
    """Everything in the block belongs to this span."""
    reset = _here.set(span)
    try:
        yield span
    finally:
        _here.reset(reset)
