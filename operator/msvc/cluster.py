"""The cluster, through the official client: it knows every way to log in that kubectl knows."""

import argparse
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from microservice_operator.api.kinds import MICROSERVICE, Kind
from msvc.exits import Exit, Failure, missing_extra

MERGE_PATCH = "application/merge-patch+json"
SECONDS = (10, 30)  # to connect, and for one answer


class Absent(Failure):
    """404: no such object, or no such kind."""


class Forbidden(Failure):
    """403."""


class Unreachable(Failure):
    """No answer at all."""


def add_cluster(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("cluster")
    group.add_argument("-n", "--namespace", help="instead of the namespace of the context")
    group.add_argument("--context", help="of the kubeconfig, instead of its current one")
    group.add_argument("--kubeconfig", metavar="FILE", help="instead of $KUBECONFIG")


class Cluster:
    """Each method is one request and raises Failure; nothing is asked before the first."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Cluster":
        return cls(options.kubeconfig, options.context)

    @cached_property
    def namespace(self) -> str:
        """Of the context."""
        kubernetes = _library()
        try:
            every, active = kubernetes.config.list_kube_config_contexts(self._kubeconfig)
        except kubernetes.config.ConfigException as error:
            raise _no_kubeconfig(error) from error
        chosen = next((c for c in every if c["name"] == self._context), active)
        return str(chosen["context"].get("namespace") or "default")

    def get(self, kind: Kind, namespace: str, name: str) -> Any:
        """Raises Absent and Forbidden, among others."""
        return self._request("GET", kind.path(namespace, name), f"get {kind.plural}/{name}")

    def find(self, kind: Kind, namespace: str, name: str) -> Any:
        """None where it is not."""
        try:
            return self.get(kind, namespace, name)
        except Absent:
            return None

    def list(self, kind: Kind, namespace: str | None, labels: str = "") -> list[Any]:
        query = {"labelSelector": labels} if labels else {}
        answer = self._request("GET", kind.path(namespace), f"list {kind.resource}", query)
        found: list[Any] = answer["items"]
        return found

    def annotate(self, namespace: str, name: str, annotations: Mapping[str, str | None]) -> Any:
        """Of a MicroService; None removes one."""
        path = MICROSERVICE.path(namespace, name)
        body = {"metadata": {"annotations": annotations}}
        query = {"fieldManager": "msvc"}
        return self._request("PATCH", path, f"patch {MICROSERVICE.plural}/{name}", query, body)

    def _request(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        headers = {"Accept": "application/json", "Content-Type": MERGE_PATCH}
        client, errors = self._client, _library().client.exceptions
        try:
            call = client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            response = client.call_api(*call, _request_timeout=SECONDS)
            raw = response.read()
        except errors.ApiException as error:
            raise _refused(error.status or 0, error.body, what) from error
        except (OSError, _http_error()) as error:
            raise Unreachable(
                f"{_host(client)} cannot be reached: {error}", Exit.CLUSTER
            ) from error
        if response.status >= 400:
            raise _refused(response.status, raw, what)
        return json.loads(raw)

    @cached_property
    def _client(self) -> Any:
        kubernetes = _library()
        configuration = kubernetes.client.Configuration()
        configuration.retries = False  # whoever waits at a prompt wants to know at once
        try:
            return kubernetes.config.new_client_from_config(
                self._kubeconfig, self._context, client_configuration=configuration
            )
        except kubernetes.config.ConfigException as error:
            raise _no_kubeconfig(error) from error


def _library() -> Any:
    try:
        import kubernetes
    except ImportError as error:
        raise missing_extra("asking a cluster") from error
    return kubernetes


def _http_error() -> type[Exception]:
    from urllib3.exceptions import HTTPError

    return HTTPError


def _host(client: Any) -> str:
    return str(client.configuration.host)


def _no_kubeconfig(error: Exception) -> Failure:
    return Failure(
        f"no cluster to ask: {error}; set KUBECONFIG or give --kubeconfig and --context",
        Exit.CLUSTER,
    )


def _refused(code: int, raw: Any, what: str) -> Failure:
    try:
        message = json.loads(raw).get("message", "")
    except (TypeError, ValueError, AttributeError):
        message = ""
    if code == 404:
        hint = "see `kubectl get msvc -A`, and -n for the namespace"
        return Absent(f"cannot {what}: {message or 'not found'}; {hint}", Exit.CLUSTER)
    if code == 403:
        return Forbidden(f"you may not {what}: {message}", Exit.CLUSTER)
    if code == 401:
        return Failure("the cluster does not know you: log in again", Exit.CLUSTER)
    return Failure(f"cannot {what}: {message or f'the answer was {code}'}", Exit.CLUSTER)
