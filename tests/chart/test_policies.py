"""The optional admission policies as rendered; what they admit is tested on a real API server."""

from typing import Any

import pytest
from tests.chart.rendered import OPERATOR, Manifest, Render, of_kind

from microservice_operator.desired import BUILDERS

SWITCHES = {"authors": "authors", "hostnames": "hostnames", "serviceAccounts": "service-accounts"}
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


def switched_on(*names: str) -> tuple[str, ...]:
    return ("--set", ",".join(f"policies.{name}.enabled=true" for name in names))


def policy(manifests: list[Manifest]) -> Any:
    (found,) = of_kind(POLICY, manifests)
    return found["spec"]


@pytest.mark.parametrize("name", SWITCHES)
def test_each_policy_has_its_own_switch_and_is_bound(render: Render, name: str) -> None:
    manifests = render(OPERATOR, *switched_on(name))
    (found,), (binding,) = of_kind(POLICY, manifests), of_kind(BINDING, manifests)
    assert found["metadata"]["name"] == f"{OPERATOR}-{SWITCHES[name]}"
    assert binding["spec"] == {
        "policyName": found["metadata"]["name"],
        "validationActions": ["Deny"],
    }


def test_none_is_there_unless_asked_for(render: Render) -> None:
    assert of_kind(POLICY, render(OPERATOR)) + of_kind(BINDING, render(OPERATOR)) == []


def test_all_are_closed_when_they_fail_and_never_stop_the_operator(render: Render) -> None:
    """The operator writes the status only, which is a resource of its own."""
    for each in of_kind(POLICY, render(OPERATOR, *switched_on(*SWITCHES))):
        (rule,) = each["spec"]["matchConstraints"]["resourceRules"]
        assert (rule["apiGroups"], rule["resources"]) == (["microservice.dev"], ["microservices"])
        assert set(rule["operations"]) == {"CREATE", "UPDATE"}
        assert each["spec"]["failurePolicy"] == "Fail"
        (condition,) = each["spec"]["matchConditions"]
        assert condition["expression"] == "oldObject == null || object.spec != oldObject.spec"


def test_an_author_needs_the_right_to_create_every_child_kind_of_the_code(render: Render) -> None:
    validations = policy(render(OPERATOR, *switched_on("authors")))["validations"]
    expressions = [each["expression"] for each in validations]
    assert len(expressions) == len(BUILDERS)
    for builder in BUILDERS:
        kind = builder.KIND
        check = f"authorizer.group('{kind.group}').resource('{kind.plural}').namespace"
        assert len([each for each in expressions if check in each]) == 1, kind.resource


def test_a_deployment_is_asked_for_by_every_spec(render: Render) -> None:
    validations = policy(render(OPERATOR, *switched_on("authors")))["validations"]
    (always,) = (each for each in validations if "||" not in each["expression"])
    assert "resource('deployments')" in always["expression"]


def test_every_refusal_says_who_may_not_do_what_and_what_helps(render: Render) -> None:
    for each in of_kind(POLICY, render(OPERATOR, *switched_on(*SWITCHES))):
        for validation in each["spec"]["validations"]:
            assert validation["reason"] == "Forbidden"
            assert "request.namespace" in validation["messageExpression"]


def test_host_names_are_written_into_the_policy_by_namespace(render: Render) -> None:
    allowed = '{"shop":["shop.example.com"]},policies.hostnames.everywhere=["*.dev.example.com"]'
    arguments = ("--set-json", f"policies.hostnames.namespaces={allowed}")
    variables = policy(render(OPERATOR, *switched_on("hostnames"), *arguments))["variables"]
    assert variables[0] == {
        "name": "allowed",
        "expression": '{"shop":["shop.example.com"]}[?request.namespace].orValue([])'
        ' + ["*.dev.example.com"]',
    }


def test_a_policy_can_first_only_warn(render: Render) -> None:
    manifests = render(OPERATOR, *switched_on("authors"), "--set", "policies.actions={Warn,Audit}")
    (binding,) = of_kind(BINDING, manifests)
    assert binding["spec"]["validationActions"] == ["Warn", "Audit"]


def test_with_namespaces_a_policy_is_for_these_only(render: Render) -> None:
    manifests = render(OPERATOR, *switched_on(*SWITCHES), "--set", "namespaces={shop}")
    chosen = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}
    for binding in of_kind(BINDING, manifests):
        selector = binding["spec"]["matchResources"]["namespaceSelector"]
        assert selector == {"matchExpressions": [chosen]}
