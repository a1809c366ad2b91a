"""The values of the operator chart: closed, described, and each one written down."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.chart.rendered import OPERATOR, Helm, chart

SCHEMA: dict[str, Any] = json.loads((chart(OPERATOR) / "values.schema.json").read_text())
TEXT = (chart(OPERATOR) / "values.yaml").read_text()
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
OPEN = {"global"}  # helm's own, for charts that have this one inside
Node = dict[str, Any]


def resolved(node: Node) -> Node:
    if "$ref" not in node:
        return node
    found: Node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    node = resolved(node)
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}".lstrip("."))
    if isinstance(inner := node.get("additionalProperties"), dict):
        yield from nodes(inner, f"{path}.*")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


NODES = [(path, node) for path, node in nodes(SCHEMA) if path not in OPEN]


def test_no_value_has_an_open_form() -> None:
    for path, node in NODES:
        if node.get("type") == "object":
            closed = node.get("additionalProperties")
            assert closed is False or isinstance(closed, dict), path
        else:
            assert node.keys() & {"type", "enum", "anyOf"}, path
        if node.get("type") == "array":
            assert "items" in node, path


def test_every_value_of_the_schema_is_in_the_file_that_people_read() -> None:
    shown = set(re.findall(r"([A-Za-z-]+):", TEXT))
    known = {path.rpartition(".")[2] for path, _ in NODES if path and not path.endswith(("*", "]"))}
    of_items = {path.rpartition(".")[2] for path, _ in NODES if "[]." in path}
    assert known - of_items - shown <= {"ephemeral-storage"}


def test_every_value_of_the_file_is_known_to_the_schema() -> None:
    paths = {path for path, _ in NODES}
    maps = tuple(path.removesuffix("*") for path in paths if path.endswith(".*"))
    unknown = [p for p in leaves(VALUES) if p not in paths and not p.startswith(maps)]
    assert not unknown


def leaves(value: Any, path: str = "") -> Iterator[str]:
    if not isinstance(value, dict) or not value:
        yield path
        return
    for name, inner in value.items():
        yield from leaves(inner, f"{path}.{name}".lstrip("."))


BAD_VALUES = [
    ("tolerations[0].keys=x", "keys"),
    ("priorityClassName=Not A Name", "priorityClassName"),
    ("networkPolicy.apiServer.cidr=anywhere", "cidr"),
    ("metrics.serviceMonitor.labels.a=b", "labels"),
    ("metrics.alerts.enable=true", "enable"),
    ("argocd.enabled=please", "argocd"),
    ("policies.actions={Deny,Warn}", "actions"),
    ("policies.actions={Refuse}", "actions"),
    ("policies.hostnames.everywhere={https://shop.example.com}", "everywhere"),
    ("policies.hostnames.namespaces.Shop={shop.example.com}", "Shop"),
    ("policies.authors=true", "authors"),
    ("namespaces={Shop}", "namespaces"),
    ("namespaces={shop,shop}", "namespaces"),
    ("namespaces=shop", "namespaces"),
    ("crds.watch=maybe", "watch"),
]


@pytest.mark.parametrize(("value", "named"), BAD_VALUES)
def test_a_bad_value_of_the_operator_chart_is_refused_by_name(
    helm: Helm, value: str, named: str
) -> None:
    done = helm("template", OPERATOR, str(chart(OPERATOR)), "--set", value)
    assert done.returncode != 0
    assert re.search(rf"\b{named}\b", done.stderr)
