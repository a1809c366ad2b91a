"""From a Deployment and what belongs to it to the MicroService that keeps it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from microservice_operator.api.kinds import MICROSERVICE
from msvc import surroundings
from msvc.fitting import Fitting
from msvc.surroundings import Surroundings

Body = Mapping[str, Any]
VERBATIM = ("image", "command", "args", "env", "envFrom", "lifecycle", "volumeMounts")
PROBES = {
    "startupProbe": "startup",
    "readinessProbe": "readiness",
    "livenessProbe": "liveness",
}
OF_A_CONTAINER = {
    *VERBATIM,
    *PROBES,
    *("name", "imagePullPolicy", "resources", "ports", "securityContext", "restartPolicy"),
    *("terminationMessagePath", "terminationMessagePolicy"),
}
OF_A_POD = (
    "initContainers",
    "volumes",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
)
# Beside them: what has a place of its own, what is fixed, and what the API server fills in.
KNOWN_OF_A_POD = {
    *OF_A_POD,
    *("containers", "securityContext", "serviceAccount", "serviceAccountName", "restartPolicy"),
    *("automountServiceAccountToken", "terminationGracePeriodSeconds", "enableServiceLinks"),
    *("dnsPolicy", "schedulerName"),
}
SECURE = {"runAsUser", "runAsGroup", "fsGroup", "readOnlyRootFilesystem"}
RESTRICTED: Body = {  # what every pod of a MicroService gets
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "privileged": False,
}


@dataclass(frozen=True, slots=True)
class Kept:
    body: dict[str, Any]  # the MicroService
    notes: tuple[str, ...]  # what is not kept, or will be different


def kept(name: str, namespace: str | None, deployment: Body, around: Surroundings) -> Kept:
    """Legal in every field. What would break a rule between fields is told in the notes."""
    fitting, notes = Fitting(), list[str]()
    pod = deployment["spec"]["template"]["spec"]
    main, sidecars = _containers(deployment, notes)
    numbers = surroundings.port_numbers(pod["containers"])
    raw = {
        **_container(main, numbers),
        **_pod(pod, main, sidecars, numbers),
        **_rollout(deployment["spec"]),
        **surroundings.fields(name, deployment, main["name"], around, notes),
    }
    spec = _mountable(fitting.spec(_distinct(raw, notes)), notes)
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    body: dict[str, Any] = {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "metadata": metadata,
        "spec": {"image": spec.pop("image"), **spec},
    }
    _security(pod, main, notes)
    _unknown(deployment, main, notes)
    fitting.legal(body)
    notes += [f"has no place in a MicroService: {lost}" for lost in fitting.lost]
    return Kept(body, tuple(dict.fromkeys(notes)))


def _containers(deployment: Body, notes: list[str]) -> tuple[Body, list[Body]]:
    """The one named like the Deployment, else the first; the others become sidecars."""
    every = deployment["spec"]["template"]["spec"]["containers"]
    named = (c for c in every if c["name"] == deployment["metadata"]["name"])
    main = next(named, every[0])
    others = [container for container in every if container is not main]
    for container in others:
        notes.append(
            f"container {container['name']} becomes a sidecar: it starts before the main one,"
            " and the pod waits for its probes"
        )
    return main, others


def _container(main: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    given = {key: main[key] for key in VERBATIM if key in main}
    probes = {short: _numbered(main[key], numbers) for key, short in PROBES.items() if key in main}
    return given | {
        "imagePullPolicy": _pull_policy(main),
        "resources": main.get("resources") or {},  # none, instead of the operator's default
        "probes": probes or None,
        "terminationMessagePolicy": main.get("terminationMessagePolicy", "File"),
        **({"lifecycle": _hooks(main["lifecycle"], numbers)} if "lifecycle" in main else {}),
    }


def _pull_policy(container: Body) -> str | None:
    """None where it is what Kubernetes takes anyhow."""
    image = str(container.get("image", ""))
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    usual = "Always" if latest else "IfNotPresent"
    given = container.get("imagePullPolicy")
    return None if given == usual else given


def _numbered(probe: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Names of container ports are gone, their numbers stay."""
    changed = dict(probe)
    for handler in ("httpGet", "tcpSocket"):
        port = probe.get(handler, {}).get("port")
        if port in numbers:
            changed[handler] = {**probe[handler], "port": numbers[port]}
    return changed


def _hooks(lifecycle: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        name: _numbered(hook, numbers) if isinstance(hook, Mapping) else hook
        for name, hook in lifecycle.items()
    }


