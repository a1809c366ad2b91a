"""The status over all states of a Deployment, its route and its autoscaler."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.argocd import health
from tests.kstatus import kstatus
from tests.scene import BEFORE, DEPLOYMENT, NOW, SETTINGS, accepted, reasons, service, world
from tests.specs import specs

from microservice_operator.api.status import Status
from microservice_operator.desired.autoscaler import Scaling
from microservice_operator.desired.deployment import Condition, Pods
from microservice_operator.desired.route import Verdict
from microservice_operator.errors import ApiError
from microservice_operator.observed import Failed, NotOwned, Outcome, Ref
from microservice_operator.status import Urgency, status, urgency

COUNTS = st.integers(0, 3)
PROGRESS = st.one_of(
    st.none(),
    st.builds(
        Condition,
        st.sampled_from(["True", "False"]),
        st.sampled_from(
            ["NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"]
        ),
        updated=st.sampled_from([BEFORE, NOW]),
    ),
)
REFUSED = st.one_of(
    st.none(),
    st.builds(Condition, st.just("True"), message=st.sampled_from(["exceeded quota: q", "denied"])),
)
PODS = st.builds(
    Pods,
    generation=st.just(2),
    observed=st.integers(1, 2),
    wanted=COUNTS,
    replicas_ours=st.booleans(),
    total=COUNTS,
    updated=COUNTS,
    ready=COUNTS,
    available=COUNTS,
    progressing=PROGRESS,
    failure=REFUSED,
)
ERRORS = st.builds(
    ApiError,
    st.sampled_from([0, 400, 403, 409, 422, 429, 500, 503]),
    st.just(""),
    st.sampled_from(["no", "User cannot patch", "failed to create typed patch object"]),
)
OUTCOMES = st.one_of(
    st.just(Outcome()),
    st.just(Outcome(not_owned=(NotOwned(DEPLOYMENT, "somebody"),))),
    ERRORS.map(lambda error: Outcome(failures=(Failed(DEPLOYMENT, "patch", "x", error),))),
)
ROUTES = st.builds(Verdict, ok=st.booleans(), pending=st.booleans())
SCALING = st.builds(Scaling, st.sampled_from([None, True, False]), message=st.just("x"))
SINCE = st.sampled_from([None, BEFORE, NOW])
SPEC = {"autoscaling": {"maxReplicas": 3}, "routes": [{"name": "main"}]}


@st.composite
def states(draw: st.DrawFn, known: Any = None) -> tuple[Any, Any, Outcome]:
    of = service(SPEC, generation=2, known=known)
    verdict = draw(ROUTES)
    facts = {
        Ref("HTTPRoute", "orders"): accepted(ok=verdict.ok, pending=verdict.pending),
        Ref("HorizontalPodAutoscaler", "orders"): draw(SCALING),
    }
    seen = world(of, draw(PODS), facts=facts, failing_since=draw(SINCE))
    return of, seen, draw(OUTCOMES)


@given(states())
def test_a_status_is_legal_and_never_both_reconciling_and_stalled(state: Any) -> None:
    of, seen, outcome = state
    told = status(of, seen, outcome, SETTINGS).status
    Status.model_validate(told)
    assert not {"Reconciling", "Stalled"} <= set(reasons(told))
    assert told == dict(of.known_status) or reasons(told)["Ready"]


@given(states())
def test_current_means_that_every_wanted_pod_of_this_generation_serves(state: Any) -> None:
    of, seen, outcome = state
    told = status(of, seen, outcome, SETTINGS).status
    if kstatus({"metadata": {"generation": 2}, "status": told}) == "Current":
        pods: Pods = seen.children[DEPLOYMENT].facts
        assert pods.observed == pods.generation
        assert pods.available >= pods.wanted
        assert pods.total <= pods.updated
        assert outcome.complete


@given(states())
def test_argo_cd_and_flux_agree_on_whatever_is_written(state: Any) -> None:
    of, seen, outcome = state
    told = status(of, seen, outcome, SETTINGS).status
    live = {"metadata": {"generation": 2}, "status": told}
    expected = {"Current": "Healthy", "Failed": "Degraded", "InProgress": "Progressing"}
    in_effect = reasons(told).get("Ready") == "True/Ready" if told.get("conditions") else False
    assert health(live) == ("Healthy" if in_effect else expected[kstatus(live)])


@given(states())
def test_a_status_that_was_written_is_not_written_again(state: Any) -> None:
    of, seen, outcome = state
    first = status(of, seen, outcome, SETTINGS).status
    second = status(service(SPEC, generation=2, known=first), seen, outcome, SETTINGS).status
    assert urgency(first, second) is Urgency.NONE


@given(specs())
def test_any_spec_gives_a_legal_status(spec: Any) -> None:
    of = service(spec)
    told = status(of, world(of), Outcome(), SETTINGS).status
    Status.model_validate(told)
    assert len(told["resources"]) <= 32
