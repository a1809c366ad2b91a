"""The API server under test, as its administrator sees it."""

import base64
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

APPLY = "application/apply-patch+yaml"
# On every MicroService that no operator shall touch, in case one runs beside these tests.
LEFT_ALONE = {"microservice.dev/paused": "true"}


class ApiServer:
    """Requests as the administrator; the answer is the caller's to judge."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._client = httpx.Client(
            base_url=cluster["server"], verify=trust(cluster, user), timeout=120, trust_env=False
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        headers = {"content-type": content_type} | (headers or {})
        return self._client.request(method, path, json=json, params=params, headers=headers)

    def apply(self, path: str, manifest: Any, manager: str = "tests") -> httpx.Response:
        """Server-side apply, by force."""
        params = {"fieldManager": manager, "force": "true"}
        return self.request("PATCH", path, json=manifest, params=params, content_type=APPLY)

    def close(self) -> None:
        self._client.close()


@contextmanager
def fresh_namespace(server: ApiServer) -> Iterator[str]:
    """Deleted at the end, without waiting."""
    name = f"test-{uuid4().hex[:10]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    server.request("POST", "/api/v1/namespaces", json=body).raise_for_status()
    try:
        yield name
    finally:
        server.request("DELETE", f"/api/v1/namespaces/{name}").raise_for_status()


def install(server: ApiServer, crd: dict[str, Any]) -> None:
    """Apply a CRD, and wait until it is served."""
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
    raise AssertionError(f"the API server does not serve {plural}")


def trust(cluster: dict[str, str], user: dict[str, str]) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pair:  # the standard library reads it from files only
        for part in ("client-certificate-data", "client-key-data"):
            pair.write(base64.b64decode(user[part]) + b"\n")
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
