"""The real operator on a real API server: what happens to the objects, and what does not."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.operator_process import Operators, Process, eventually, operators
from tests.api.server import ApiServer

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

SERVE = "httpd -p 8080 -h /etc; trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"
MERGE = "application/merge-patch+json"
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
EVERY_KIND: dict[str, Any] = {
    "replicas": None,
    "autoscaling": {"minReplicas": 2, "maxReplicas": 3},
    "routes": [{"name": "main", "matches": [{"path": {"value": "/web"}}]}],
    "observability": {"metrics": {"port": "http"}},
}


class World:
    """One namespace as its users see it."""

    def __init__(self, server: ApiServer, namespace: str, image: str) -> None:
        self.server = server
        self.namespace = namespace
        self.spec = {
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", SERVE],
            "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            "replicas": 1,
            "securityContext": {"runAsUser": 10001, "runAsGroup": 10001},
            "terminationGracePeriodSeconds": 5,
        }

    def create(self, name: str = "web", **spec: Any) -> Any:
        wanted = {k: v for k, v in (self.spec | spec).items() if v is not None}
        body = {
            "apiVersion": MICROSERVICE.api_version,
            "kind": MICROSERVICE.kind,
            "metadata": {"name": name},
            "spec": wanted,
        }
        answer = self.server.request("POST", MICROSERVICE.path(self.namespace), json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def change(self, name: str = "web", **spec: Any) -> Any:
        return self.patch(MICROSERVICE, name, {"spec": spec})

    def patch(self, kind: Kind, name: str, body: Any) -> Any:
        path = kind.path(self.namespace, name)
        answer = self.server.request("PATCH", path, json=body, content_type=MERGE)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, kind: Kind, name: str = "web") -> Any:
        answer = self.server.request("GET", kind.path(self.namespace, name))
        return answer.json() if answer.is_success else None

    def delete(self, kind: Kind, name: str = "web") -> None:
        self.server.request("DELETE", kind.path(self.namespace, name)).raise_for_status()

    def children(self, name: str = "web") -> set[str]:
        return {kind.kind for kind in KINDS.values() if self.get(kind, name)}

    def condition(self, type_: str, name: str = "web") -> Any:
        """Of the current generation only."""
        live = self.get(MICROSERVICE, name) or {}
        for found in live.get("status", {}).get("conditions", ()):
            if (
                found["type"] == type_
                and found["observedGeneration"] == live["metadata"]["generation"]
            ):
                return found
        return None

    def ready(self, name: str = "web") -> bool:
        found = self.condition("Ready", name)
        return bool(found and found["status"] == "True")

    def status(self, name: str = "web") -> Any:
        return (self.get(MICROSERVICE, name) or {}).get("status")

    def until_ready(self, name: str = "web") -> None:
        eventually(lambda: self.ready(name), 60, lambda: self.status(name))

    def until(self, holds: Callable[[], Any], seconds: float = 30) -> Any:
        return eventually(holds, seconds, self.status)

    def marker(self) -> None:
        """A service made now has been seen: so has everything before it."""
        name = f"marker-{len(self.names())}"
        self.create(name, replicas=0)
        self.until(lambda: self.condition("Ready", name))

    def names(self) -> list[str]:
        answer = self.server.request("GET", MICROSERVICE.path(self.namespace)).json()
        return [item["metadata"]["name"] for item in answer["items"]]


@pytest.fixture(scope="module")
def home(api_server: ApiServer) -> Iterator[str]:
    """The operators' own namespace."""
    answer = api_server.request(
        "POST", "/api/v1/namespaces", json={"metadata": {"generateName": "operator-"}}
    )
    name = answer.raise_for_status().json()["metadata"]["name"]
    yield name
    api_server.request("DELETE", f"/api/v1/namespaces/{name}").raise_for_status()


@pytest.fixture(scope="module")
def started(
    api_server: ApiServer, kubeconfig: Path, home: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operators]:
    yield from operators(api_server, kubeconfig, home, tmp_path_factory.mktemp("operators"))


