"""`msvc new` writes what `msvc validate` accepts, and keeps what a Deployment has."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.command import Msvc

from microservice_operator.api.service import MicroService
from msvc.facts import Facts
from msvc.render import NO_UID, children
from msvc.verdict import verdict

LEGACY = Path(__file__).with_name("legacy.yaml")
OBJECTS = list(yaml.safe_load_all(LEGACY.read_text()))


@pytest.fixture
def msvc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Msvc:
    return Msvc(tmp_path, capsys)


def keep(msvc: Msvc, *objects: Any, name: str = "shop-legacy") -> tuple[Any, str]:
    """The spec that keeps them, and all notes."""
    answer = msvc("new", name, "--from", msvc.write(*objects, name="objects.yaml"))
    assert answer.status == 0, answer.err
    notes = "\n".join(re.findall(r"^# - (.*)$", answer.out, re.MULTILINE))
    return yaml.safe_load(answer.out)["spec"], notes


def bare(**pod: Any) -> dict[str, Any]:
    """A Deployment that says nothing that it need not say."""
    container = {"name": "web", "image": "web:1"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **pod}}
    return {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": template}}


def test_a_new_one_is_valid_as_it_is(msvc: Msvc) -> None:
    answer = msvc("new", "orders", "-n", "shop", "--image", "shop/orders:1")
    body = yaml.safe_load(answer.out)
    assert (body["metadata"], verdict(body)) == ({"name": "orders", "namespace": "shop"}, [])
    assert body["spec"]["image"] == "shop/orders:1"


def test_every_line_that_is_commented_out_is_valid_too(msvc: Msvc) -> None:
    """But for autoscaling, which comes instead of replicas."""
    text = msvc("new", "orders").out
    every = re.sub(r"^  # ( *[-a-z])", r"  \1", text, flags=re.MULTILINE)
    body = yaml.safe_load(every)
    assert len(body["spec"]) >= 10
    assert [found.message for found in verdict(body)] == [
        "replicas and autoscaling exclude each other; remove one of them"
    ]
    del body["spec"]["replicas"]
    assert verdict(body) == []


def test_programs_get_the_object_alone(msvc: Msvc) -> None:
    value = msvc("new", "orders", "-o", "json").value
    assert verdict(value["service"]) == []
    assert value["notes"] == []


def test_what_a_deployment_has_is_kept(msvc: Msvc) -> None:
    spec, _ = keep(msvc, *OBJECTS)
    assert spec == {
        "image": "registry.example.com/shop/legacy:1.4",
        "command": ["legacy"],
        "env": [
            {"name": "A", "value": "second"},
            {"name": "DB", "valueFrom": {"secretKeyRef": {"name": "legacy-db", "key": "url"}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "200m"}},
        "probes": {
            "readiness": {"httpGet": {"path": "/ready", "port": 3000}, "periodSeconds": 5},
            "liveness": {"tcpSocket": {"port": 9100}},
        },
        "terminationMessagePolicy": "File",
        "initContainers": [
            {
                "name": "log-shipper",
                "image": "registry.example.com/shipper:2",
                "volumeMounts": [{"name": "logs", "mountPath": "/logs"}],
                "resources": {},
                "restartPolicy": "Always",
            }
        ],
        "volumes": [
            {"name": "logs", "emptyDir": {}},
            {"name": "keys", "secret": {"secretName": "legacy-keys"}},
        ],
        "topologySpreadConstraints": [
            {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "serviceAccountName": "legacy",
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {"readOnlyRootFilesystem": False, "fsGroup": 2000, "runAsUser": 1000},
        "rollout": {"progressDeadlineSeconds": 600, "rollingUpdate": {"maxSurge": 1}},
        "ports": [
            {"name": "http", "port": 80, "targetPort": 3000},
            {"name": "metrics", "port": 9100},
        ],
        "autoscaling": {
            "minReplicas": 2,
            "maxReplicas": 8,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 60},
                    },
                },
                {
                    "type": "ContainerResource",
                    "containerResource": {
                        "name": "memory",
                        "container": "shop-legacy",
                        "target": {"type": "AverageValue", "averageValue": "300Mi"},
                    },
                },
            ],
        },
        "access": {
            "isolation": "Ingress",
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {"app": "front"}}}],
                    "ports": [{"port": 3000}],
                }
            ],
        },
        "routes": [
            {
                "name": "main",
                "hostnames": ["legacy.example.com"],
                "parentRefs": [{"name": "public", "namespace": "infra"}],
                "port": "http",
                "matches": [
                    {
                        "path": {"value": "/api"},
                        "headers": [{"name": "x-a", "value": "b"}],
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    "lost",
    [
        "container: workingDir",
        "pod: hostNetwork",
        "nvidia.com/gpu",
        "securityContext.capabilities is not kept",
        "volume host and its mounts are left out",
        "env names a variable twice",
        "pod annotations are not kept: sidecar.example.com/inject",
        "not app=legacy, tier=backend",
        "container log-shipper becomes a sidecar",
        "the main container legacy is called shop-legacy",
        "metric of type Pods is not kept",
        "callers of Service legacy-web have to call shop-legacy",
        "Service legacy-web is of type NodePort",
        "Ingress old-door is not kept",
        ".spec.routes[1].matches[0].path.type: must be Exact or PathPrefix",
    ],
)
def test_what_cannot_be_kept_is_told(msvc: Msvc, lost: str) -> None:
    _, notes = keep(msvc, *OBJECTS)
    assert lost in notes


def test_nothing_is_told_that_is_kept(msvc: Msvc) -> None:
    _, notes = keep(msvc, *OBJECTS)
    assert len(notes.splitlines()) == 17, notes
    for kept in ("terminationMessagePath", "dnsPolicy", "schedulerName", "other", "defaultMode"):
        assert kept not in notes


def test_what_is_kept_is_valid(msvc: Msvc) -> None:
    value = msvc("new", "shop-legacy", "--from", LEGACY, "-o", "json").value
    assert verdict(value["service"]) == []


def test_a_bare_deployment_becomes_one_that_behaves_the_same(msvc: Msvc) -> None:
    """Where the operator's own default would differ, the old behaviour is written out."""
    spec, _ = keep(msvc, bare(), name="web-2")
    assert spec == {
        "image": "web:1",
        "resources": {},
        "terminationMessagePolicy": "File",
        "serviceAccountName": "default",
        "automountServiceAccountToken": True,
        "securityContext": {"readOnlyRootFilesystem": False},
        "rollout": {"progressDeadlineSeconds": 600, "rollingUpdate": {"maxUnavailable": "25%"}},
        "ports": [],
        "replicas": 1,
        "access": {"isolation": "None"},
    }


