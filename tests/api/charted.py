"""The operator's chart as helm renders it, and its objects on the API server under test."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from e2e.cluster import settings, tools
from tests.api.server import ApiServer
from tests.chart.rendered import OPERATOR, Manifest, chart, load_all

PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


@cache
def rendered(template: str, *args: str, release: str = "operator", home: str = "home") -> str:
    """The text of one template of the chart."""
    command = [tools.path(settings.load(), tools.HELM), "template", release, str(chart(OPERATOR))]
    where = ["--namespace", home, "--show-only", f"templates/{template}.yaml"]
    done = subprocess.run([*command, *where, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(template: str, *args: str, release: str = "operator", home: str) -> list[Manifest]:
    return load_all(rendered(template, *args, release=release, home=home))


def rules(kind: str, *args: str) -> list[Manifest]:
    """Of the operator's own role of this kind: ClusterRole, or the Role on its Lease."""
    (role,) = (each for each in objects("rbac", *args, home="home") if each["kind"] == kind)
    return list(role["rules"])


def path(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    scope = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    plural = PLURALS[manifest["kind"]]
    return f"/apis/{manifest['apiVersion']}{scope}/{plural}/{metadata['name']}"


@contextmanager
def installed(server: ApiServer, manifests: Iterable[Manifest]) -> Iterator[None]:
    """As by `helm install`, and gone at the end."""
    manifests = list(manifests)
    for each in manifests:
        answer = server.apply(path(each), each)
        assert answer.is_success, answer.text
    yield
    for each in manifests:
        server.request("DELETE", path(each))
