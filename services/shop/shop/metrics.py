"""Every metric of the shop, as its services register them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client.metrics import MetricWrapperBase

from shop.installation import Installation
from shop.services import Place, embedded


@dataclass(frozen=True, slots=True)
class Family:
    """`name` as it is scraped; each sample has the label `service` besides."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str
    services: tuple[str, ...]


def families() -> Sequence[Family]:
    """In the order of their definition; nothing is opened or started."""
    with TemporaryDirectory() as folder:
        services = embedded(Place(8080, 9090, Path(folder)), Installation.new())
    found: dict[str, Family] = {}
    for service in services:
        for metric in service.metrics.registry.metrics:
            family = _family(metric, service.name)
            known = found.setdefault(family.name, replace(family, services=()))
            found[family.name] = replace(known, services=(*known.services, service.name))
    return tuple(found.values())


def _family(metric: MetricWrapperBase, service: str) -> Family:
    (told,) = metric.describe()
    name = told.name + ("_total" if told.type == "counter" else "")
    return Family(name, told.type, tuple(metric._labelnames), told.documentation, (service,))
