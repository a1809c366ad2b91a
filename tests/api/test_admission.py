"""Webhooks and policies of others that stand between the operator and a Deployment."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.api.operator_process import Process, eventually
from tests.api.proxy import FaultProxy
from tests.api.stage import Stage
from tests.api.world import EVERY_KIND, World

from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
DEPLOYMENTS = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "resources": ["deployments"],
    "operations": ["CREATE", "UPDATE"],
}
SENTENCE = "deployments are refused here, by the tests"


@pytest.fixture
def stage(world: World, operator: Process) -> Stage:
    return Stage(world)


@contextmanager
def in_force(world: World, *bodies: tuple[str, Any]) -> Iterator[None]:
    """These objects exist, and the API server acts on them; none of them is left behind."""
    server, paths = world.server, []
    try:
        for plural, body in bodies:
            body = {**body, "metadata": {"name": f"tests-{world.namespace}"}}
            answer = server.request("POST", f"{ADMISSION}/{plural}", json=body)
            assert answer.is_success, answer.text
            paths.append(f"{ADMISSION}/{plural}/tests-{world.namespace}")
        eventually(lambda: not _accepted(world), 30)
        yield
    finally:
        for path in reversed(paths):
            server.request("DELETE", path).raise_for_status()


def only_here(world: World) -> Any:
    return {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}


def dead_webhook(world: World) -> tuple[str, Any]:
    service = {"namespace": world.namespace, "name": "nowhere", "path": "/"}
    webhook = {
        "name": "dead.tests.microservice.dev",
        "rules": [DEPLOYMENTS],
        "namespaceSelector": only_here(world),
        "clientConfig": {"service": service},
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return "validatingwebhookconfigurations", {"webhooks": [webhook]}


def refusing_policy(world: World) -> tuple[tuple[str, Any], tuple[str, Any]]:
    matched = {"resourceRules": [DEPLOYMENTS], "namespaceSelector": only_here(world)}
    policy = {
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": matched,
            "validations": [{"expression": "false", "message": SENTENCE}],
        }
    }
    binding = {"spec": {"policyName": f"tests-{world.namespace}", "validationActions": ["Deny"]}}
    return ("validatingadmissionpolicies", policy), ("validatingadmissionpolicybindings", binding)


def _accepted(world: World) -> bool:
    """Whether the server would take a Deployment."""
    labels = {"app": "trial"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    body = {"metadata": {"name": "trial"}, "spec": {"selector": {"matchLabels": labels}}}
    body["spec"]["template"] = pod  # type: ignore[assignment]
    path = KINDS["Deployment"].path(world.namespace)
    return world.server.request("POST", path, json=body, params={"dryRun": "All"}).is_success


def test_a_webhook_of_others_that_is_dead_is_told_and_tried_again(
    stage: Stage, proxy: FaultProxy
) -> None:
    world, since = stage.world, proxy.here()
    with in_force(world, dead_webhook(world)):
        world.create(**EVERY_KIND)
        stage.until(lambda: world.reason("Reconciling") == "RetryingApply", 60)
        message = world.condition("Reconciling")["message"]
        assert 'failed calling webhook "dead.tests.microservice.dev"' in message
        assert world.condition("Stalled") is None
        assert world.children() == set(KINDS) - {"Deployment"}
    stage.settle("create")
    assert world.condition("Reconciling") is None
    tries = [s for s in proxy.mutating(since, world.namespace) if s.code == 500]
    assert len(tries) <= 12, "the pauses between tries grow"


def test_a_policy_that_refuses_a_child_is_told_in_its_own_words_with_one_event(
    stage: Stage, proxy: FaultProxy
) -> None:
    world, since = stage.world, proxy.here()
    with in_force(world, *refusing_policy(world)):
        world.create(**EVERY_KIND)
        stage.until(lambda: world.reason("Stalled") == "AdmissionDenied", 60)
        assert SENTENCE in world.condition("Ready")["message"]
        assert world.children() == set(KINDS) - {"Deployment"}
        world.create("marker", suspend=True)
        stage.until(lambda: world.reason("Stalled", "marker") == "AdmissionDenied", 60)
        events = [e for e in world.events() if e["involvedObject"]["name"] == "web"]
        assert [event["reason"] for event in events] == ["AdmissionDenied"]
    eventually(lambda: _accepted(world), 30)
    stage.nudge()
    stage.settle("create")
    refused = [s for s in proxy.mutating(since, world.namespace) if s.code == 422 or s.code == 403]
    assert len([s for s in refused if s.target.name == "web"]) <= 4