def _pod(
    pod: Body, main: Body, sidecars: Iterable[Body], numbers: Mapping[str, int]
) -> dict[str, Any]:
    security = _merged(pod, main)
    inits = [_init(container, numbers) for container in pod.get("initContainers") or ()]
    beside = [_init(container, numbers) | {"restartPolicy": "Always"} for container in sidecars]
    spread = [
        {key: value for key, value in constraint.items() if key != "labelSelector"}
        for constraint in pod.get("topologySpreadConstraints") or ()
    ]
    return {
        **{key: pod[key] for key in OF_A_POD if key in pod},
        "initContainers": [*inits, *beside] or None,
        "topologySpreadConstraints": spread or None,
        "serviceAccountName": pod.get("serviceAccountName", "default"),
        "automountServiceAccountToken": pod.get("automountServiceAccountToken", True),
        "terminationGracePeriodSeconds": pod.get("terminationGracePeriodSeconds"),
        "securityContext": {key: value for key, value in security.items() if key in SECURE},
    }


def _init(container: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    dropped = {"ports", "terminationMessagePolicy"}
    given = {key: value for key, value in container.items() if key not in dropped}
    given |= {key: _numbered(container[key], numbers) for key in PROBES if key in container}
    return given | {
        "imagePullPolicy": _pull_policy(container),
        "resources": container.get("resources") or {},
    }


def _merged(pod: Body, container: Body) -> dict[str, Any]:
    """What the container says wins. Kubernetes leaves the root file system writable."""
    own, shared = container.get("securityContext") or {}, pod.get("securityContext") or {}
    return {"readOnlyRootFilesystem": False, **shared, **own}


def _rollout(spec: Body) -> dict[str, Any]:
    strategy = spec.get("strategy") or {}
    rollout = {
        "minReadySeconds": spec.get("minReadySeconds"),
        "progressDeadlineSeconds": spec.get("progressDeadlineSeconds", 600),
    }
    if strategy.get("type") == "Recreate":
        return {"rollout": rollout | {"strategy": "Recreate"}}
    steps = {"maxSurge": "25%", "maxUnavailable": "25%"} | (strategy.get("rollingUpdate") or {})
    return {"rollout": rollout | {"rollingUpdate": steps}}


def _distinct(raw: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Kubernetes takes the last of two variables of one name."""
    env = raw.get("env") or []
    last = {entry["name"]: entry for entry in env}
    if len(last) < len(env):
        notes.append("env names a variable twice: only the last of them, which counted, is kept")
    return raw | {"env": list(last.values()) or None}


def _mountable(spec: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Without volumes of kinds that there are not, and without their mounts."""
    gone = {volume["name"] for volume in spec.get("volumes", ()) if len(volume) < 2}
    for name in sorted(gone):
        notes.append(f"volume {name} and its mounts are left out: it is of a kind that is refused")

    def without(holder: dict[str, Any]) -> dict[str, Any]:
        mounts = [m for m in holder.get("volumeMounts", ()) if m["name"] not in gone]
        rest = {key: value for key, value in holder.items() if key != "volumeMounts"}
        return rest | ({"volumeMounts": mounts} if mounts else {})

    volumes = [volume for volume in spec.get("volumes", ()) if volume["name"] not in gone]
    inits = [without(container) for container in spec.get("initContainers", ())]
    lists = {"volumes": volumes, "initContainers": inits}
    return {**without(spec), **{key: value for key, value in lists.items() if key in spec}}


def _security(pod: Body, main: Body, notes: list[str]) -> None:
    merged = _merged(pod, main)
    for key, value in merged.items():
        if key not in SECURE and RESTRICTED.get(key) != value:
            notes.append(f"securityContext.{key} is not kept: pods are restricted")
    if "runAsUser" not in merged and merged.get("runAsNonRoot") is not True:
        notes.append(
            "pods never run as root: set securityContext.runAsUser, unless the image names another"
            " user by number"
        )


def _unknown(deployment: Body, main: Body, notes: list[str]) -> None:
    template = deployment["spec"]["template"]
    pod, metadata = template["spec"], template.get("metadata") or {}
    names = [f"pod: {key}" for key in pod if key not in KNOWN_OF_A_POD]
    names += [f"container: {key}" for key in main if key not in OF_A_CONTAINER]
    if pod.get("dnsPolicy", "ClusterFirst") != "ClusterFirst":
        names.append("pod: dnsPolicy")
    notes += [f"has no place in a MicroService: {name}" for name in names]
    if annotations := metadata.get("annotations"):
        notes.append(
            f"pod annotations are not kept: {', '.join(sorted(annotations))};"
            " podMetadata takes those that the platform allows"
        )
    notes.append(
        "pods get the operator's labels, not"
        f" {', '.join(f'{k}={v}' for k, v in sorted((metadata.get('labels') or {}).items()))}:"
        " what selects by these does not see the new pods, unless the platform allows them in"
        " podMetadata"
    )
