"""Alerts and dashboards of operator and shop ask only for metrics that there are, and alerts are
raised by what they are for."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.cluster import packages, settings
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.chart.rendered import OPERATOR, REPOSITORY, SHOP, Manifest, Render, chart, of_kind, only

from microservice_operator.metrics import Metrics
from shop.metrics import families

SCRAPED = ("--set", "metrics.serviceMonitor.enabled=true")
FROM_SCRAPING = {"namespace", "pod"}
FUNCTIONS = {
    "absent",
    "and",
    "by",
    "count",
    "histogram_quantile",
    "increase",
    "le",
    "max",
    "m",
    "on",
    "or",
    "rate",
    "sum",
}
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum")}


@dataclass(frozen=True)
class Shipped:
    """What a chart ships for monitoring, under `values`; `labels`: the value with its labels.

    `needed`: what its people have to be woken up for; `look`: a command to look with."""

    chart: str
    values: str
    labels: str
    needed: frozenset[str]
    look: str

    def __str__(self) -> str:
        return self.chart

    @cached_property
    def alerts(self) -> dict[str, Any]:
        return dict(yaml.safe_load((chart(self.chart) / "files" / "alerts.yaml").read_text()))

    @cached_property
    def rules(self) -> list[dict[str, Any]]:
        return list(self.alerts["groups"][0]["rules"])

    @cached_property
    def dashboard(self) -> dict[str, Any]:
        return dict(json.loads((chart(self.chart) / "files" / "dashboard.json").read_text()))

    def queries(self) -> Iterator[str]:
        yield from (rule["expr"] for rule in self.rules)
        for panel in self.dashboard["panels"]:
            yield from (target["expr"] for target in panel["targets"])

    def all(self, *more: str) -> tuple[str, ...]:
        sets = (f"{self.values}.alerts.enabled=true,{self.values}.dashboard.enabled=true", *more)
        return tuple(word for each in sets for word in ("--set", each))

    def exported(self) -> tuple[set[str], set[str]]:
        """Names of samples and of labels that a process shows once everything has happened."""
        return of_the_operator() if self.chart == OPERATOR else of_the_shop()


@cache
def of_the_operator() -> tuple[set[str], set[str]]:
    metrics = Metrics()
    metrics.requests.labels("get", "pods", "diagnosis", 200)
    metrics.passes.labels("done")
    metrics.heard.labels("Deployment")
    metrics.events_seen.labels("deployments.apps", "true")
    metrics.forbidden.labels("Service", "shop")
    found: list[Metric] = list(text_string_to_metric_families(metrics.text()))
    samples = [sample for family in found for sample in family.samples]
    return {s.name for s in samples}, {label for s in samples for label in s.labels}


@cache
def of_the_shop() -> tuple[set[str], set[str]]:
    names = {f.name + suffix for f in families() for suffix in SUFFIXES.get(f.type, ("",))}
    return names, {"service", *(label for family in families() for label in family.labels)}


SHIPPED = (
    Shipped(
        OPERATOR,
        "metrics",
        "platform.monitoring.labels",
        frozenset(
            {
                "MicroserviceOperatorHasNoLeader",
                "MicroserviceOperatorIsBehind",
                "MicroserviceOperatorWatchIsStale",
                "MicroserviceOperatorRequestsFail",
                "MicroserviceOperatorPassesFail",
                "MicroserviceOperatorLacksPermission",
                "MicroserviceOperatorStatusIsRefused",
            }
        ),
        r"`kubectl ",
    ),
    Shipped(
        SHOP,
        "monitoring",
        "monitoring.labels",
        frozenset(
            {
                "ShopInvariantViolated",
                "ShopRefundStuck",
                "ShopPaymentsUnresolved",
                "ShopBreakerOpen",
                "ShopDeadLetters",
                "ShopOutboxOld",
                "ShopSagaOld",
                "ShopErrors",
                "ShopSlow",
            }
        ),
        r"`(?:shop|kubectl) ",
    ),
)
QUERIES = [(shipped, query) for shipped in SHIPPED for query in sorted(set(shipped.queries()))]
RULES = [(shipped, rule) for shipped in SHIPPED for rule in shipped.rules]
for_each_chart = pytest.mark.parametrize("shipped", SHIPPED, ids=str)


def words(query: str) -> set[str]:
    """Identifiers of a query: what its strings hold is data."""
    return set(re.findall(r"[a-z_]+", re.sub(r'"[^"]*"', "", query)))


@pytest.mark.parametrize(("shipped", "query"), QUERIES)
def test_every_metric_and_label_of_a_query_exists(shipped: Shipped, query: str) -> None:
    names, labels = shipped.exported()
    assert words(query) & names
    assert words(query) <= names | labels | FROM_SCRAPING | FUNCTIONS
    assert query.count("(") == query.count(")")


def test_every_metric_of_the_operator_is_on_the_dashboard() -> None:
    shown = {word for query in SHIPPED[0].queries() for word in words(query)}
    families = text_string_to_metric_families(Metrics().text())
    names = [f.name for f in families if f.name.startswith("microservice_operator_")]
    own = [name for name in names if not name.endswith("_created")]
    assert own
    assert [name for name in own if not any(word.startswith(name) for word in shown)] == []


def test_every_metric_of_the_shop_is_on_its_dashboard() -> None:
    panels = SHIPPED[1].dashboard["panels"]
    shown = {word for panel in panels for each in panel["targets"] for word in words(each["expr"])}
    names = [family.name for family in families()]
    assert [name for name in names if not any(word.startswith(name) for word in shown)] == []


@for_each_chart
def test_there_is_an_alert_for_everything_a_person_has_to_mend(shipped: Shipped) -> None:
    assert {rule["alert"] for rule in shipped.rules} == shipped.needed
    for rule in shipped.rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description", "runbook"} == rule["annotations"].keys()


@pytest.mark.parametrize(("shipped", "rule"), RULES, ids=lambda each: str(each)[:60])
def test_every_alert_leads_to_its_place_in_the_runbook(
    shipped: Shipped, rule: dict[str, Any]
) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    text = (REPOSITORY / page).read_text()
    (section,) = re.findall(rf"^### {rule['alert']}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert re.search(shipped.look, section)


@pytest.fixture(scope="session")
def promtool() -> Path:
    return packages.taken_out(settings.load(), "prometheus")


@for_each_chart
def test_prometheus_accepts_the_alerts(shipped: Shipped, promtool: Path) -> None:
    file = chart(shipped.chart) / "files" / "alerts.yaml"
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(shipped.rules)} rules found" in done.stdout


def test_what_is_seen_on_the_shop_raises_exactly_the_alerts_it_should(promtool: Path) -> None:
    cases = Path(__file__).parent / "shop-alerts.yaml"
    done = subprocess.run([promtool, "test", "rules", cases], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    raised = set(re.findall(r'alertname="(\w+)"', cases.read_text()))
    assert raised == SHIPPED[1].needed


@for_each_chart
def test_the_rendered_alerts_are_those_of_the_file_with_your_labels(
    render: Render, shipped: Shipped
) -> None:
    labelled = shipped.all(f"{shipped.values}.alerts.labels.team=platform")
    groups = only("PrometheusRule", render(shipped.chart, *labelled))["spec"]["groups"]
    expected = [
        {**rule, "labels": rule["labels"] | {"team": "platform"}}
        for rule in yaml.safe_load(yaml.safe_dump(shipped.rules))
    ]
    assert groups == [{**shipped.alerts["groups"][0], "rules": expected}]


@for_each_chart
def test_the_rendered_dashboard_is_that_of_the_file(render: Render, shipped: Shipped) -> None:
    (found,) = dashboards(render(shipped.chart, *shipped.all()))
    assert json.loads(found["data"][f"{shipped.chart}.json"]) == shipped.dashboard
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


@for_each_chart
def test_panels_do_not_lie_on_each_other(shipped: Shipped) -> None:
    panels = shipped.dashboard["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels}) == len(places)


@for_each_chart
def test_what_a_monitoring_stack_looks_for_has_the_labels_it_looks_by(
    render: Render, shipped: Shipped
) -> None:
    own = SCRAPED if shipped.chart == OPERATOR else ()
    manifests = render(shipped.chart, *shipped.all(f"{shipped.labels}.release=prometheus"), *own)
    found = [*of_kind("ServiceMonitor", manifests), only("PrometheusRule", manifests)]
    assert len(found) == 1 + bool(own)
    for each in (*found, *dashboards(manifests)):
        assert each["metadata"]["labels"]["release"] == "prometheus", each["kind"]


@for_each_chart
def test_none_of_it_is_there_unless_asked_for(render: Render, shipped: Shipped) -> None:
    manifests = render(shipped.chart)
    assert not of_kind("ServiceMonitor", manifests) + of_kind("PrometheusRule", manifests)
    assert not list(dashboards(manifests))


def dashboards(manifests: list[Manifest]) -> list[Manifest]:
    maps = of_kind("ConfigMap", manifests)
    return [each for each in maps if each["metadata"]["name"].endswith("-dashboard")]
