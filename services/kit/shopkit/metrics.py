"""Prometheus metrics. One registry a service: the embedded shop has six services in one process."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class ServiceRegistry(CollectorRegistry):
    """Adds the label `service` to every sample."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self.metrics: list[MetricWrapperBase] = []

    def register(self, collector: Collector) -> None:
        """Remembers it: what has labels shows nothing of itself before something has happened."""
        super().register(collector)
        if isinstance(collector, MetricWrapperBase):
            self.metrics.append(collector)

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [self._labelled(sample) for sample in metric.samples]
            yield metric

    def _labelled(self, sample: Sample) -> Sample:
        return sample._replace(labels={**sample.labels, "service": self._service})


class Metrics:
    """What every service measures. Labels are templates and types: no ids, no raw paths."""

    def __init__(self, service: str, version: str, schema: int) -> None:
        r = self.registry = ServiceRegistry(service)
        self.http_seconds = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer, by route template",
            ["method", "route", "status"],
            registry=r,
            buckets=FAST,
        )
        self.http_active = Gauge("http_server_active_requests", "Requests under way", registry=r)
        self.client_seconds = Histogram(
            "http_client_request_duration_seconds",
            "Time of a call to another service or the bank; outcome 2xx to 5xx, or unreachable",
            ["peer", "operation", "outcome"],
            registry=r,
            buckets=FAST,
        )
        self.breaker_open = Gauge(
            "shop_breaker_open",
            "1 while a peer failed so often that it is left alone",
            ["peer"],
            registry=r,
        )
        self.idempotent_requests = Counter(
            "shop_idempotent_requests",
            "Requests with an Idempotency-Key; outcome new, replay or conflict",
            ["outcome"],
            registry=r,
        )
        self._messages(r)
        self._sagas(r)
        build = Gauge("shop_build_info", "Always 1", ["version", "schema"], registry=r)
        build.labels(version, str(schema)).set(1)

    def _messages(self, r: CollectorRegistry) -> None:
        self.message_seconds = Histogram(
            "shop_message_handle_duration_seconds",
            "Time to handle a message; outcome ok, duplicate or failed",
            ["type", "outcome"],
            registry=r,
            buckets=FAST,
        )
        self.messages_published = Counter(
            "shop_messages_published", "Messages the broker stored", ["type"], registry=r
        )
        self.dead_letters = Gauge(
            "shop_dead_letters", "Messages that cannot be handled", ["type"], registry=r
        )
        self.dead_letter_max_count = Gauge(
            "shop_dead_letter_max_count", "Most failures of one message", ["type"], registry=r
        )
        self.outbox_pending = Gauge("shop_outbox_pending", "Messages not published yet", registry=r)
        self.outbox_oldest = Gauge(
            "shop_outbox_oldest_seconds", "Age of the oldest message not published", registry=r
        )

    def _sagas(self, r: CollectorRegistry) -> None:
        self.saga_active = Gauge("shop_saga_active", "Sagas under way", ["state"], registry=r)
        self.saga_oldest = Gauge(
            "shop_saga_oldest_seconds", "Age of the oldest saga under way", ["state"], registry=r
        )
        self.saga_seconds = Histogram(
            "shop_saga_duration_seconds",
            "From a saga's start to its final state",
            ["result"],
            registry=r,
            buckets=LONG,
        )
        self.saga_resends = Counter(
            "shop_saga_resends", "Commands sent again", ["command"], registry=r
        )
