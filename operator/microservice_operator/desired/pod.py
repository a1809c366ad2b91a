"""The pod template: a function of this object's spec and the settings, of nothing else."""

from collections.abc import Iterable
from typing import Any

from microservice_operator import names
from microservice_operator.api.container import (
    Env,
    Hook,
    InitContainer,
    Lifecycle,
    Probe,
    Resources,
    VolumeMount,
)
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.api.spec import DEFAULT_PORTS, Spec
from microservice_operator.api.volumes import Projection, Volume
from microservice_operator.desired import tracing
from microservice_operator.desired.ports import container_ports, number
from microservice_operator.observed import Manifest
from microservice_operator.wire import wire, wires

TEMP = "microservice-tmp"  # names that start so are refused in spec.volumes
DRAIN_SECONDS = 5  # until every proxy has heard that the pod is going away
OUTSIDE_THE_REVISION = {
    "replicas",
    "autoscaling",
    "availability",
    "suspend",
    "access",
    "routes",
    "rollout",
    "observability",
    "ports",  # of these only the container's side counts
}


def revision(service: MicroService) -> str:
    """Hash of the spec fields that reach the pods; those at their default are left out."""
    spec = service.spec
    fields = spec.model_dump(by_alias=True, exclude_defaults=True, exclude=OUTSIDE_THE_REVISION)
    if (listening := container_ports(spec.ports)) != container_ports(DEFAULT_PORTS):
        fields["containerPorts"] = listening
    if spec.tracing is not None:
        fields["tracing"] = spec.tracing.model_dump(by_alias=True)
    return names.h8(fields)


def template(service: MicroService, platform: Platform) -> Manifest:
    extra, allowed = service.spec.pod_metadata, platform.pod_metadata.allows
    metadata = {
        "labels": {k: v for k, v in extra.labels.items() if allowed(k)}
        | names.pod_labels(service, revision(service)),
        "annotations": {k: v for k, v in extra.annotations.items() if allowed(k)}
        | names.pod_annotations(service),
    }
    return {"metadata": metadata, "spec": _pod(service, platform)}


def _pod(service: MicroService, platform: Platform) -> Manifest:
    spec = service.spec
    return {
        "serviceAccountName": spec.service_account_name or service.name,
        "automountServiceAccountToken": spec.automount_service_account_token,
        "enableServiceLinks": False,  # a variable per Service of the namespace helps nobody
        "terminationGracePeriodSeconds": spec.termination_grace_period_seconds,
        "securityContext": _pod_security(spec),
        "imagePullSecrets": wires(spec.image_pull_secrets),
        "priorityClassName": spec.priority_class_name,
        "initContainers": [_init(spec, entry, platform) for entry in spec.init_containers],
        "containers": [_main(service, platform)],
        "volumes": _volumes(spec),
        **_scheduling(service),
    }


def _scheduling(service: MicroService) -> Manifest:
    spec = service.spec
    return {
        "nodeSelector": spec.node_selector,
        "tolerations": wires(spec.tolerations),
        "affinity": wire(spec.affinity) if spec.affinity else None,
        "topologySpreadConstraints": _spread(service),
    }


def _pod_security(spec: Spec) -> Manifest:
    return {
        "runAsNonRoot": True,
        "runAsUser": spec.security_context.run_as_user,
        "runAsGroup": spec.security_context.run_as_group,
        "fsGroup": spec.security_context.fs_group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _main(service: MicroService, platform: Platform) -> Manifest:
    spec = service.spec
    return {
        "name": service.name,
        "image": spec.image,
        "imagePullPolicy": spec.image_pull_policy,
        "command": list(spec.command),
        "args": list(spec.args),
        "env": _variables(service, platform),
        "envFrom": wires(spec.env_from),
        "ports": container_ports(spec.ports),
        "resources": _resources(spec.resources, platform),
        "startupProbe": _probe(spec, spec.probes.startup),
        "readinessProbe": _probe(spec, spec.probes.readiness) or _accepts(spec),
        "livenessProbe": _probe(spec, spec.probes.liveness),
        "lifecycle": _lifecycle(spec),
        "terminationMessagePolicy": spec.termination_message_policy,
        "securityContext": _container_security(spec),
        "volumeMounts": _mounts(spec, spec.volume_mounts),
    }


def _init(spec: Spec, entry: InitContainer, platform: Platform) -> Manifest:
    return {
        "name": entry.name,
        "image": entry.image,
        "imagePullPolicy": entry.image_pull_policy,
        "command": list(entry.command),
        "args": list(entry.args),
        "env": [_env(variable) for variable in entry.env],
        "envFrom": wires(entry.env_from),
        "resources": _resources(entry.resources, platform),
        "restartPolicy": entry.restart_policy,
        "startupProbe": _probe(spec, entry.startup_probe),
        "readinessProbe": _probe(spec, entry.readiness_probe),
        "livenessProbe": _probe(spec, entry.liveness_probe),
        "terminationMessagePolicy": spec.termination_message_policy,
        "securityContext": _container_security(spec),
        "volumeMounts": _mounts(spec, entry.volume_mounts),
    }


def _container_security(spec: Spec) -> Manifest:
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": spec.security_context.read_only_root_filesystem,
    }


