"""A collector as OpenTelemetry describes it, and what it was sent as trees of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATH, MEDIA_TYPE = "/v1/traces", "application/x-protobuf"


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ids in hex, "" = none. `links`: ids of other traces."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]

    def __str__(self) -> str:
        attempt = self.attributes.get("attempt", 1)
        again = f", attempt {attempt}" if attempt > 1 else ""
        return f"{self.service} {self.name}{again}{', failed' if self.failed else ''}"


class Collector:
    """Listens while it is entered; may be left and entered again on the same port."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self._port = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def spans(self) -> list[Seen]:
        return [span for body in list(self.bodies) for span in _decoded(body)]

    def __enter__(self) -> Collector:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = (self.path, self.headers["Content-Type"]) == (PATH, MEDIA_TYPE)
                status = collector.status if known else 400
                if status == 200:
                    collector.bodies.append(body)
                self.send_response(status)
                self.send_header("Content-Type", MEDIA_TYPE)
                self.end_headers()
                self.wfile.write(ExportTraceServiceResponse().SerializeToString())

            def log_message(self, *_: object) -> None: ...

        return Handler


def _decoded(body: bytes) -> Iterable[Seen]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = str(_values(resource.resource.attributes)["service.name"])
        for scope in resource.scope_spans:
            yield from (_seen(service, span) for span in scope.spans)


def _seen(service: str, span: SpanMessage) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        failed=span.status.code == Status.StatusCode.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        links=tuple(link.trace_id.hex() for link in span.links),
    )


def _values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: _value(each) for each in attributes}


def _value(each: KeyValue) -> Any:
    return getattr(each.value, each.value.WhichOneof("value") or "string_value")


def tree(spans: Sequence[Seen]) -> str:
    """A line a span, below its parent; equal siblings are one line with their number."""
    known = {span.id for span in spans}
    roots = [span for span in spans if not span.parent]
    lost = [span for span in spans if span.parent and span.parent not in known]
    texts = [_branch(span, spans) for span in roots]
    texts += [f"PARENT IS MISSING: {_branch(span, spans)}" for span in lost]
    return "\n".join(sorted(texts)) + "\n"


def _branch(span: Seen, spans: Sequence[Seen]) -> str:
    below = Counter(_branch(each, spans) for each in spans if each.parent == span.id)
    texts = (f"{count} x {text}" if count > 1 else text for text, count in below.items())
    lines = [line for text in sorted(texts) for line in text.splitlines()]
    return "\n".join([str(span), *(f"  {line}" for line in lines)])
