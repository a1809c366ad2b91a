"""Specs that somebody means ill with, or did not think about: refused by name, or carried as is."""

import re
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from tests.api.operator_process import Current, Process
from tests.api.proxy import FaultProxy
from tests.api.rules import Answer, Rule
from tests.api.world import World
from tests.specs import spec as legal_spec

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.desired import KINDS

pytestmark = pytest.mark.api

Path = tuple[str | int, ...]
NASTY = (
    "\u0000",
    "nul\u0000inside",
    "bell\u0007 escape\u001b[31m",
    "line\nbreak",
    "carriage\r\nreturn",
    "trailing newline\n",
    "../../etc/passwd",
    "/../..",
    "..",
    "- yaml: [",
    "a: b\n---\nkind: Secret",
    '{"json": {"kind": "Secret"}}',
    '"},"x":{"',
    'up{job="x"} or vector(1)',
    "$(HOME) ${HOME} {{ .Values.x }}",
    "%s %d {0} {name}",
    "'; DROP TABLE users; --",
    "\u202eright to left",
    "日本語 ☃ 🚀",
    "e\u0301 versus é",
    "\ufeffmark",
    "",
    " ",
    "x" * 5000,
    "x" * 9000,
)
MIB = 2**20
LINE = re.compile(r"^\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR)")


def attempt(world: World, name: str, spec: Any) -> Any:
    body = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    params = {"fieldValidation": "Strict"}
    return world.server.request(
        "POST", MICROSERVICE.path(world.namespace), json=body, params=params
    )


def strings(node: Any, path: Path = ()) -> Iterator[Path]:
    """Where the strings of a spec are."""
    if isinstance(node, str):
        yield path
    for key, inner in items(node):
        yield from strings(inner, (*path, key))


def items(node: Any) -> list[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def put(spec: Any, path: Path, value: str) -> Any:
    changed = deepcopy(spec)
    *way, last = path
    node = changed
    for step in way:
        node = node[step]
    node[last] = value
    return changed


def field(path: Path) -> str:
    """The name that a message must hold."""
    return [step for step in path if isinstance(step, str)][-1]


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(60), id="few"),
        pytest.param(range(60, 1000), id="many", marks=pytest.mark.long),
    ],
)
def test_any_string_is_refused_by_name_or_carried_unchanged(
    world: World, operator: Process, seeds: range
) -> None:
    carried: dict[str, tuple[str, str | int]] = {}  # value, and the field of the spec it is in
    for seed in seeds:
        dice = Random(seed)
        spec = legal_spec(seed) | {"suspend": True}
        path = dice.choice(list(strings(spec)))
        nasty = put(spec, path, dice.choice(NASTY))
        answer = attempt(world, f"s-{seed}", nasty)
        if answer.status_code == 201:
            carried[f"s-{seed}"] = value_at(nasty, path), path[0]
            assert contains(answer.json()["spec"], value_at(nasty, path)), (seed, path)
        else:
            assert answer.status_code in (400, 422), answer.text
            assert field(path) in answer.json()["message"], (seed, path, answer.json()["message"])
    assert carried
    for name, (value, top) in carried.items():
        world.until(lambda: world.condition("Ready", name), 60)  # noqa: B023
        if top == "podMetadata":  # these settings allow no key
            told = (problem["path"] for problem in world.status(name)["problems"])
            assert any(path.startswith(".spec.podMetadata.") for path in told)
        else:
            check_children(world, name, value)


def value_at(spec: Any, path: Path) -> str:
    for step in path:
        spec = spec[step]
    return str(spec)


def check_children(world: World, name: str, value: str) -> None:
    """It is in a child as it was written, or the API server refuses that child by name."""
    stalled = world.condition("Stalled", name)
    if stalled:
        message = world.condition("Ready", name)["message"]
        assert stalled["reason"] == "AdmissionDenied", message
        assert re.search(r"(spec|metadata)\.\S+: (Invalid|Required|Unsupported|Too)", message), (
            message
        )
        return
    children = (live for kind in KINDS.values() for live in of(world, kind, name))
    carried = any(contains(live, value) for live in children)
    assert carried or value == "", (name, value)  # Kubernetes leaves out what is empty