class Current:
    """The operator that runs now; a test that ended it leaves a new one to the next test."""

    def __init__(self, operators: Operators) -> None:
        self.operators = operators
        self.process: Process | None = None

    def ensure(self) -> Process:
        if self.process is None or not self.process.running():
            self.process = self.operators.start()
        return self.process


@pytest.fixture(scope="module")
def current(started: Operators) -> Current:
    return Current(started)


@pytest.fixture
def operator(current: Current) -> Process:
    return current.ensure()


@pytest.fixture(scope="session")
def image(api_server: ApiServer) -> str:
    """The busybox with which every kind node prepares volumes."""
    nodes = api_server.request("GET", "/api/v1/nodes").json()["items"]
    names = [n for node in nodes for image in node["status"]["images"] for n in image["names"]]
    return str(next(n for n in names if "local-path-helper" in n and "@" not in n))


@pytest.fixture
def world(api_server: ApiServer, namespace: str, image: str) -> World:
    return World(api_server, namespace, image)


def test_a_service_becomes_ready_with_all_that_belongs_to_it(
    world: World, operator: Process
) -> None:
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    world.create("plain")
    world.until_ready("plain")
    assert world.children("plain") == {"ServiceAccount", "Deployment", "Service", "NetworkPolicy"}


def test_a_new_image_rolls_out(world: World, operator: Process, image: str) -> None:
    world.create()
    world.until_ready()
    before = world.get(KINDS["Deployment"])["metadata"]["generation"]
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.until_ready()
    live = world.get(KINDS["Deployment"])
    assert live["metadata"]["generation"] == before + 1
    assert live["status"]["observedGeneration"] == before + 1


def test_features_that_are_removed_take_their_objects_along(
    world: World, operator: Process
) -> None:
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    world.change(autoscaling=None, routes=None, observability=None, replicas=1)
    world.until_ready()
    assert world.children() == {"ServiceAccount", "Deployment", "Service", "NetworkPolicy"}


DRIFT: dict[str, Any] = {
    "ServiceAccount": {"automountServiceAccountToken": True},
    "Deployment": {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 77}}}},
    "Service": {"spec": {"selector": {"microservice.dev/name": "mine"}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 9}},
    "PodDisruptionBudget": {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
    "HTTPRoute": {"spec": {"rules": [{"matches": [{"path": {"value": "/other"}}]}]}},
    "NetworkPolicy": {"spec": {"policyTypes": ["Ingress", "Egress"]}},
    "ServiceMonitor": {"spec": {"endpoints": [{"port": "other"}]}},
}


def owned_part(live: Any) -> str:
    return str(owned.digest(live, names.MANAGER))


@pytest.fixture(scope="module")
def drifting(api_server: ApiServer, current: Current, image: str) -> Iterator[World]:
    """One service with every kind of child, for a test of each kind."""
    answer = api_server.request(
        "POST", "/api/v1/namespaces", json={"metadata": {"generateName": "test-drift-"}}
    )
    world = World(api_server, answer.raise_for_status().json()["metadata"]["name"], image)
    current.ensure()
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    yield world
    api_server.request("DELETE", f"/api/v1/namespaces/{world.namespace}").raise_for_status()


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_changed_by_hand_is_reverted_with_one_write(
    drifting: World, operator: Process, name: str
) -> None:
    kind = KINDS[name]
    before, written = owned_part(drifting.get(kind)), operator.changes(drifting.namespace)
    changed = drifting.patch(kind, "web", DRIFT[name])
    assert owned_part(changed) != before
    drifting.until(lambda: owned_part(drifting.get(kind)) == before, 5)
    drifting.marker()
    again = operator.changes(drifting.namespace)[len(written) :]
    assert [line for line in again if line.startswith("web:")] == [f"web: updated {name} web"]


