"""The spans of one service. They leave the process only where an OTLP endpoint is set."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from shopkit import traces
from shopkit.messages import Message
from shopkit.traces import Span

if TYPE_CHECKING:
    from shopkit.otlp import Exporter

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int]

# Closed, as the fields of a log line are: nothing here can be a secret or what a person typed.
ATTRIBUTES = frozenset(
    {
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "peer.service",
        "messaging.destination.name",
        "messaging.message.id",
        "messaging.message.conversation_id",
        "error.type",
        "outcome",
        "attempt",
    }
)


class Spans:
    """`endpoint` is the collector's base URL; without one, spans only carry the trace on."""

    def __init__(self, service: str, version: str, endpoint: str | None) -> None:
        self._service, self._version, self._endpoint = service, version, endpoint
        self._exporter: Exporter | None = None

    def open(self) -> None:
        """Never fails because the collector is away."""
        if self._endpoint:
            from shopkit.otlp import Exporter  # slow to import, and usually not wanted

            self._exporter = Exporter(self._service, self._version, self._endpoint)

    async def close(self, seconds: float) -> None:
        """Sends what is left, for at most so long."""
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            await exporter.close(seconds)

    @contextmanager
    def span(
        self, kind: Kind, name: str, parent: str = "", attributes: Attributes | None = None
    ) -> Iterator[Span]:
        """The block's work; without a valid `parent` it begins a trace."""
        made = self._made(kind, name, parent, attributes or {})
        with traces.inside(made):
            try:
                yield made
            except BaseException as error:
                made.failed(type(error).__name__)
                raise
            finally:
                made.end()

    def _made(self, kind: Kind, name: str, parent: str, attributes: Attributes) -> Span:
        if self._exporter is None:
            return Span(traces.child(parent))
        return self._exporter.begun(kind, name, parent, attributes)


def of(message: Message) -> Attributes:
    """What a message's spans say about it; its subject has no id in it."""
    return {
        "messaging.destination.name": message.subject,
        "messaging.message.id": message.id,
        "messaging.message.conversation_id": message.correlation_id,
        "attempt": message.attempt,
    }
