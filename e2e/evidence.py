"""What an engineer wants to see of a namespace when a test failed in it."""

from collections.abc import Callable, Iterator
from typing import Any

from e2e.case import Cluster
from kubernetes import client
from kubernetes.client.exceptions import ApiException

OPERATOR = "microservice-operator"
EVENTS, LINES, OPERATOR_LINES = 15, 8, 400


def evidence(cluster: Cluster, namespace: str) -> str:
    """MicroServices, pods, events, last log lines of what is not ready, and the operator's own."""
    parts: tuple[tuple[str, Callable[[], Iterator[str]]], ...] = (
        ("MicroServices", lambda: _services(cluster, namespace)),
        ("pods", lambda: _pods(cluster.core, namespace)),
        ("last events", lambda: _events(cluster.core, namespace)),
        ("last lines of pods that are not ready", lambda: _logs(cluster.core, namespace)),
        ("last lines of the operator about it", lambda: _operator(cluster.core, namespace)),
    )
    return "\n".join(line for title, lines in parts for line in _part(title, lines))


def _part(title: str, lines: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Evidence is best effort: what cannot be read must not hide the failure itself."""
    yield f"{title}:"
    try:
        found = list(lines())
    except ApiException as error:
        found = [f"cannot be read: {error.status} {error.reason}"]
    yield from (f"  {line}" for line in found or ["none"])


def _services(cluster: Cluster, namespace: str) -> Iterator[str]:
    where = {"metadata": {"namespace": namespace}, "$selector": ""}
    kind = {"apiVersion": "microservice.dev/v1alpha1", "kind": "MicroService"}
    for live in cluster.select(kind | where):
        meta, status = live["metadata"], live.get("status", {})
        seen = f"generation {meta['generation']}, observed {status.get('observedGeneration')}"
        yield f"{meta['name']}: {seen}, pods {status.get('pods', '?')}"
        for c in status.get("conditions", ()):
            yield f"  {c['type']}={c['status']} {c['reason']}: {c.get('message', '')}"


def _pods(core: client.CoreV1Api, namespace: str) -> Iterator[str]:
    for pod in _listed(core, namespace):
        going = ", being deleted" if pod.metadata.deletion_timestamp else ""
        yield f"{pod.metadata.name}: {pod.status.phase} on {pod.spec.node_name or 'no node'}{going}"
        for c in pod.status.conditions or ():
            if c.status == "False" and c.message:
                yield f"  {c.type}=False: {c.message}"
        for container in pod.status.container_statuses or ():
            yield f"  {container.name}: {_state(container)}"


def _listed(core: client.CoreV1Api, namespace: str) -> list[Any]:
    return list(core.list_namespaced_pod(namespace).items)


def _state(container: Any) -> str:
    ready = "ready" if container.ready else "not ready"
    words = [f"{ready}, {container.restart_count} restarts"]
    for when, state in (("now", container.state), ("before", container.last_state)):
        if state and state.waiting:
            words.append(f"{when} waiting: {state.waiting.reason}: {state.waiting.message or ''}")
        if state and state.terminated:
            ended = state.terminated
            last = (ended.message or "").strip().rpartition("\n")[2]
            words.append(f"{when} ended: {ended.reason}, exit code {ended.exit_code}: {last}")
    return "; ".join(words)


def _events(core: client.CoreV1Api, namespace: str) -> Iterator[str]:
    def when(event: Any) -> str:
        return str(event.last_timestamp or event.event_time or event.metadata.creation_timestamp)

    for event in sorted(core.list_namespaced_event(namespace).items, key=when)[-EVENTS:]:
        about = f"{event.involved_object.kind}/{event.involved_object.name}"
        message = " ".join((event.message or "").split())
        yield f"{when(event)[11:19]} {event.type} {event.reason} {about}: {message}"


def _logs(core: client.CoreV1Api, namespace: str) -> Iterator[str]:
    for pod in _listed(core, namespace):
        for container in pod.status.container_statuses or ():
            if not container.ready:
                yield f"{pod.metadata.name}/{container.name}:"
                yield from (f"  {line}" for line in _log(core, pod, container))


def _log(core: client.CoreV1Api, pod: Any, container: Any) -> list[str]:
    """Of the run before, if the present one has not started."""
    before = bool(container.restart_count and container.state.waiting)
    try:
        text = core.read_namespaced_pod_log(
            pod.metadata.name,
            pod.metadata.namespace,
            container=container.name,
            previous=before,
            tail_lines=LINES,
        )
    except ApiException as error:
        return [f"no log: {error.reason}"]
    return str(text).splitlines()


def _operator(core: client.CoreV1Api, namespace: str) -> Iterator[str]:
    for pod in _listed(core, OPERATOR):
        name = pod.metadata.name
        text = core.read_namespaced_pod_log(name, OPERATOR, tail_lines=OPERATOR_LINES)
        about = [line for line in str(text).splitlines() if namespace in line]
        yield from (f"{name}: {line}" for line in about[-LINES:])
