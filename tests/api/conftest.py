"""A real API server without an operator, a proxy in front of it, and operators as processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.api.audit import Audit, strangers
from tests.api.invariants import Invariants
from tests.api.operator_process import Current, Operators, Process, operators
from tests.api.proxy import FaultProxy
from tests.api.rights import CLUSTER_RULES, LEASE_RULES
from tests.api.server import ApiServer, fresh_namespace, install
from tests.api.world import World

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """Of a cluster that no other worker uses: their operators would see each other."""
    path = Path(os.environ.get("API_KUBECONFIG", REPOSITORY / ".run" / f"{_own()}.kubeconfig"))
    if not path.exists():
        pytest.fail(f"{path} is missing: start the clusters with `make cluster-api`")
    return path


def _own() -> str:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    return "api" if number == 1 else f"api-{number}"


@pytest.fixture(scope="session")
def api_server(kubeconfig: Path) -> Iterator[ApiServer]:
    """With the CRDs of this repository, and a stand-in for the one it can do without."""
    server = ApiServer(kubeconfig)
    for path in (
        REPOSITORY / "crds" / "microservices.yaml",
        Path(__file__).parent / "monitors.yaml",
    ):
        install(server, yaml.safe_load(path.read_text()))
    yield server
    server.close()


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    with fresh_namespace(api_server) as name:
        yield name


@pytest.fixture(scope="session")
def image(api_server: ApiServer) -> str:
    """The busybox with which every kind node prepares volumes."""
    nodes = api_server.request("GET", "/api/v1/nodes").json()["items"]
    names = [
        name
        for node in nodes
        for image in node.get("status", {}).get("images", ())
        for name in image["names"]
    ]
    return str(next(n for n in names if "local-path-helper" in n and "@" not in n))


@pytest.fixture
def world(api_server: ApiServer, namespace: str, image: str) -> World:
    return World(api_server, namespace, image)


@pytest.fixture
def elsewhere(api_server: ApiServer, image: str) -> Iterator[World]:
    """Another team's namespace."""
    with fresh_namespace(api_server) as name:
        yield World(api_server, name, image)


# operators


@pytest.fixture(scope="session")
def session_proxy(kubeconfig: Path) -> Iterator[FaultProxy]:
    proxy = FaultProxy(kubeconfig, Invariants([*CLUSTER_RULES, *LEASE_RULES]))
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def audit(kubeconfig: Path) -> Audit:
    return Audit(kubeconfig)


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
    api_server: ApiServer,
    session_proxy: FaultProxy,
    home: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operators]:
    yield from operators(api_server, session_proxy, home, tmp_path_factory.mktemp("operators"))


@pytest.fixture(scope="module")
def current(started: Operators) -> Current:
    return Current(started)


@pytest.fixture
def operator(current: Current) -> Process:
    return current.ensure()


@pytest.fixture
def proxy(session_proxy: FaultProxy) -> Iterator[FaultProxy]:
    """Without any rule before and after the test."""
    session_proxy.clear()
    yield session_proxy
    session_proxy.clear()


@pytest.fixture(autouse=True)
def lawful(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test with an operator: each of its requests kept the invariants, and nobody else
    wrote to children or to a status in a namespace of tests."""
    if "started" not in request.fixturenames:
        yield
        return
    proxy = request.getfixturevalue("session_proxy")
    audit = request.getfixturevalue("audit")
    place = audit.here()
    proxy.invariants.violations.clear()
    user = request.getfixturevalue("started").user
    yield
    assert proxy.invariants.violations == []
    assert strangers(audit.since(place), {user}) == set()
