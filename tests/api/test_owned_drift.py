"""What others do to our children, and what the digest and the next apply make of it."""

from dataclasses import dataclass
from typing import Any

import pytest
from tests.api.server import LEFT_ALONE, ApiServer
from tests.scene import NOW, SETTINGS

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.api.service import MicroService
from microservice_operator.desired import KINDS, desired, record
from microservice_operator.observed import Manifest, Observed, Record, Ref
from microservice_operator.plan import plan

pytestmark = pytest.mark.api

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
KIND = KINDS["Deployment"]
REF = Ref("Deployment", "orders")


@dataclass
class Place:
    """One MicroService and its Deployment, without an operator: each step is taken by hand."""

    server: ApiServer
    namespace: str
    body: dict[str, Any]

    @property
    def path(self) -> str:
        return KIND.path(self.namespace, "orders")

    def live(self) -> Any:
        return self.server.request("GET", self.path).json()

    def record(self) -> Record:
        return record(KIND, self.live())

    def replicas(self) -> int:
        return int(self.live()["spec"]["replicas"])

    def edit(self, body: Any, path: str = "", content_type: str = STRATEGIC) -> None:
        params = {"fieldManager": "somebody"}
        self.server.request(
            "PATCH", path or self.path, json=body, params=params, content_type=content_type
        ).raise_for_status()

    def scale(self, count: int) -> None:
        """As an autoscaler does it."""
        self.edit({"spec": {"replicas": count}}, f"{self.path}/scale", MERGE)

    def todo(self, **spec: Any) -> list[Manifest]:
        """What a pass would apply to the Deployment if the spec were this."""
        seen = Observed(now=NOW, children={REF: self.record()})
        service = MicroService.parse(
            self.body | {"spec": {"image": "x:1", "suspend": False} | spec}
        )
        writes = plan(desired(service, seen, SETTINGS), seen).writes
        return [self._sent(write) for write in writes if write.ref == REF]

    def apply(self, **spec: Any) -> None:
        """As a pass does it: planned again if a controller wrote in between."""
        for _ in range(20):
            answers = [
                self.server.apply(self.path, manifest, names.MANAGER)
                for manifest in self.todo(**spec)
            ]
            if all(answer.status_code != 409 for answer in answers):
                break
        for answer in answers:
            assert answer.is_success, answer.text

    def _sent(self, write: Any) -> Manifest:
        metadata = write.manifest["metadata"] | {"uid": write.uid}
        if write.version is not None:
            metadata |= {"resourceVersion": str(write.version)}
        return {**write.manifest, "metadata": metadata}


@pytest.fixture
def place(api_server: ApiServer, namespace: str) -> Place:
    """No pod is wanted: these tests are about writes."""
    body = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": "orders", "annotations": LEFT_ALONE},
        "spec": {"image": "x:1", "suspend": True},
    }
    answer = api_server.request("POST", MICROSERVICE.path(namespace), json=body)
    assert answer.status_code == 201, answer.text
    made = Place(api_server, namespace, answer.json())
    service = MicroService.parse(made.body)
    (manifest,) = (m for k, m in desired(service, Observed(NOW, {}), SETTINGS) if k == KIND)
    manifest = {**manifest, "metadata": manifest["metadata"] | {"resourceVersion": "1"}}
    assert api_server.apply(made.path, manifest, names.MANAGER).status_code == 201
    return made


def container(**more: Any) -> Any:
    return {"spec": {"template": {"spec": {"containers": [{"name": "orders", **more}]}}}}


def test_fields_of_others_are_none_of_our_business(place: Place) -> None:
    before = place.record().owned
    place.edit(container(env=[{"name": "THEIRS", "value": "x"}]))
    place.edit({"metadata": {"labels": {"theirs": "x"}, "annotations": {"theirs": "x"}}})
    assert place.record().owned == before
    assert place.todo(suspend=True) == []