def test_what_may_be_left_out_later_has_a_comment(msvc: Msvc) -> None:
    text = msvc("new", "web-2", "--from", msvc.write(bare())).out
    commented = re.findall(r"^  (\w+):.* # ", text, re.MULTILINE)
    assert set(commented) == {
        *("resources", "serviceAccountName", "automountServiceAccountToken"),
        *("securityContext", "ports", "access"),
    }


def test_its_pods_run_what_the_old_ones_ran(msvc: Msvc) -> None:
    body = msvc("new", "shop-legacy", "--from", LEGACY, "-o", "json").value["service"]
    body["metadata"] |= {"namespace": "shop", "uid": NO_UID, "resourceVersion": "0"}
    platform = Facts(platform=_defaults(), source="", version="")
    made = {child["kind"]: child for child in children(MicroService.parse(body), platform)}
    new = made["Deployment"]["spec"]["template"]["spec"]
    old = deepcopy(OBJECTS[0]["spec"]["template"]["spec"])
    main, before = new["containers"][0], old["containers"][1]
    assert main["resources"]["requests"] == before["resources"]["requests"]
    assert (main["image"], main["command"]) == (before["image"], before["command"])
    assert main["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 3000}
    assert new["terminationGracePeriodSeconds"] == old["terminationGracePeriodSeconds"]
    assert made["Service"]["spec"]["ports"][0]["targetPort"] == 3000


def _defaults() -> Any:
    from microservice_operator.api.platform import Platform

    return Platform()


def test_the_deployment_in_its_way_is_named(msvc: Msvc) -> None:
    _, notes = keep(msvc, *OBJECTS, name="legacy")
    assert "the operator never takes over Deployment legacy" in notes


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_holds_one_deployment(msvc: Msvc, count: int) -> None:
    answer = msvc("new", "web", "--from", msvc.write(*[bare()] * count, {"kind": "Other"}))
    assert (answer.status, f"holds {count} Deployments" in answer.err) == (2, True)


def test_a_root_user_is_told_not_kept(msvc: Msvc) -> None:
    spec, notes = keep(msvc, bare(securityContext={"runAsUser": 0}))
    assert "runAsUser" not in spec["securityContext"]
    assert ".spec.securityContext.runAsUser: must be at least 1" in notes


def test_an_image_that_may_run_as_root_is_told(msvc: Msvc) -> None:
    assert "set securityContext.runAsUser" in keep(msvc, bare())[1]
    secured = bare(securityContext={"runAsNonRoot": True})
    assert "set securityContext.runAsUser" not in keep(msvc, secured)[1]


def test_what_breaks_a_rule_between_fields_is_left_to_its_author(msvc: Msvc) -> None:
    """A route may not lead to a port that no Service has."""
    objects = [body for body in OBJECTS if body["kind"] in ("Deployment", "Service")]
    gone = deepcopy(objects)
    gone[0]["spec"]["template"]["spec"]["containers"][1]["lifecycle"] = {
        "preStop": {"sleep": {"seconds": 90}}
    }
    spec, notes = keep(msvc, *gone)
    assert spec["lifecycle"]["preStop"]["sleep"]["seconds"] == 90
    assert "preStop sleeps longer than terminationGracePeriodSeconds" in notes
