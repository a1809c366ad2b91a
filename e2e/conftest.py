"""What e2e cases and tests need: a cluster with the operator in it, reached by a kubeconfig."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.case import Cluster
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

WEB = "microservice.dev/e2e/web"
BASE = "python:3.13-slim"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = Path(os.environ.get("E2E_KUBECONFIG", ".run/demo.kubeconfig"))
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make demo` first, or set E2E_KUBECONFIG")
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    return Cluster.of(kubeconfig)


@pytest.fixture(scope="session")
def web_images() -> None:
    """Two tags of one small image, so that a case can change from one to the other."""
    for tag in ("1", "2"):
        subprocess.run(["docker", "tag", BASE, f"{WEB}:{tag}"], check=True)
    load_images(f"{WEB}:1", f"{WEB}:2")


def load_images(*images: str) -> None:
    """Bring images of the local engine onto the nodes of the demo cluster."""
    subprocess.run(["python", "-m", "e2e.cluster", "load", "--name", "demo", *images], check=True)


@pytest.fixture
def namespace(kubeconfig: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own; its deletion is started, not awaited."""
    core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    labels = {"e2e.microservice.dev/test": "true"}
    metadata = client.V1ObjectMeta(name=name, labels=labels)
    core.create_namespace(client.V1Namespace(metadata=metadata))
    yield name
    try:
        core.delete_namespace(name)
    except ApiException as error:
        if error.status != 404:
            raise
