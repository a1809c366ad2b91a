"""What is missing between wanted and seen."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.scene import NOW, SETTINGS, applied, service, world

from microservice_operator import owned
from microservice_operator.desired import desired
from microservice_operator.observed import Observed, Plan, Ref, Write
from microservice_operator.plan import answered, plan, without

EMPTY = Observed(now=NOW, children={}, served=frozenset({"HTTPRoute", "ServiceMonitor"}))
EVERYTHING = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    "routes": [{"name": "main"}, {"name": "admin"}],
    "observability": {"metrics": {"port": "http"}},
}


def todo(seen: Observed, spec: Mapping[str, object] | None = None, *before: Ref) -> Plan:
    return plan(desired(service(spec), seen, SETTINGS), seen, frozenset(before))


def test_nothing_there_means_everything_is_created() -> None:
    made = todo(EMPTY, EVERYTHING)
    assert [write.ref.kind for write in made.writes] == [
        "ServiceAccount",
        "Deployment",
        "Service",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "HTTPRoute",
        "HTTPRoute",
        "NetworkPolicy",
        "ServiceMonitor",
    ]
    assert {write.uid for write in made.writes} == {None}
    assert not (made.prune)
    assert not (made.keep)
    assert not (made.skipped)
    assert not (made.restores)


def test_everything_as_wanted_means_nothing_to_do() -> None:
    of = service(EVERYTHING)
    seen = world(of)
    made = plan(desired(of, seen, SETTINGS), seen)
    assert not (made.writes)
    assert not (made.prune)
    assert set(made.keep) == set(seen.children)


def test_a_drifted_child_alone_is_updated_by_its_uid() -> None:
    of = service()
    seen = world(of)
    ref = Ref("Service", "orders")
    drifted = replace(seen.children[ref], owned="something else", uid="u-7")
    seen = replace(seen, children={**seen.children, ref: drifted})
    (write,) = plan(desired(of, seen, SETTINGS), seen).writes
    assert (write.ref, write.uid, write.version) == (ref, "u-7", None)


def test_what_is_no_longer_wanted_is_pruned() -> None:
    made = todo(world(service(EVERYTHING)))
    assert [(kind.kind, record.ref.name) for kind, record in made.prune] == [
        ("HTTPRoute", "orders"),
        ("HTTPRoute", "orders.admin"),
        ("HorizontalPodAutoscaler", "orders"),
        ("ServiceMonitor", "orders"),
    ]


def test_a_kind_that_is_not_served_is_skipped() -> None:
    made = todo(replace(EMPTY, served=frozenset()), EVERYTHING)
    assert made.skipped == (
        Ref("HTTPRoute", "orders"),
        Ref("HTTPRoute", "orders.admin"),
        Ref("ServiceMonitor", "orders"),
    )
    assert {"HTTPRoute", "ServiceMonitor"}.isdisjoint(write.ref.kind for write in made.writes)


@pytest.mark.parametrize(("missing", "written"), [("create, patch", False), ("delete", True)])
def test_a_forbidden_kind_does_not_hold_up_the_others(missing: str, written: bool) -> None:
    made = todo(replace(EMPTY, forbidden={"NetworkPolicy": missing}))
    assert ("NetworkPolicy" in {write.ref.kind for write in made.writes}) is written
    assert "Deployment" in {write.ref.kind for write in made.writes}


def test_a_child_on_its_way_out_is_left_alone() -> None:
    of = service()
    seen = world(of)
    leaving = {
        ref: replace(record, deleting=True, owned="x") for ref, record in seen.children.items()
    }
    made = plan(desired(of, seen, SETTINGS), replace(seen, children=leaving))
    assert not (made.writes)
    assert not (made.prune)


def test_only_a_child_that_was_there_before_is_restored() -> None:
    gone = Ref("Service", "orders")
    assert not todo(EMPTY).restores
    assert not todo(EMPTY, None, Ref("HTTPRoute", "orders")).restores
    assert todo(EMPTY, None, gone).restores


def test_what_has_to_wait_keeps_the_rest_but_nothing_is_pruned_meanwhile() -> None:
    held, gone = Ref("Deployment", "orders"), Ref("Service", "orders")
    stale = todo(EMPTY, EVERYTHING, held, gone)
    old = replace(stale, prune=tuple((w.kind, applied(w.kind, w.manifest)) for w in stale.writes))
    rest = without(old, {held})
    assert {w.ref for w in old.writes} - {w.ref for w in rest.writes} == {held}
    assert rest.restores
    assert rest.prune == ()
    assert without(old, set()) == old
    assert not without(old, {write.ref for write in old.writes}).restores


def test_an_unfixed_count_is_pinned_to_the_version_it_was_read_from() -> None:
    before = service({"replicas": 5})
    seen = world(before)
    ref = Ref("Deployment", "orders")
    facts = replace(seen.children[ref].facts, wanted=5)  # type: ignore[type-var]
    seen = replace(seen, children={ref: replace(seen.children[ref], facts=facts, version=41)})
    made = todo(seen, {"autoscaling": {"maxReplicas": 9}, "env": [{"name": "A"}]})
    (write,) = [write for write in made.writes if write.ref == ref]
    assert (write.manifest["spec"]["replicas"], write.version) == (5, 41)
    assert "resourceVersion" not in write.manifest["metadata"]


def test_a_webhook_that_rewrites_our_fields_makes_us_apply_once() -> None:
    of = service()
    seen = world(of)
    kind, manifest = desired(of, seen, SETTINGS)[0]
    rewritten = replace(applied(kind, manifest), owned="rewritten")
    learned = answered(Write(kind, manifest, uid=rewritten.uid), rewritten)
    assert learned.asked == owned.wanted(manifest)

    def writes(record: object) -> list[Ref]:
        children = {**seen.children, rewritten.ref: record}
        again = replace(seen, children=children)  # type: ignore[arg-type]
        return [write.ref for write in plan(desired(of, seen, SETTINGS), again).writes]

    assert writes(rewritten) == [rewritten.ref]
    assert writes(learned) == []
    assert writes(replace(learned, owned="drifted")) == [rewritten.ref]
