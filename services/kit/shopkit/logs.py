"""Logs: one JSON object a line on stdout, with fields from a closed list."""

import logging
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

from shopkit import traces

_EVENT = {"ts", "level", "event", "service", "version", "trace_id", "span_id", "exception"}
_SUBJECT = {"order_id", "message_id", "saga_id", "payment_id", "type", "state", "step", "attempt"}
_DETAIL = {
    "error",
    "reason",
    "count",
    "seconds",
    "port",
    "url",
    "path",
    "method",
    "route",
    "status",
}
_DETAIL |= {
    "revision",
    "required",
    "peer",
    "operation",
    "worker",
    "kind",
    "signal",
    "outcome",
    "admin_port",
}
_allowed = _EVENT | _SUBJECT | _DETAIL

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}

Event = MutableMapping[str, Any]


def allow(*fields: str) -> None:
    """Add names to the list; never one whose value may be a secret."""
    _allowed.update(fields)


def configure(level: str = "INFO") -> None:
    """Once a process, before the first line."""
    render(level)
    # Libraries log through the standard module: only what is wrong, in the same form.
    logging.basicConfig(level=logging.WARNING, handlers=[_Bridge()], force=True)


def render(level: str) -> None:
    """Our own lines as JSON."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            _trace,
            _only_allowed,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _trace(_: Any, __: str, event: Event) -> Event:
    if traces.current():
        event.setdefault("trace_id", traces.trace_id())
        event.setdefault("span_id", traces.span_id())
    return event


def _only_allowed(_: Any, __: str, event: Event) -> Event:
    return {name: value for name, value in event.items() if name in _allowed}


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class _Bridge(logging.Handler):
    """Records of libraries as our own lines."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger().bind(service=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)
