"""Spans to an OpenTelemetry collector: OTLP over HTTP, in batches, from a thread of its own.

What else can be set (headers, timeout, sampler, batch sizes) are the standard's own variables,
read by the SDK: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, OTEL_BSP_MAX_QUEUE_SIZE, ...
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

import structlog
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shopkit import traces
from shopkit.spans import ATTRIBUTES, Attributes, Kind

_KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}


class Exporter:
    """Of one service: the embedded shop has six in one process."""

    def __init__(self, service: str, version: str, endpoint: str) -> None:
        # It would say of every batch what `_Told` says once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": service, "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._sender = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        # A full queue drops the oldest: memory is bounded, and a request never waits.
        self._provider.add_span_processor(BatchSpanProcessor(_Told(self._sender, service)))
        self._tracer = self._provider.get_tracer("shopkit", version)

    def begun(self, kind: Kind, name: str, parent: str, attributes: Attributes) -> traces.Span:
        above = _below(parent) if traces.is_valid(parent) else context.Context()
        allowed = {key: value for key, value in attributes.items() if key in ATTRIBUTES}
        span = self._tracer.start_span(name, above, _KINDS[kind], allowed)
        if not span.get_span_context().is_valid:  # OTEL_SDK_DISABLED
            return traces.Span(traces.child(parent))
        return Recorded(span)

    async def close(self, seconds: float) -> None:
        """Waits for a slow collector no longer than that, and then leaves the rest behind."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        # Not asyncio's pool: the end of the loop, and of the process, would wait for it.
        Thread(target=flush, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await done.wait()
                return
        self._sender.shutdown()


class Recorded(traces.Span):
    """See `shopkit.traces.Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span, at = span, span.get_span_context()
        ids = f"{trace.format_trace_id(at.trace_id)}-{trace.format_span_id(at.span_id)}"
        super().__init__(f"00-{ids}-{int(at.trace_flags.sampled):02x}")

    def set(self, name: str, value: str | int) -> None:
        if name in ATTRIBUTES:
            self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def failed(self, why: str) -> None:
        self.set("error.type", why)
        self._span.set_status(Status(StatusCode.ERROR))

    def link(self, traceparent: str) -> None:
        if traces.is_valid(traceparent):
            self._span.add_link(_remote(traceparent))

    def end(self) -> None:
        self._span.end()


class _Told(SpanExporter):
    """Says once that the collector is away, and once that it is back."""

    def __init__(self, inner: OTLPSpanExporter, service: str) -> None:
        self._inner, self._service, self._away = inner, service, False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self._tell(away=result is not SpanExportResult.SUCCESS)
        return result

    def _tell(self, *, away: bool) -> None:
        log = structlog.get_logger().bind(service=self._service)
        if away and not self._away:
            log.warning("traces_not_sent", reason="the collector takes no OTLP over HTTP")
        elif self._away and not away:
            log.info("traces_sent_again")
        self._away = away

    def shutdown(self) -> None:
        self._inner.shutdown()


def _below(traceparent: str) -> context.Context:
    span = trace.NonRecordingSpan(_remote(traceparent))
    return trace.set_span_in_context(span, context.Context())


def _remote(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")[:4]
    sampled = TraceFlags(int(flags, 16) & TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=sampled)
