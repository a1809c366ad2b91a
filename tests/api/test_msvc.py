"""`msvc` against a real API server: what it says beforehand is what comes."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api import charted
from tests.api.invariants import Invariants
from tests.api.operator_process import Process
from tests.api.proxy import FaultProxy
from tests.api.rules import DropBefore, Rule
from tests.api.server import ApiServer
from tests.api.stage import LABELS
from tests.api.users import RBAC
from tests.api.world import EVERY_KIND, World
from tests.command import Answer, Msvc, service
from tests.rule_rows import METADATA

from microservice_operator import names, owned
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.desired import KINDS
from microservice_operator.observed import Manifest
from msvc.new import AROUND, DEPLOYMENT
from msvc.verdict import verdict

pytestmark = pytest.mark.api

POD = Kind("v1", "Pod", "pods")
CONFIG = Kind("v1", "ConfigMap", "configmaps")
# Those of the operators of these tests.
SETTINGS = {"gateway": {"name": "public", "namespace": "gateway"}}
NEVER_STARTS: dict[str, Any] = {
    "command": ["sh", "-c", "echo no database; exit 3"],
    "rollout": {"progressDeadlineSeconds": 5},
}
LEGACY: dict[str, Any] = {
    "metadata": {"name": "legacy"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "legacy"}},
        "template": {
            "metadata": {"labels": {"app": "legacy"}},
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "shop/legacy:1",
                        "ports": [{"name": "web", "containerPort": 3000}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": "web"}},
                        "env": [{"name": "A", "value": "b"}],
                    }
                ]
            },
        },
    },
}


Ask = Callable[..., Answer]


@pytest.fixture
def msvc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kubeconfig: Path, namespace: str
) -> Ask:
    """In the namespace of the test, with the settings of its operator where they matter."""
    command = Msvc(tmp_path, capsys)
    settings = command.write(SETTINGS, name="platform.yaml")

    def ask(verb: str, *arguments: Any, **more: Any) -> Answer:
        where = ["-n", namespace, "--kubeconfig", more.get("kubeconfig", kubeconfig)]
        known = ["--settings", settings] if verb in ("render", "diff") else []
        written = [command.write(a) if isinstance(a, dict) else a for a in arguments]
        return command(verb, *written, *where, *known, *more.get("options", ()))

    return ask


def given(world: World, name: str = "web", **spec: Any) -> Manifest:
    wanted = {key: value for key, value in (world.spec | spec).items() if value is not None}
    return service() | {"metadata": {"name": name}, "spec": wanted}


def changes(answer: Answer) -> dict[str, str]:
    (told,) = answer.value
    return {child["kind"]: child["change"] for child in told["children"]}


def restarts(answer: Answer) -> bool:
    (told,) = answer.value
    return bool(told["restartsPods"])


# render


@pytest.mark.parametrize(
    "spec",
    [{}, EVERY_KIND, {"ports": [], "replicas": None, "suspend": True}],
    ids=["plain", "every kind", "suspended worker"],
)
def test_what_the_operator_owns_is_what_was_rendered(
    world: World, operator: Process, msvc: Ask, spec: dict[str, Any]
) -> None:
    body = given(world, **spec)
    rendered = msvc("render", body, "-o", "json").value["children"]
    made = world.post(MICROSERVICE, body)
    world.until(lambda: world.condition("Ready"))
    assert {child["kind"] for child in rendered} == world.children()
    for child in rendered:
        live = world.get(KINDS[child["kind"]], child["metadata"]["name"])
        assert _owned(live, body) == _told(child, made, body)


def _owned(live: Manifest, body: Manifest) -> Any:
    return _without_unfixed(owned.cut(live, names.MANAGER), body)


def _told(child: Manifest, made: Manifest, body: Manifest) -> Any:
    """A manifest as the owned part shows it, with the owner that there is now."""
    (owner,) = child["metadata"]["ownerReferences"]
    metadata = {
        "labels": child["metadata"]["labels"],
        "ownerReferences": [owner | {"uid": made["metadata"]["uid"]}],
    }
    rest = {k: v for k, v in child.items() if k not in ("apiVersion", "kind", "metadata")}
    return _without_unfixed({**rest, "metadata": metadata}, body)


def _without_unfixed(part: Any, body: Manifest) -> Any:
    """Under an autoscaler the number of pods is not ours to say."""
    if "autoscaling" in body["spec"] and "template" in part.get("spec", {}):
        part["spec"].pop("replicas", None)
    return part


# settings of the cluster, as the chart writes them


@pytest.fixture
def installed(api_server: ApiServer, elsewhere: World) -> World:
    """The chart's Deployment, without pods, and its settings."""
    values = ["--set", "replicas=1,platform.isolation=Full,platform.clusterDomain=example.test"]
    home = elsewhere.namespace
    for template, kind in (("deployment", DEPLOYMENT), ("config", CONFIG)):
        (body,) = charted.objects(template, *values, home=home)
        if kind is DEPLOYMENT:
            body["spec"]["replicas"] = 0
        answer = api_server.apply(kind.path(home, body["metadata"]["name"]), body)
        assert answer.is_success, answer.text
    return elsewhere