def _variables(service: MicroService, platform: Platform) -> list[dict[str, Any]]:
    """What the user sets wins over what we would set."""
    own = {entry.name for entry in service.spec.env}
    ours = tracing.env(service, platform)
    return [*map(_env, service.spec.env), *(entry for entry in ours if entry["name"] not in own)]


def _env(entry: Env) -> dict[str, Any]:
    body = wire(entry)
    if body.get("value") == "":  # the server drops an empty value; without one it is empty as well
        del body["value"]
    return body | ({"valueFrom": _source(body["valueFrom"])} if "valueFrom" in body else {})


def _source(source: dict[str, Any]) -> dict[str, Any]:
    """Both are atomic, so the server's defaults become part of what we own: spell them out."""
    if "fieldRef" in source:
        return {"fieldRef": {"apiVersion": "v1", **source["fieldRef"]}}
    if "resourceFieldRef" in source:
        return {"resourceFieldRef": {"divisor": "0", **source["resourceFieldRef"]}}
    return source


def _resources(own: Resources | None, platform: Platform) -> dict[str, Any]:
    return wire(own or platform.default_resources)


def _probe(spec: Spec, probe: Probe | None) -> dict[str, Any] | None:
    return _numbered(spec, wire(probe)) if probe else None


def _numbered(spec: Spec, body: dict[str, Any]) -> dict[str, Any]:
    """A name of spec.ports may share its container port with another, so numbers are used."""
    for handler in ("httpGet", "tcpSocket"):
        port = body.get(handler, {}).get("port")
        if isinstance(port, str):
            body[handler]["port"] = number(spec, port)
    return body


def _accepts(spec: Spec) -> dict[str, Any] | None:
    first = spec.ports[0] if spec.ports else None
    if first is None or first.protocol != "TCP":
        return None
    return {"tcpSocket": {"port": first.container_port}}


def _lifecycle(spec: Spec) -> dict[str, Any] | None:
    if spec.lifecycle is not None:
        return _hooks(spec, spec.lifecycle)
    seconds = min(DRAIN_SECONDS, spec.termination_grace_period_seconds)
    return {"preStop": {"sleep": {"seconds": seconds}}} if spec.ports and seconds else None


def _hooks(spec: Spec, lifecycle: Lifecycle) -> dict[str, Any]:
    def hook(given: Hook | None) -> dict[str, Any] | None:
        return _numbered(spec, wire(given)) if given else None

    return {"postStart": hook(lifecycle.post_start), "preStop": hook(lifecycle.pre_stop)}


def _mounts(spec: Spec, mounts: tuple[VolumeMount, ...]) -> list[dict[str, Any]]:
    own = wires(mounts)
    return [*own, {"name": TEMP, "mountPath": "/tmp"}] if _needs_temp(spec, mounts) else own


def _needs_temp(spec: Spec, mounts: Iterable[VolumeMount]) -> bool:
    taken = any(mount.mount_path.rstrip("/") == "/tmp" for mount in mounts)
    return spec.security_context.read_only_root_filesystem and not taken


def _volumes(spec: Spec) -> list[dict[str, Any]]:
    own = [_volume(volume) for volume in spec.volumes]
    mounters = [spec.volume_mounts, *(entry.volume_mounts for entry in spec.init_containers)]
    needed = any(_needs_temp(spec, mounts) for mounts in mounters)
    return [*own, {"name": TEMP, "emptyDir": {}}] if needed else own


def _volume(volume: Volume) -> dict[str, Any]:
    body = wire(volume)
    if volume.projected is not None:
        body["projected"]["sources"] = [_projection(s) for s in volume.projected.sources]
    return body


def _projection(source: Projection) -> dict[str, Any]:
    """Sources are atomic, see `_source`."""
    body = wire(source)
    if "serviceAccountToken" in body:
        body["serviceAccountToken"] = {"expirationSeconds": 3600, **body["serviceAccountToken"]}
    if "downwardAPI" in body:
        items = body["downwardAPI"].get("items", ())
        body["downwardAPI"] = {"items": [item | _source(item) for item in items]}
    return body


def _spread(service: MicroService) -> list[dict[str, Any]]:
    given = service.spec.topology_spread_constraints
    selector = {"labelSelector": {"matchLabels": names.server_pods(service)}}
    if given is not None:
        return [wire(constraint) | selector for constraint in given]
    over_nodes = {
        "topologyKey": "kubernetes.io/hostname",
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
    }
    return [over_nodes | selector]