@pytest.mark.parametrize(
    "change",
    [
        container(image="other:1"),
        container(readinessProbe=None),
        {"metadata": {"labels": {names.NAME: None}}},
        {"spec": {"progressDeadlineSeconds": 7}},
        {"spec": {"replicas": 1}},
    ],
    ids=["image", "probe removed", "label removed", "number", "replicas"],
)
def test_an_edit_of_our_fields_is_seen_and_undone_by_one_apply(place: Place, change: Any) -> None:
    before = place.record().owned
    place.edit(change)
    assert place.record().owned != before
    place.apply(suspend=True)
    assert place.record().owned == before
    assert place.todo(suspend=True) == []


def test_the_order_of_a_list_is_applied_too(place: Place) -> None:
    def env(order: str) -> Any:
        return [{"name": name, "value": "x"} for name in order]

    place.apply(suspend=True, env=env("ABC"))
    assert place.todo(suspend=True, env=env("ABC")) == []
    place.apply(suspend=True, env=env("CAB"))
    assert place.todo(suspend=True, env=env("CAB")) == []
    containers = place.live()["spec"]["template"]["spec"]["containers"]
    assert [entry["name"] for entry in containers[0]["env"]] == list("CAB")


def test_what_the_spec_no_longer_says_is_removed_and_what_others_said_stays(place: Place) -> None:
    place.apply(suspend=True, env=[{"name": "OURS", "value": "1"}], nodeSelector={"a": "b"})
    place.edit(container(env=[{"name": "THEIRS", "value": "2"}]))
    place.apply(suspend=True)
    spec = place.live()["spec"]["template"]["spec"]
    assert [entry["name"] for entry in spec["containers"][0]["env"]] == ["THEIRS"]
    assert "nodeSelector" not in spec


def test_a_switch_of_the_strategy_leaves_nothing_behind(place: Place) -> None:
    place.apply(suspend=True, rollout={"strategy": "Recreate"})
    assert place.live()["spec"]["strategy"] == {"type": "Recreate"}
    place.apply(suspend=True)
    assert place.live()["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": "25%",
        "maxUnavailable": 0,
    }


AUTOSCALED = {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}


def test_the_count_goes_from_us_to_the_autoscaler_and_back_without_a_dip(place: Place) -> None:
    place.server.request(
        "POST",
        f"/api/v1/namespaces/{place.namespace}/resourcequotas",
        json={"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}},
    ).raise_for_status()
    place.apply(replicas=5)
    assert place.replicas() == 5
    place.apply(**AUTOSCALED)
    assert place.replicas() == 5, "the live value stays, and stays ours until somebody writes it"
    assert place.record().facts.replicas_ours  # type: ignore[attr-defined]
    place.scale(7)
    assert not place.record().facts.replicas_ours  # type: ignore[attr-defined]
    assert place.todo(**AUTOSCALED) == []
    place.apply(**AUTOSCALED, env=[{"name": "A", "value": "b"}])
    assert place.replicas() == 7, "leaving the field out does not reset it"
    place.apply(replicas=3)
    assert place.replicas() == 3


def test_a_suspended_service_wakes_up_at_its_minimum(place: Place) -> None:
    assert place.replicas() == 0
    (manifest,) = place.todo(**AUTOSCALED)
    assert manifest["spec"]["replicas"] == 2
    assert manifest["metadata"]["resourceVersion"], "pinned to what was read"


def test_a_count_that_changed_since_it_was_read_is_not_overwritten(place: Place) -> None:
    (manifest,) = place.todo(**AUTOSCALED)
    place.edit({"metadata": {"labels": {"theirs": "x"}}})
    answer = place.server.apply(place.path, manifest, names.MANAGER)
    assert answer.status_code == 409


def test_an_object_that_is_gone_or_replaced_is_not_made_by_an_update(place: Place) -> None:
    (manifest,) = place.todo(suspend=True, env=[{"name": "A"}])
    place.server.request("DELETE", place.path).raise_for_status()
    assert place.server.apply(place.path, manifest, names.MANAGER).status_code == 409
    theirs = {**manifest, "metadata": {"name": "orders", "labels": manifest["metadata"]["labels"]}}
    place.server.apply(place.path, theirs, "somebody").raise_for_status()
    before = place.live()
    answer = place.server.apply(place.path, manifest, names.MANAGER)
    assert answer.status_code in (409, 422)
    assert place.live()["spec"] == before["spec"]
