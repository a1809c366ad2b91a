"""Every pod any spec can ask for passes Pod Security `restricted`.

The checks are those of https://kubernetes.io/docs/concepts/security/pod-security-standards.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from tests.scene import SETTINGS, service
from tests.specs import specs

from microservice_operator.desired.pod import template
from microservice_operator.wire import tidy

Pod = dict[str, Any]
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"} | {
    "projected",
    "secret",
}


def violations(pod: Pod) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", ()):
        if set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume}"
    yield from _identity(pod.get("securityContext", {}), "pod")
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        yield from _container(container)


def _identity(context: Pod, where: str) -> Iterator[str]:
    if where == "pod" and context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if where == "pod" and context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccompProfile"
    if context.get("runAsUser") == 0:
        yield f"{where}: runAsUser 0"
    for field in ("seLinuxOptions", "sysctls", "windowsOptions", "appArmorProfile", "procMount"):
        if field in context:
            yield f"{where}: {field}"


def _container(container: Pod) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    yield from _identity(context, name)
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation"
    if context.get("privileged"):
        yield f"{name}: privileged"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield f"{name}: capabilities"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield f"{name}: hostPort"
    for part in ("startupProbe", "readinessProbe", "livenessProbe"):
        if "host" in container.get(part, {}).get("httpGet", {}):
            yield f"{name}: {part} with a host"
    for hook in container.get("lifecycle", {}).values():
        if "host" in hook.get("httpGet", {}):
            yield f"{name}: hook with a host"


def pod_of(spec: Any) -> Pod:
    pod: Pod = tidy(template(service(spec), SETTINGS))["spec"]
    return pod


@given(specs())
def test_every_pod_passes_restricted(spec: Any) -> None:
    assert list(violations(pod_of(spec))) == []


def test_the_check_itself_refuses_what_is_not_restricted() -> None:
    pod = pod_of({})
    for broken in (
        pod | {"hostNetwork": True},
        pod | {"securityContext": {}},
        pod | {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
        pod | {"containers": [tidy({"name": "a", "image": "x"})]},
    ):
        assert list(violations(broken))