def test_the_settings_are_those_that_the_chart_has_written(
    installed: World, world: World, tmp_path: Path, capsys: Any, kubeconfig: Path
) -> None:
    command = Msvc(tmp_path, capsys)
    file = command.write(given(world))
    where = ["--kubeconfig", kubeconfig, "-n", world.namespace, "--operator", installed.namespace]
    value = command("render", file, *where, "-o", "json").value
    (used,) = value["settings"]
    assert used["from"] == f"ConfigMap {installed.namespace}/operator"
    assert (used["isolation"], used["clusterDomain"]) == ("Full", "example.test")
    policy = next(child for child in value["children"] if child["kind"] == "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_an_operator_of_other_namespaces_is_not_asked(
    installed: World, world: World, tmp_path: Path, capsys: Any, kubeconfig: Path
) -> None:
    live = installed.get(DEPLOYMENT, "operator")
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "NAMESPACES", "value": "elsewhere, nowhere"})
    installed.patch(DEPLOYMENT, "operator", {"spec": {"template": live["spec"]["template"]}})
    command = Msvc(tmp_path, capsys)
    where = ["--kubeconfig", kubeconfig, "-n", world.namespace, "--operator", installed.namespace]
    answer = command("render", command.write(given(world)), *where)
    assert answer.status == 3
    assert f"no operator works in {world.namespace}" in answer.err
    assert "--settings" in answer.err


# validate


@pytest.mark.parametrize(("metadata", "where"), METADATA, ids=lambda part: str(part)[:60])
def test_metadata_that_is_invalid_here_is_refused_there(
    api_server: ApiServer, namespace: str, metadata: Any, where: str
) -> None:
    body = service(**metadata)
    assert verdict(body)
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    answer = api_server.request("POST", MICROSERVICE.path(namespace), json=body, params=params)
    assert not answer.is_success


# diff


def test_a_diff_tells_what_will_be_made_and_then_nothing(
    world: World, operator: Process, msvc: Ask
) -> None:
    body = given(world, **EVERY_KIND)
    before = msvc("diff", body, "-o", "json")
    assert before.status == 1
    assert not restarts(before)
    world.post(MICROSERVICE, body)
    world.until(lambda: world.condition("Ready"))
    assert changes(before) == dict.fromkeys(world.children(), "create")
    after = msvc("diff", body, "-o", "json")
    assert (after.status, restarts(after)) == (0, False)
    assert set(changes(after).values()) == {"none"}


@pytest.mark.parametrize(
    ("spec", "changed", "pods"),
    [
        ({"env": [{"name": "A", "value": "b"}]}, {"Deployment": "update"}, True),
        ({"rollout": {"minReadySeconds": 1}}, {"Deployment": "update"}, False),
        (
            {"ports": [{"name": "http", "port": 81, "targetPort": 8080}]},
            {"Service": "update"},
            False,
        ),
        ({"access": {"isolation": "None"}}, {"NetworkPolicy": "delete"}, False),
        ({"replicas": 2}, {"Deployment": "update", "PodDisruptionBudget": "create"}, False),
        ({"ports": []}, {"Service": "delete", "Deployment": "update"}, True),
    ],
    ids=str,
)
def test_a_diff_tells_what_the_operator_then_does(
    world: World,
    operator: Process,
    msvc: Ask,
    spec: dict[str, Any],
    changed: dict[str, str],
    pods: bool,
) -> None:
    world.create()
    world.until_ready()
    before = {kind: _generation(world, kind) for kind in KINDS}
    template = world.get(KINDS["Deployment"])["spec"]["template"]
    told = msvc("diff", given(world, **spec), "-o", "json")
    assert {k: v for k, v in changes(told).items() if v != "none"} == changed
    assert restarts(told) is pods
    generation = world.change(**spec)["metadata"]["generation"]
    world.until(lambda: (world.status() or {}).get("observedGeneration") == generation)
    done = {kind: _change(before[kind], _generation(world, kind)) for kind in KINDS}
    assert {kind: change for kind, change in done.items() if change} == changed
    assert (world.get(KINDS["Deployment"])["spec"]["template"] != template) is pods


