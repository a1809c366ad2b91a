"""Argo CD and Flux compare Git with the cluster: the operator never makes a difference."""

from copy import deepcopy
from typing import Any

import pytest
from tests.api.fake_pods import FAKE
from tests.api.operator_process import Current, Process
from tests.api.proxy import FaultProxy
from tests.api.world import DRIFT, World, owned_part

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

DEPLOYMENT, SERVICE = KINDS["Deployment"], KINDS["Service"]
Object = dict[str, Any]
PAUSE = "microservice.dev/paused"
LABEL = {"app.kubernetes.io/instance": "shop", "kustomize.toolkit.fluxcd.io/name": "shop"}


def manifest(world: World) -> Object:
    """As it is in Git, with the marks of both tools."""
    spec = {k: v for k, v in world.spec.items() if k != "replicas"} | FAKE
    spec["ports"] = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": "web", "namespace": world.namespace, "labels": LABEL},
        "spec": spec | {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}},
    }


def apply(world: World, body: Object, **params: str) -> Object:
    """As Flux does it: server-side, by force."""
    answer = world.server.request(
        "PATCH",
        MICROSERVICE.path(world.namespace, "web"),
        json=body,
        params={"fieldManager": "kustomize-controller", "force": "true"} | params,
        content_type="application/apply-patch+yaml",
    )
    assert answer.is_success, answer.text
    result: Object = answer.json()
    return result


def flux_sees(world: World, body: Object) -> bool:
    """Whether a dry run of the manifest would change the object."""
    return _compared(apply(world, body, dryRun="All")) != _compared(world.get(MICROSERVICE))


def _compared(live: Object) -> Object:
    metadata = {k: v for k, v in live["metadata"].items() if k != "managedFields"}
    metadata.pop("resourceVersion", None)
    return {**live, "metadata": metadata, "status": None}


def argo_sees(world: World, body: Object) -> bool:
    """Whether a three-way merge of what was applied, what is in Git and what is live (RFC 7386,
    lists as a whole) would change the object; what was applied last is what is in Git."""
    live = world.get(MICROSERVICE)
    return merged(live, body) != live


def merged(live: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(live, dict):
        return patch
    return {**live, **{key: merged(live.get(key), value) for key, value in patch.items()}}


def assert_in_sync(world: World, body: Object, generation: int = 1) -> None:
    assert not argo_sees(world, body)
    assert not flux_sees(world, body)
    assert world.get(MICROSERVICE)["metadata"]["generation"] == generation


def acted_on(world: World) -> bool:
    live = world.get(MICROSERVICE)
    return bool(live["status"]["observedGeneration"] == live["metadata"]["generation"])


def test_git_and_cluster_agree_before_and_after_everything_the_operator_does(
    world: World, current: Current
) -> None:
    body = manifest(world)
    assert current.ensure().stop() == 0
    apply(world, body)
    assert_in_sync(world, body)
    operator = current.ensure()
    world.until(lambda: acted_on(world) and len(world.children()) == 6)
    assert_in_sync(world, body)
    scaled = {"spec": {"replicas": 6}}
    world.patch(DEPLOYMENT, "web", scaled, "/scale")
    world.patch(SERVICE, "web", DRIFT["Service"])
    world.marker()
    assert_in_sync(world, body)
    assert operator.stop() == 0
    current.ensure()
    world.marker()
    assert_in_sync(world, body)
    assert world.get(DEPLOYMENT)["spec"]["replicas"] == 6
    for kind in KINDS.values():
        if live := world.get(kind):
            assert not LABEL.keys() & live["metadata"]["labels"].keys(), "tools track by label"


def test_the_two_comparisons_do_see_a_change() -> None:
    live = {"spec": {"image": "a", "suspend": False}}
    assert merged(live, {"spec": {"image": "b"}}) != live
    assert merged(live, {"spec": {"image": "a"}}) == live


@pytest.mark.parametrize("way", ["apply", "replace"])
def test_a_dump_that_is_put_back_changes_nothing(
    world: World, operator: Process, proxy: FaultProxy, way: str
) -> None:
    body = manifest(world)
    apply(world, body)
    world.until(lambda: acted_on(world) and len(world.children()) == 6)
    world.marker()
    before, since = world.get(MICROSERVICE), proxy.here()
    dump = deepcopy(before)
    for assigned in ("managedFields", "resourceVersion", "uid", "creationTimestamp"):
        del dump["metadata"][assigned]
    dump["status"] = {"observedGeneration": 99}
    if way == "apply":
        apply(world, dump)
    else:
        path = MICROSERVICE.path(world.namespace, "web")
        dump["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        world.server.request("PUT", path, json=dump).raise_for_status()
    world.marker()
    after = world.get(MICROSERVICE)
    assert (after["spec"], after["metadata"]["generation"]) == (before["spec"], 1)
    assert after["status"]["observedGeneration"] == 1
    assert writes(proxy, since, world, status=False) == []
    assert_in_sync(world, body)


def test_a_paused_service_gets_no_write_and_one_pass_when_it_is_resumed(
    world: World, operator: Process, proxy: FaultProxy
) -> None:
    world.create(**FAKE)
    world.until(lambda: acted_on(world) and world.get(SERVICE))
    world.patch(MICROSERVICE, "web", {"metadata": {"annotations": {PAUSE: "true"}}})
    world.marker()
    since, ours = proxy.here(), owned_part(world.get(SERVICE))
    world.patch(SERVICE, "web", DRIFT["Service"])
    world.delete(KINDS["NetworkPolicy"])
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.marker()
    assert writes(proxy, since, world) == []
    since = proxy.here()
    world.patch(MICROSERVICE, "web", {"metadata": {"annotations": {PAUSE: None}}})
    world.until(lambda: acted_on(world))
    assert owned_part(world.get(SERVICE)) == ours
    assert sorted(writes(proxy, since, world, status=False)) == sorted(
        f"patch {KINDS[kind].resource} web" for kind in ("Deployment", "Service", "NetworkPolicy")
    )


def writes(proxy: FaultProxy, since: int, world: World, *, status: bool = True) -> list[str]:
    ours = (s for s in proxy.mutating(since) if s.target.namespace == world.namespace)
    mine = (s for s in ours if s.target.name == "web")
    return [s.what for s in mine if status or not s.target.subresource]