def test_free_text_reaches_the_container_as_it_was_written(world: World, operator: Process) -> None:
    texts = [text for text in NASTY if len(text) <= 4096]
    variables = [{"name": f"V{n}", "value": text} for n, text in enumerate(texts) if text]
    answer = attempt(
        world, "web", {"image": "x:1", "suspend": True, "env": variables, "args": texts}
    )
    assert answer.status_code == 201, answer.text
    world.until_ready()
    (container,) = world.get(KINDS["Deployment"])["spec"]["template"]["spec"]["containers"]
    assert (container["env"], container["args"]) == (variables, texts)


def of(world: World, kind: Any, name: str) -> list[Any]:
    every = world.list(kind)
    return [c for c in every if c["metadata"].get("labels", {}).get(names.NAME) == name]


def contains(node: Any, value: str) -> bool:
    return node == value or any(key == value or contains(v, value) for key, v in items(node))


@pytest.mark.parametrize("name", ["x" * 47, "x" * 253, "../x", "a.b", "nul\u0000", "日本", "-x"])
def test_a_name_that_leaves_no_room_or_leads_elsewhere_is_refused(world: World, name: str) -> None:
    answer = attempt(world, name, {"image": "x:1"})
    assert answer.status_code in (400, 404, 422)
    assert world.names() == []


def test_a_name_of_46_characters_works_for_every_child(world: World, operator: Process) -> None:
    name = "x" * 46
    world.create(
        name,
        replicas=None,
        suspend=True,
        autoscaling={"minReplicas": 2, "maxReplicas": 3},
        routes=[{"name": "main"}],
        observability={"metrics": {"port": "http"}},
    )
    world.until(lambda: world.children(name) == set(KINDS))


def env(count: int, size: int) -> list[dict[str, str]]:
    return [{"name": f"V{number}", "value": "x" * size} for number in range(count)]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"env": env(129, 1)}, "spec.env"),
        ({"env": env(1, 8193)}, "spec.env[0].value"),
        ({"env": env(1, MIB)}, "spec.env[0].value"),
        ({"env": env(129, 8192)}, "spec.env"),
        ({"args": ["x" * 4097]}, "spec.args[0]"),
        ({"command": ["x"] * 65}, "spec.command"),
        ({"image": "x" * 513}, "spec.image"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_one_more_than_the_limit_is_refused_by_name(world: World, spec: Any, where: str) -> None:
    answer = attempt(world, "web", {"image": "x:1"} | spec)
    assert answer.status_code == 422
    assert where in answer.json()["message"]
    assert len(answer.json()["message"]) < 2000


def test_what_is_as_large_as_the_limits_allow_is_carried(world: World, operator: Process) -> None:
    """128 variables of the greatest length; more than one list of that size etcd would not take."""
    large = {"env": env(128, 8192), "command": ["sh"], "suspend": True}
    answer = attempt(world, "web", {"image": "x:1"} | large)
    assert answer.status_code == 201, answer.text[:500]
    world.until_ready()
    (container,) = world.get(KINDS["Deployment"])["spec"]["template"]["spec"]["containers"]
    assert container["env"] == large["env"]
    world.change(args=["-c", "x" * 4096])
    world.until_ready()


def test_nobody_can_write_lines_into_the_log(
    world: World, current: Current, proxy: FaultProxy
) -> None:
    """Not by the name of an owner, not by a message of the API server or a webhook."""
    current.ensure().stop()
    operator = current.ensure(log_level="DEBUG")
    injected = "x\n12:00:00 ERROR   injected by somebody"
    owner = {
        "apiVersion": "v1",
        "kind": injected,
        "name": injected,
        "uid": "00000000-0000-4000-8000-000000000000",
        "controller": True,
    }
    service = KINDS["Service"]
    metadata = {"name": "web", "ownerReferences": [owner]}
    world.post(service, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}})
    proxy.use(Rule(Answer(403, "Forbidden", injected), method="PATCH", path="deployments/web"))
    world.create(replicas=0)
    world.until(lambda: world.reason("Stalled") == "NotOwned")
    operator.stop()
    proxy.clear()
    lines = operator.log.read_text().splitlines()
    assert any("belongs to" in line and "injected by" in line for line in lines)
    assert [line for line in lines if not LINE.match(line)] == []
    assert [line for line in lines if line.startswith("12:00:00 ERROR   injected")] == []
