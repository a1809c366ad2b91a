"""Any spec, then any other: what is left is what the second one wants."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from tests.scene import ALL, NOW, SETTINGS, applied, service
from tests.specs import specs

from microservice_operator.desired import desired
from microservice_operator.observed import Manifest, Observed
from microservice_operator.plan import plan, ref_of

NOTHING = Observed(now=NOW, children={}, served=ALL)


def after_a_pass(spec: dict[str, Any], seen: Observed) -> Observed:
    """The children once everything planned has been done."""
    todo = plan(desired(service(spec | {"replicas": 2}), seen, SETTINGS), seen)
    children = dict(seen.children)
    for write in todo.writes:
        children[write.ref] = applied(write.kind, write.manifest)
    for _, record in todo.prune:
        del children[record.ref]
    return replace(seen, children=children)


@given(specs(), specs())
def test_any_change_leaves_exactly_the_wanted_children(a: Any, b: Any) -> None:
    seen = after_a_pass(b, after_a_pass(a, NOTHING))
    fresh = after_a_pass(b, NOTHING)
    assert {ref: r.owned for ref, r in seen.children.items()} == {
        ref: r.owned for ref, r in fresh.children.items()
    }


@given(specs())
def test_a_second_pass_finds_nothing_to_do(spec: Any) -> None:
    seen = after_a_pass(spec, NOTHING)
    todo = plan(desired(service(spec | {"replicas": 2}), seen, SETTINGS), seen)
    assert not todo.writes
    assert not todo.prune


@given(specs())
def test_the_same_spec_gives_the_same_bytes_whatever_the_order_of_its_keys(spec: Any) -> None:
    of, turned = service(spec), service(_turned(spec))
    assert repr(_manifests(of)) == repr(_manifests(turned))


@given(specs())
def test_no_two_children_share_kind_and_name(spec: Any) -> None:
    refs = [ref_of(kind, manifest) for kind, manifest in desired(service(spec), NOTHING, SETTINGS)]
    assert len(set(refs)) == len(refs)


def _manifests(of: Any) -> list[Manifest]:
    return [manifest for _, manifest in desired(of, NOTHING, SETTINGS)]


def _turned(value: Any) -> Any:
    """Every mapping with its keys the other way round; user-made maps are data, and stay."""
    if isinstance(value, list):
        return [_turned(item) for item in value]
    if isinstance(value, dict) and not value.keys() & {"app", "team", "A_b.c"}:
        return {key: _turned(inner) for key, inner in reversed(value.items())}
    return value
