"""A MicroService makes nothing outside its namespace and reaches nothing it was not given."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from tests.scene import ALL, NOW, SETTINGS, service
from tests.specs import specs

from microservice_operator import names
from microservice_operator.desired import KINDS, desired
from microservice_operator.observed import Manifest, Observed

NOTHING = Observed(now=NOW, children={}, served=ALL)


def children(spec: Any) -> dict[str, list[Manifest]]:
    made: dict[str, list[Manifest]] = {kind: [] for kind in KINDS}
    for kind, manifest in desired(service(spec), NOTHING, SETTINGS):
        made[kind.kind].append(manifest)
    return made


def namespaces(value: Any, path: str = "") -> Iterator[str]:
    """Where there is a field called namespace; keys of label maps are data."""
    if isinstance(value, list):
        for item in value:
            yield from namespaces(item, path)
    if isinstance(value, dict) and not path.endswith((".matchLabels", ".nodeSelector")):
        for key, inner in value.items():
            yield from (
                [f"{path}.{key}"] if key == "namespace" else namespaces(inner, f"{path}.{key}")
            )


@given(specs())
def test_every_child_is_in_the_namespace_and_owned(spec: Any) -> None:
    of = service(spec)
    for manifests in children(spec).values():
        for manifest in manifests:
            metadata = manifest["metadata"]
            assert metadata["namespace"] == of.namespace
            assert metadata["ownerReferences"] == [names.owner(of)]
            assert names.labels(of).items() <= metadata["labels"].items()
            assert "app.kubernetes.io/instance" not in metadata["labels"]


@given(specs())
def test_no_reference_but_that_to_a_gateway_leaves_the_namespace(spec: Any) -> None:
    for manifests in children(spec).values():
        for manifest in manifests:
            found = set(namespaces(manifest))
            assert found <= {".metadata.namespace", ".spec.parentRefs.namespace"}


@given(specs())
def test_a_service_is_a_cluster_ip_of_its_own_pods(spec: Any) -> None:
    of = service(spec)
    for manifest in children(spec)["Service"]:
        assert set(manifest["spec"]) == {"type", "selector", "ports"}
        assert manifest["spec"]["type"] == "ClusterIP"
        assert manifest["spec"]["selector"] == names.service_pods(of)


@given(specs())
def test_a_route_leads_to_the_own_service(spec: Any) -> None:
    of = service(spec)
    for manifest in children(spec)["HTTPRoute"]:
        (rule,) = manifest["spec"]["rules"]
        (backend,) = rule["backendRefs"]
        assert (backend["kind"], backend["name"]) == ("Service", of.name)
        assert backend["port"] in [port.port for port in of.spec.ports]


@given(specs())
def test_a_policy_selects_the_own_pods_and_full_keeps_dns(spec: Any) -> None:
    of = service(spec)
    for manifest in children(spec)["NetworkPolicy"]:
        assert manifest["spec"]["podSelector"] == {"matchLabels": names.all_pods(of)}
        if "Egress" in manifest["spec"]["policyTypes"]:
            ports = manifest["spec"]["egress"][0]["ports"]
            assert {(p["protocol"], p["port"]) for p in ports} == {("UDP", 53), ("TCP", 53)}


@given(specs())
def test_selectors_cannot_be_hijacked(spec: Any) -> None:
    of = service(spec)
    (deployment,) = children(spec)["Deployment"]
    template = deployment["spec"]["template"]["metadata"]
    assert deployment["spec"]["selector"] == {"matchLabels": names.deployment_pods(of)}
    assert names.service_pods(of).items() <= template["labels"].items()
    assert set(template.get("annotations", {})) <= {"microservice.dev/restart"}
