"""The second validation: an object stored before a rule is refused by the models too."""

from typing import Any

import pytest
from tests.rule_rows import BOUNDS, ROWS, Row

from microservice_operator.api import spec_rules
from microservice_operator.api.crd import crd
from microservice_operator.api.service import Identity, MicroService
from microservice_operator.errors import InvalidSpec


def parse(spec: dict[str, Any]) -> MicroService:
    metadata = {"name": "orders", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    return MicroService.parse({"metadata": metadata, "spec": {"image": "shop/orders:1", **spec}})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.message)
def test_a_rule_refuses_and_accepts(row: Row) -> None:
    parse(row.accepted)
    with pytest.raises(InvalidSpec) as refusal:
        parse(row.refused)
    assert refusal.value.reason.startswith(row.message)
    assert refusal.value.path.startswith(".spec")


def test_every_rule_of_the_crd_has_a_row() -> None:
    told = {rule["message"] for rule in _rules(crd()) if rule not in spec_rules.ROOT}
    untested = {m for m in told if not any(m.startswith(row.message) for row in ROWS)}
    assert not untested


@pytest.mark.parametrize(("spec", "where"), BOUNDS, ids=lambda part: str(part)[:60])
def test_bounds_are_checked_and_the_path_is_told(spec: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidSpec) as refusal:
        parse(spec)
    assert where.removeprefix("spec") in refusal.value.path


def test_a_secret_value_never_reaches_the_message() -> None:
    with pytest.raises(InvalidSpec) as refusal:
        parse({"env": [{"name": "A", "value": "hunter2" * 2000}]})
    assert "hunter2" not in str(refusal.value)


def test_several_mistakes_are_counted() -> None:
    with pytest.raises(InvalidSpec, match=r"and 1 more"):
        parse({"replicas": -1, "suspend": "perhaps"})


def test_an_identity_survives_any_spec() -> None:
    metadata = {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "12"}
    specs: list[Any] = [None, 7, "x", [], {"ports": 3}]
    for spec in specs:
        identity = Identity.of({"metadata": metadata, "spec": spec})
        assert (identity.key, identity.version, identity.generation) == (("b", "a"), 12, 0)
        assert not (identity.deleting)
        assert not (identity.paused)
        assert not (identity.restart)


def test_verbs_are_read_from_annotations() -> None:
    annotations = {"microservice.dev/paused": "true", "microservice.dev/restart": "now"}
    metadata = {
        "name": "a",
        "namespace": "b",
        "uid": "u",
        "resourceVersion": "1",
        "annotations": annotations,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    identity = Identity.of({"metadata": metadata})
    assert identity.paused
    assert identity.deleting
    assert identity.restart == "now"


def _rules(node: Any) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    here: list[dict[str, str]] = list(node.get("x-kubernetes-validations", ()))
    return here + [rule for value in node.values() for rule in _rules(value)]
