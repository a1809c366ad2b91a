"""Alerts and dashboard of the operator itself ask only for metrics it has."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.chart.rendered import OPERATOR, REPOSITORY, Manifest, Render, chart, of_kind, only

from microservice_operator.metrics import Metrics

ALL = ("--set", "metrics.alerts.enabled=true,metrics.dashboard.enabled=true")
SCRAPED = ("--set", "metrics.serviceMonitor.enabled=true")
LABELLED = ("--set", "platform.monitoring.labels.release=prometheus")
FROM_SCRAPING = {"namespace", "pod"}
FUNCTIONS = {
    "absent",
    "and",
    "by",
    "histogram_quantile",
    "increase",
    "le",
    "max",
    "on",
    "or",
    "rate",
} | {
    "sum",
    "m",
    "or",
}
ALERTS: dict[str, Any] = yaml.safe_load((chart(OPERATOR) / "files" / "alerts.yaml").read_text())
DASHBOARD: dict[str, Any] = json.loads((chart(OPERATOR) / "files" / "dashboard.json").read_text())
RULES: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]
NEEDED = {  # what an operator of the operator has to be woken up for
    "MicroserviceOperatorHasNoLeader",
    "MicroserviceOperatorIsBehind",
    "MicroserviceOperatorWatchIsStale",
    "MicroserviceOperatorRequestsFail",
    "MicroserviceOperatorPassesFail",
    "MicroserviceOperatorLacksPermission",
    "MicroserviceOperatorStatusIsRefused",
}


def queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def exported() -> tuple[set[str], set[str]]:
    """Names of samples and of labels that a process shows once everything has happened."""
    metrics = Metrics()
    metrics.requests.labels("get", "pods", "diagnosis", 200)
    metrics.passes.labels("done")
    metrics.heard.labels("Deployment")
    metrics.events_seen.labels("deployments.apps", "true")
    metrics.forbidden.labels("Service", "shop")
    families: list[Metric] = list(text_string_to_metric_families(metrics.text()))
    samples = [sample for family in families for sample in family.samples]
    return {s.name for s in samples}, {label for s in samples for label in s.labels}


def words(query: str) -> set[str]:
    """Identifiers of a query: what its strings hold is data."""
    return set(re.findall(r"[a-z_]+", re.sub(r'"[^"]*"', "", query)))


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_every_metric_and_label_of_a_query_exists(query: str) -> None:
    names, labels = exported()
    assert words(query) & names
    assert words(query) <= names | labels | FROM_SCRAPING | FUNCTIONS
    assert query.count("(") == query.count(")")


def test_every_metric_of_the_operator_is_on_the_dashboard() -> None:
    shown = {word for query in queries() for word in words(query)}
    families = text_string_to_metric_families(Metrics().text())
    names = [f.name for f in families if f.name.startswith("microservice_operator_")]
    own = [name for name in names if not name.endswith("_created")]
    assert own
    assert [name for name in own if not any(word.startswith(name) for word in shown)] == []


def test_there_is_an_alert_for_everything_a_person_has_to_mend() -> None:
    assert {rule["alert"] for rule in RULES} == NEEDED
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description", "runbook"} == rule["annotations"].keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_leads_to_its_place_in_the_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    text = (REPOSITORY / page).read_text()
    (section,) = re.findall(rf"^### {rule['alert']}\n(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert "`kubectl " in section


def test_the_rendered_alerts_are_those_of_the_file_with_your_labels(render: Render) -> None:
    manifests = render(OPERATOR, *ALL, "--set", "metrics.alerts.labels.team=platform")
    groups = only("PrometheusRule", manifests)["spec"]["groups"]
    expected = [
        {**rule, "labels": rule["labels"] | {"team": "platform"}}
        for rule in yaml.safe_load(yaml.safe_dump(RULES))
    ]
    assert groups == [{**ALERTS["groups"][0], "rules": expected}]


def test_the_rendered_dashboard_is_that_of_the_file(render: Render) -> None:
    (found,) = dashboards(render(OPERATOR, *ALL))
    assert json.loads(found["data"]["microservice-operator.json"]) == DASHBOARD
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_panels_do_not_lie_on_each_other() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({p["id"] for p in DASHBOARD["panels"]}) == len(places)


def test_what_a_monitoring_stack_looks_for_has_the_labels_it_looks_by(render: Render) -> None:
    manifests = render(OPERATOR, *ALL, *SCRAPED, *LABELLED)
    found = [only("ServiceMonitor", manifests), only("PrometheusRule", manifests)]
    for each in (*found, *dashboards(manifests)):
        assert each["metadata"]["labels"]["release"] == "prometheus", each["kind"]


def test_none_of_it_is_there_unless_asked_for(render: Render) -> None:
    manifests = render(OPERATOR)
    assert not of_kind("ServiceMonitor", manifests) + of_kind("PrometheusRule", manifests)
    assert not list(dashboards(manifests))


def dashboards(manifests: list[Manifest]) -> list[Manifest]:
    maps = of_kind("ConfigMap", manifests)
    return [each for each in maps if each["metadata"]["name"].endswith("-dashboard")]