def _generation(world: World, kind: str) -> str | None:
    """Of what we own; not every kind has a generation."""
    live = world.get(KINDS[kind])
    return json.dumps(owned.cut(live, names.MANAGER), sort_keys=True) if live else None


def _change(before: str | None, after: str | None) -> str:
    if before == after:
        return ""
    return "create" if before is None else "delete" if after is None else "update"


def test_an_object_of_somebody_else_is_told_and_so_is_a_pause(world: World, msvc: Ask) -> None:
    """Labels prove nothing, the owner does."""
    metadata = {"name": "web", "labels": LABELS}
    world.post(KINDS["Service"], {"metadata": metadata, "spec": {"ports": [{"port": 80}]}})
    paused = {"metadata": {"name": "web", "annotations": {"microservice.dev/paused": "true"}}}
    world.post(MICROSERVICE, paused | {"spec": world.spec})
    answer = msvc("diff", given(world), "-o", "json")
    assert changes(answer)["Service"] == "not owned"
    assert answer.value[0]["paused"]
    assert "msvc resume" in msvc("diff", given(world)).out


def test_people_see_the_fields_that_change_and_the_line_that_matters(
    world: World, operator: Process, msvc: Ask
) -> None:
    world.create()
    world.until_ready()
    told = msvc("diff", given(world, terminationGracePeriodSeconds=7)).out.splitlines()
    assert "~ Deployment web: update" in told
    assert "    -      terminationGracePeriodSeconds: 5" in told
    assert "    +      terminationGracePeriodSeconds: 7" in told
    assert told[-1] == "restarts pods: yes, one after the other"


# tree


def test_a_tree_shows_every_child_and_every_pod(world: World, operator: Process, msvc: Ask) -> None:
    world.create(replicas=2)
    world.until_ready()
    tree = msvc("tree", "web", "-o", "json").value
    assert (tree["kind"], tree["state"], tree["health"]) == (
        "MicroService",
        "Ready, 2/2 pods",
        "well",
    )
    assert {child["kind"] for child in tree["children"]} == world.children()
    assert {child["health"] for child in tree["children"]} == {"well"}
    deployment = next(child for child in tree["children"] if child["kind"] == "Deployment")
    pods = [pod["metadata"]["name"] for pod in world.list(POD)]
    assert [pod["name"] for pod in deployment["children"]] == sorted(pods)
    assert deployment["state"] == "2 of 2 pods ready"
    drawn = msvc("tree", "web").out
    assert f"│  └─ Pod {max(pods)}  ready" in drawn


def test_of_pods_that_cannot_start_a_tree_tells_why_and_no_restart_succeeds(
    world: World, operator: Process, msvc: Ask
) -> None:
    world.create(**NEVER_STARTS)
    world.until(lambda: world.condition("Stalled"), 90)
    tree = msvc("tree", "web", "-o", "json").value
    assert tree["health"] == "ill"
    deployment = next(child for child in tree["children"] if child["kind"] == "Deployment")
    (pod,) = deployment["children"]
    assert pod["health"] == "ill"
    assert pod["state"].startswith("CrashLoopBackOff, exit 3: no database")
    answer = msvc("restart", "web", "--wait", "--timeout", "60")
    assert answer.status == 1
    assert "made no progress for too long: CrashLoopBackOff" in answer.err


def test_a_service_that_is_not_there_is_status_3(msvc: Ask) -> None:
    for verb in ("tree", "pause", "resume", "restart"):
        answer = msvc(verb, "nothing")
        assert (answer.status, answer.out) == (3, "")
        assert '"nothing" not found' in answer.err


# verbs


def test_a_restart_is_over_when_every_pod_is_new(
    world: World, operator: Process, msvc: Ask
) -> None:
    world.create(replicas=2)
    world.until_ready()
    old = {pod["metadata"]["uid"] for pod in world.list(POD)}
    answer = msvc("restart", "web", "--wait", "-o", "json")
    assert answer.status == 0, answer.err
    assert answer.value["done"]
    running = [p for p in world.list(POD) if "deletionTimestamp" not in p["metadata"]]
    assert len(running) == 2
    assert not old & {pod["metadata"]["uid"] for pod in running}
    assert "pods are new" in answer.err


def test_a_restart_that_no_operator_acts_on_ends_with_the_timeout(
    world: World, operator: Process, msvc: Ask
) -> None:
    world.create()
    world.until_ready()
    operator.stop()
    answer = msvc("restart", "web", "--wait", "--timeout", "1")
    assert answer.status == 1
    assert "the operator has not acted yet" in answer.err


