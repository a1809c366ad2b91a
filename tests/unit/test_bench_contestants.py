"""The load is the same for all who are compared, and the floor sends what it must and no more."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmarks import __main__ as command
from benchmarks import load
from benchmarks.api import Api
from benchmarks.contestants import KRO, PEER
from benchmarks.floor import Floor
from e2e.cluster import cluster as clusters
from e2e.cluster.settings import Settings
from tests.fakeapi import Ask, FakeApi
from tests.fakehttp import served
from tests.world import SEVEN, children

from microservice_operator.api.kinds import MICROSERVICE
from microservice_operator.connection import Connection, Token
from microservice_operator.desired import KINDS

GAPS = {
    "${schema.metadata.name}": "s1",
    "${schema.metadata.namespace}": "shop",
    "${schema.spec.image}": load.IMAGE,
}


class Lenient(FakeApi):
    """Compares no version where a patch names none, as a real server does."""

    def _patch(self, ask: Ask, live: dict[str, Any]) -> Any:
        version = {"resourceVersion": live["metadata"]["resourceVersion"]}
        return super()._patch(replace(ask, body={"metadata": version} | ask.body), live)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with served(Lenient()) as fake:
        yield fake


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[Api]:
    token = Token(value="floor")
    async with Api(Connection(api.url, None, token, "shop"), "floor") as client:
        yield client


def test_the_graph_of_kro_makes_the_children_that_we_make() -> None:
    graph = yaml.safe_load((KRO / "graph.yaml").read_text())
    theirs = [_filled(part["template"]) for part in graph["spec"]["resources"]]
    ours = [_bare(body) for _, body in load.children(load.parsed("shop", "s1", "u1"))]
    assert theirs == ours
    assert {body["kind"] for body in ours} == SEVEN
    schema = graph["spec"]["schema"]
    assert (f"kro.run/{schema['apiVersion']}", schema["kind"]) == (PEER.api_version, PEER.kind)


async def test_the_floor_sends_seven_applies_and_one_status(api: FakeApi, client: Api) -> None:
    made = api.create(MICROSERVICE, load.manifest(MICROSERVICE, "shop", "orders"))
    before = len(api.audit)
    await Floor(client).create("shop", "orders", made["metadata"]["uid"])
    assert _asked(api, before) == {
        **{f"patch {kind.resource}": 1 for kind in load.SEVEN},
        "patch microservices.microservice.dev/status": 1,
    }
    assert children(api) == SEVEN
    owner = api.get(KINDS["Service"], "shop", "orders")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == made["metadata"]["uid"]


async def test_the_floor_sends_two_requests_for_a_new_image(api: FakeApi, client: Api) -> None:
    made = api.create(MICROSERVICE, load.manifest(MICROSERVICE, "shop", "orders"))
    floor, uid = Floor(client), made["metadata"]["uid"]
    await floor.create("shop", "orders", uid)
    before = len(api.audit)
    await floor.update("shop", "orders", uid)
    assert _asked(api, before) == {
        "patch deployments.apps": 1,
        "patch microservices.microservice.dev/status": 1,
    }
    pods = api.get(KINDS["Deployment"], "shop", "orders")["spec"]["template"]["spec"]
    assert pods["containers"][0]["image"] == load.NEXT_IMAGE


async def test_a_burst_sends_all_with_sixteen_in_flight() -> None:
    flying, most, sent = 0, 0, list[str]()
    full = asyncio.Event()

    async def send(name: str) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        if flying == 16:
            full.set()
        await full.wait()
        sent.append(name)
        flying -= 1

    async with asyncio.timeout(5):
        await load.burst(load.names(40), send)
    assert sorted(sent) == load.names(40)
    assert most == 16


async def test_an_open_loop_does_not_wait_for_answers() -> None:
    last, started = asyncio.Event(), list[int]()

    async def send(number: int) -> None:
        started.append(number)
        if number == 19:
            last.set()
        await last.wait()  # nobody is answered before all were sent

    assert await load.paced(1000, 0.02, send) == 20
    assert started == list(range(20))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scenario", "S99"], "there is no scenario S99; known are S1, S3"),
        (["--contestant", "ours,nobody"], "there is no contestant nobody; known are ours"),
        (["--n", "0"], "at least 1 service"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command._parser().parse_args(["run", *words])
    assert said in capsys.readouterr().err


def test_the_cluster_keeps_etcd_in_memory_and_an_audit_log(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "cache", run=tmp_path / "run", install=False)
    config: Any = clusters.config(clusters.named(settings, "bench"), gateway_port=0)
    (node,) = config["nodes"]
    targets = {mount["containerPath"] for mount in node["extraMounts"]}
    kubeadm = yaml.safe_load(config["kubeadmConfigPatches"][1])
    api_server = kubeadm["apiServer"]["extraArgs"]
    assert kubeadm["etcd"]["local"]["dataDir"].startswith("/tmp/")
    for flag in ("audit-policy-file", "audit-log-path"):
        assert str(Path(api_server[flag]).parent) in targets


def _asked(api: FakeApi, before: int) -> dict[str, int]:
    return dict(Counter(f"{r.verb} {r.resource}" for r in api.audit[before:]))


def _bare(body: dict[str, Any]) -> dict[str, Any]:
    """kro owns by labels, and its users cannot set the owner."""
    metadata = {k: v for k, v in body["metadata"].items() if k != "ownerReferences"}
    return body | {"metadata": metadata}


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner) for inner in value]
    return GAPS.get(value, value) if isinstance(value, str) else value