@pytest.mark.parametrize("name", list(KINDS))
def test_what_is_deleted_by_hand_comes_back(drifting: World, operator: Process, name: str) -> None:
    kind = KINDS[name]
    uid = drifting.get(kind)["metadata"]["uid"]
    drifting.delete(kind)
    drifting.until(lambda: (live := drifting.get(kind)) and live["metadata"]["uid"] != uid, 5)


def test_objects_of_somebody_else_stay_byte_identical(world: World, operator: Process) -> None:
    world.create("model", **EVERY_KIND)
    world.until(lambda: world.children("model") == set(KINDS))
    for kind in KINDS.values():
        post_copy(world, kind, world.get(kind, "model"))
    before = {kind: world.until(lambda: settled(world, kind)) for kind in KINDS.values()}  # noqa: B023
    world.create(**EVERY_KIND)
    assert world.until(lambda: world.condition("Stalled"))["reason"] == "NotOwned"
    resources = world.get(MICROSERVICE)["status"]["resources"]
    assert {r["kind"] for r in resources if r["state"] == "NotOwned"} == set(KINDS)
    world.change(suspend=True, routes=None)
    world.until(lambda: world.condition("Stalled"))
    world.delete(MICROSERVICE)
    world.marker()
    for kind, live in before.items():
        assert without_status(world.get(kind)) == without_status(live)


def post_copy(world: World, kind: Kind, model: Any) -> None:
    """The same object by another name and of nobody, though it carries our labels."""
    body = {key: model[key] for key in ("apiVersion", "kind", "spec") if key in model}
    body["metadata"] = {"name": "web", "labels": model["metadata"]["labels"]}
    for assigned in ("clusterIP", "clusterIPs"):
        body.get("spec", {}).pop(assigned, None)
    if kind.kind == "Deployment":
        body["spec"]["replicas"] = 0
    answer = world.server.request("POST", kind.path(world.namespace), json=body)
    assert answer.is_success, answer.text


def settled(world: World, kind: Kind) -> Any:
    """Once its own controller has said what it has to say."""
    live = world.get(kind)
    observes = kind.kind in ("Deployment", "PodDisruptionBudget")
    seen = live.get("status", {}).get("observedGeneration")
    return live if not observes or seen == live["metadata"]["generation"] else None


def without_status(live: Any) -> str:
    """What Kubernetes' controllers write about it is not ours."""
    metadata = {k: v for k, v in live["metadata"].items() if k != "resourceVersion"}
    fields = [f for f in metadata.pop("managedFields") if f.get("subresource") != "status"]
    rest = {k: v for k, v in live.items() if k not in ("status", "metadata")}
    return json.dumps([metadata, fields, rest], sort_keys=True)


def said(live: Any) -> dict[str, Any]:
    """Spec and status; but the autoscaler's first news may come at any moment, as late as here."""
    status = dict(live["status"])
    status["conditions"] = [c for c in status["conditions"] if c["type"] != "AutoscalerReady"]
    return {"generation": live["metadata"]["generation"], "spec": live["spec"], "status": status}


def test_a_restart_writes_nothing(world: World, current: Current) -> None:
    operator = current.ensure()
    world.create()
    world.create("every", **EVERY_KIND)
    world.until_ready()
    world.until(lambda: world.children("every") == set(KINDS))
    world.until(lambda: world.get(MICROSERVICE, "every")["status"].get("pods") == "2/2", 60)
    assert operator.stop() == 0
    before = {name: said(world.get(MICROSERVICE, name)) for name in world.names()}
    written = len(operator.changes(world.namespace))
    operator = current.ensure()
    world.marker()
    again = operator.changes(world.namespace)[written:]
    assert [line for line in again if not line.startswith("marker-")] == []
    assert {name: said(world.get(MICROSERVICE, name)) for name in before} == before


def test_a_service_deleted_while_no_operator_runs_leaves_nothing_behind(
    world: World, current: Current
) -> None:
    operator = current.ensure()
    world.create(**EVERY_KIND)
    world.until(lambda: world.children() == set(KINDS))
    operator.stop()
    world.delete(MICROSERVICE)
    world.until(lambda: world.children() == set(), 60)
    current.ensure()
    world.marker()
    assert world.children() == set()


