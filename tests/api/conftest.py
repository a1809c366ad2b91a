"""A real API server without an operator: kubeconfig, requests as administrator, namespaces."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.server import ApiServer, fresh_namespace

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = Path(os.environ.get("API_KUBECONFIG", REPOSITORY / ".run" / "api.kubeconfig"))
    if not path.exists():
        pytest.fail(f"{path} is missing: start the cluster with `make cluster-api`")
    return path


@pytest.fixture(scope="session")
def api_server(kubeconfig: Path) -> Iterator[ApiServer]:
    """With the CRDs of this repository, and a stand-in for the one it can do without."""
    server = ApiServer(kubeconfig)
    for path in (
        REPOSITORY / "crds" / "microservices.yaml",
        Path(__file__).parent / "monitors.yaml",
    ):
        _install(server, yaml.safe_load(path.read_text()))
    yield server
    server.close()


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    with fresh_namespace(api_server) as name:
        yield name


def _install(server: ApiServer, crd: dict[str, Any]) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}"
    answer = server.apply(path, crd)
    assert answer.is_success, answer.text
    _wait_until_served(server, crd["spec"])


def _wait_until_served(server: ApiServer, spec: dict[str, Any]) -> None:
    """Polls: the discovery document has no watch."""
    version, plural = spec["versions"][0]["name"], spec["names"]["plural"]
    for _ in range(300):
        if server.request("GET", f"/apis/{spec['group']}/{version}/{plural}").is_success:
            return
    pytest.fail(f"the API server does not serve {plural}")