def test_a_restart_goes_on_when_the_cluster_is_away_for_a_moment(
    world: World, operator: Process, msvc: Ask, tmp_path: Path, kubeconfig: Path
) -> None:
    world.create()
    world.until_ready()
    away = FaultProxy(kubeconfig, Invariants([]))
    writer = _user(world, list(KINDS.values()), tmp_path, kubeconfig, ["patch"])
    content = yaml.safe_load(writer.read_text())
    content["clusters"][0]["cluster"] = {"server": away.address("msvc")}
    writer.write_text(yaml.safe_dump(content))
    try:
        rules = away.use(Rule(DropBefore(), method="GET", path="/deployments/", nth=1))
        answer = msvc("restart", "web", "--wait", kubeconfig=writer)
    finally:
        away.close()
    assert answer.status == 0, answer.err
    assert rules.acted() == 1
    assert "cannot be reached" in answer.err


def test_a_paused_service_is_left_alone_until_it_is_resumed(
    world: World, operator: Process, msvc: Ask
) -> None:
    world.create()
    world.until_ready()
    assert msvc("pause", "web", "-o", "json").value["paused"]
    assert "resume web" in msvc("restart", "web").err
    assert msvc("restart", "web").status == 1
    world.delete(KINDS["Service"])
    world.marker()
    assert "Service" not in world.children()
    assert not msvc("resume", "web", "-o", "json").value["paused"]
    world.until(lambda: "Service" in world.children())


# new


def test_a_deployment_of_the_cluster_becomes_a_service_that_the_server_accepts(
    world: World, msvc: Ask
) -> None:
    world.post(DEPLOYMENT, LEGACY)
    ports = [{"name": "http", "port": 80, "targetPort": "web"}]
    selected = {"selector": {"app": "legacy"}, "ports": ports}
    world.post(AROUND["services"], {"metadata": {"name": "front"}, "spec": selected})
    scaled = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "legacy"}}
    scaler = {"metadata": {"name": "legacy"}, "spec": scaled | {"maxReplicas": 4}}
    world.post(AROUND["autoscalers"], scaler)
    answer = msvc("new", "shop-legacy", "--from", "deployment/legacy")
    body = yaml.safe_load(answer.out)
    assert body["spec"]["autoscaling"]["maxReplicas"] == 4
    assert body["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 3000}]
    params = {"dryRun": "All", "fieldValidation": "Strict"}
    path = MICROSERVICE.path(world.namespace)
    made = world.server.request("POST", path, json=body, params=params)
    assert made.is_success, made.text
    notes = [line for line in answer.out.splitlines() if line.startswith("# - ")]
    assert [note for note in notes if "has no place" in note] == []


# rights


def test_what_one_may_not_see_is_told_and_the_rest_is_shown(
    world: World, operator: Process, msvc: Ask, tmp_path: Path, kubeconfig: Path
) -> None:
    world.create()
    world.until_ready()
    hidden = {"NetworkPolicy", "HTTPRoute"}
    visible = [kind for kind in KINDS.values() if kind.kind not in hidden]
    reader = _user(world, visible, tmp_path, kubeconfig)
    tree = world.until(lambda: msvc("tree", "web", "-o", "json", kubeconfig=reader)).value
    states = {child["kind"]: child["state"] for child in tree["children"]}
    assert "you may not list networkpolicies" in states["NetworkPolicy"]
    assert states["Service"] == "there"
    told = msvc("diff", given(world), "-o", "json", kubeconfig=reader)
    assert changes(told)["NetworkPolicy"] == "unknown"
    refused = msvc("pause", "web", kubeconfig=reader)
    assert refused.status == 3
    assert "you may not patch" in refused.err


def _user(
    world: World, kinds: list[Kind], folder: Path, kubeconfig: Path, more: Iterable[str] = ()
) -> Path:
    """The kubeconfig of somebody who may read these kinds and MicroServices, and of the latter do
    `more`, and nothing else."""
    world.post(Kind("v1", "ServiceAccount", "serviceaccounts"), {"metadata": {"name": "reader"}})
    rules = [
        {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ["get", "list"]}
        for kind in kinds
    ]
    services = {"apiGroups": [MICROSERVICE.group], "resources": [MICROSERVICE.plural]}
    rules.append(services | {"verbs": ["get", "list", *more]})
    world.post(Kind(RBAC, "Role", "roles"), {"metadata": {"name": "reader"}, "rules": rules})
    refer = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": world.namespace}
    binding = {"metadata": {"name": "reader"}, "roleRef": refer, "subjects": [subject]}
    world.post(Kind(RBAC, "RoleBinding", "rolebindings"), binding)
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/reader/token"
    token = world.server.request("POST", path, json={"spec": {}}).json()["status"]["token"]
    content = yaml.safe_load(kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    file = folder / "reader.kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file