def test_a_change_while_no_operator_runs_is_made_up_for(world: World, current: Current) -> None:
    operator = current.ensure()
    world.create()
    world.until_ready()
    operator.stop()
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.delete(KINDS["Service"])
    before = owned_part(world.get(KINDS["NetworkPolicy"]))
    world.patch(KINDS["NetworkPolicy"], "web", DRIFT["NetworkPolicy"])
    current.ensure()
    world.until_ready()
    assert "Service" in world.children()
    assert owned_part(world.get(KINDS["NetworkPolicy"])) == before
    containers = world.get(KINDS["Deployment"])["spec"]["template"]["spec"]["containers"]
    assert {"name": "RELEASE", "value": "2"} in containers[0]["env"]


def test_the_standby_takes_over_when_the_leader_is_killed_or_stopped(
    world: World, current: Current, home: str
) -> None:
    def holder() -> Any:
        path = LEASE.path(home, "microservice-operator")
        lease = world.server.request("GET", path).json()
        return lease.get("spec", {}).get("holderIdentity")

    leader = current.ensure()
    world.until(holder)
    standby = current.operators.start("standby")
    world.create()
    world.until_ready()
    assert standby.writes() == {}
    leader.kill()
    eventually(lambda: holder() == "standby", 17)
    world.create("after-the-kill", replicas=0)
    world.until(lambda: world.ready("after-the-kill"))
    current.ensure()
    assert standby.stop() == 0
    eventually(lambda: holder() == "operator", 2)
    world.change(env=[{"name": "RELEASE", "value": "2"}])
    world.until_ready()


def test_an_image_that_cannot_be_pulled_is_named_and_the_old_pod_serves_on(
    world: World, operator: Process, image: str
) -> None:
    world.create()
    world.until_ready()
    world.change(image="registry.invalid/web:404")
    failed = world.until(
        lambda: (c := world.condition("Ready")) and c["reason"] == "ImagePullFailed" and c, 60
    )
    assert "registry.invalid/web:404" in failed["message"]
    assert world.condition("Available")["status"] == "True"
    world.change(image=image)
    world.until_ready()


def test_a_crash_loop_is_told_with_exit_code_and_last_words(
    world: World, operator: Process
) -> None:
    words = "echo 'KeyError: DB_HOST' > /dev/termination-log; exit 3"
    world.create(command=["sh", "-c", words])
    failed = world.until(
        lambda: (c := world.condition("Ready")) and c["reason"] == "CrashLoopBackOff" and c, 90
    )
    assert "KeyError: DB_HOST" in failed["message"]
    failure = world.get(MICROSERVICE)["status"]["lastFailure"]
    assert (failure["exitCode"], failure["container"]) == (3, "web")
    world.change(command=["sh", "-c", SERVE])
    world.until_ready()


def test_nothing_but_the_status_of_a_microservice_is_ever_written(
    world: World, operator: Process
) -> None:
    created = world.create()
    world.until_ready()
    live = world.get(MICROSERVICE)
    assert live["spec"] == created["spec"]
    assert "finalizers" not in live["metadata"]
    assert "annotations" not in live["metadata"]
    ours = [f for f in live["metadata"]["managedFields"] if f["manager"] == "microservice-operator"]
    assert {f.get("subresource") for f in ours} == {"status"}


def test_no_value_of_an_environment_variable_is_ever_told(world: World, current: Current) -> None:
    secret = "canary-5f2b9c"
    current.ensure()
    world.create(env=[{"name": "PASSWORD", "value": secret}])
    world.until_ready()
    world.change(command=["sh", "-c", "exit 1"])
    world.until(lambda: (c := world.condition("Ready")) and c["reason"] == "CrashLoopBackOff", 90)
    assert secret not in current.operators.log()
    assert secret not in json.dumps(world.get(MICROSERVICE)["status"])
    events = world.server.request("GET", f"/api/v1/namespaces/{world.namespace}/events").text
    assert secret not in events
