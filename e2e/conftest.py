"""What e2e cases and tests need: a cluster with the operator in it, reached by a kubeconfig."""

import fcntl
import os
import subprocess
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.case import Cluster
from e2e.cluster import cluster as clusters
from e2e.cluster import command, settings, tools
from e2e.demo import secrets
from e2e.demo import target as demo
from e2e.evidence import evidence
from e2e.shop import SHOP, Shop, choose, refill
from kubernetes import client
from kubernetes.client.exceptions import ApiException

WEB = "microservice.dev/e2e/web"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = Path(os.environ.get("E2E_KUBECONFIG", ".run/demo.kubeconfig"))
    if not path.exists():
        pytest.fail(f"{path} is missing: run `make demo` first, or set E2E_KUBECONFIG")
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    chosen = settings.load()
    found = [tools.path(chosen, tool).parent for tool in (tools.KUBECTL, tools.HELM)]
    return Cluster.of(kubeconfig, *found)


@pytest.fixture(scope="session")
def shop(cluster: Cluster) -> Shop:
    """With enough in stock for every order of a run."""
    target = demo.chosen(settings.load())
    url = target.gateway_url()
    nodes = clusters.named(settings.load(), "demo")
    found = Shop(cluster, nodes, url, secrets.admin(target), choose(url))
    refill(found, 5000)
    return found


@pytest.fixture(scope="session")
def web_images() -> None:
    with _one_at_a_time(settings.load().run / "web-images.lock"):
        make_web_images()


def make_web_images() -> None:
    """Two tags of one small image, so that a case can change from one to the other."""
    source = Path(__file__).parent / "web"
    command.run("docker", "build", "--quiet", "--tag", f"{WEB}:1", str(source))
    command.run("docker", "tag", f"{WEB}:1", f"{WEB}:2")
    load_images(f"{WEB}:1", f"{WEB}:2")


def load_images(*images: str) -> None:
    """Bring images of the local engine onto the nodes of the demo cluster."""
    subprocess.run(["python", "-m", "e2e.cluster", "load", "--name", "demo", *images], check=True)


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Among the processes of a run, which all need the same."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own; its deletion is started, not awaited."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    labels = {"e2e.microservice.dev/test": "true"}
    metadata = client.V1ObjectMeta(name=name, labels=labels)
    cluster.core.create_namespace(client.V1Namespace(metadata=metadata))
    yield name
    try:
        cluster.core.delete_namespace(name)
    except ApiException as error:
        if error.status not in (404, 409):  # the case itself has deleted it
            raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed on the cluster shows what was there, before it is cleaned up."""
    report = yield
    used: dict[str, Any] = getattr(item, "funcargs", {})
    if report.failed and report.when == "call" and "cluster" in used:
        where = used.get("namespace", SHOP)
        report.sections.append((f"namespace {where}", evidence(used["cluster"], where)))
    return report
