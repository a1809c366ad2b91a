"""Every rule between fields, once: as CEL for the API server and as Python for older objects.

A rule sits on the deepest node that holds its fields: validation ratchets per node, so a rule
added to `spec` or the root later would refuse changes of unrelated fields of old objects.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from microservice_operator.api import quantity
from microservice_operator.api.model import Rule


def _one(*names: str) -> str:
    return f"[{', '.join(f'has(self.{name})' for name in names)}].exists_one(x, x)"


def _first_success(probe: str) -> str:
    return (
        f"!has(self.{probe}) || !has(self.{probe}.successThreshold)"
        f" || self.{probe}.successThreshold == 1"
    )


def _given(value: Any, *fields: str) -> int:
    return sum(getattr(value, field) is not None for field in fields)


ENV = (
    Rule(
        "!(has(self.value) && has(self.valueFrom))",
        "a variable has a value or a valueFrom; remove one of them",
        lambda e: _given(e, "value", "value_from") < 2,
    ),
)
ENV_SOURCE = (
    Rule(
        _one("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"),
        "name exactly one source: fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef",
        lambda s: (
            _given(s, "field_ref", "resource_field_ref", "config_map_key_ref", "secret_key_ref")
            == 1
        ),
    ),
)
ENV_FROM = (
    Rule(
        _one("configMapRef", "secretRef"),
        "name exactly one source: configMapRef or secretRef",
        lambda s: _given(s, "config_map_ref", "secret_ref") == 1,
    ),
)
RESOURCES = (
    Rule(
        "!has(self.requests) || !has(self.limits) || ("
        + " && ".join(
            f"(!has(self.requests.{f}) || !has(self.limits.{f}) || "
            f"quantity(string(self.requests.{f}))"
            f".compareTo(quantity(string(self.limits.{f}))) <= 0)"
            for f in ("cpu", "memory", "ephemeral__dash__storage")
        )
        + ")",
        "a request is above its limit; lower the request or raise the limit",
        lambda r: all(
            quantity.amount(low) <= quantity.amount(high)
            for low, high in _bounds(r.requests, r.limits)
        ),
    ),
)
HANDLER = (
    Rule(
        _one("exec", "httpGet", "tcpSocket", "grpc"),
        "a probe has exactly one of exec, httpGet, tcpSocket and grpc",
        lambda p: _given(p, "exec", "http_get", "tcp_socket", "grpc") == 1,
    ),
)
ONE_SUCCESS = "a startup or liveness probe succeeds at the first success; set successThreshold to 1"
PROBES = (
    Rule(
        _first_success("startup"),
        ONE_SUCCESS,
        lambda p: _one_success(p.startup),
    ),
    Rule(
        _first_success("liveness"),
        ONE_SUCCESS,
        lambda p: _one_success(p.liveness),
    ),
    Rule(
        "!has(self.readiness) || !has(self.readiness.terminationGracePeriodSeconds)",
        "a readiness probe ends no container; remove its terminationGracePeriodSeconds",
        lambda p: p.readiness is None or p.readiness.termination_grace_period_seconds is None,
    ),
)
HOOK = (
    Rule(
        _one("exec", "httpGet", "sleep"),
        "a hook has exactly one of exec, httpGet and sleep",
        lambda h: _given(h, "exec", "http_get", "sleep") == 1,
    ),
)
INIT_CONTAINER = (
    Rule(
        "has(self.restartPolicy)"
        " || !(has(self.startupProbe) || has(self.readinessProbe) || has(self.livenessProbe))",
        "only a sidecar has probes; set restartPolicy to Always or remove the probes",
        lambda c: (
            c.restart_policy is not None
            or _given(c, "startup_probe", "readiness_probe", "liveness_probe") == 0
        ),
    ),
    Rule(
        _first_success("startupProbe"),
        ONE_SUCCESS,
        lambda c: _one_success(c.startup_probe),
    ),
    Rule(
        _first_success("livenessProbe"),
        ONE_SUCCESS,
        lambda c: _one_success(c.liveness_probe),
    ),
    Rule(
        "!has(self.readinessProbe) || !has(self.readinessProbe.terminationGracePeriodSeconds)",
        "a readiness probe ends no container; remove its terminationGracePeriodSeconds",
        lambda c: (
            c.readiness_probe is None or c.readiness_probe.termination_grace_period_seconds is None
        ),
    ),
)
VOLUME = (
    Rule(
        _one("emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"),
        "a volume is exactly one of emptyDir, persistentVolumeClaim, configMap, secret, projected",
        lambda v: (
            _given(v, "empty_dir", "persistent_volume_claim", "config_map", "secret", "projected")
            == 1
        ),
    ),
    Rule(
        "!self.name.startsWith('microservice-')",
        "volume names that start with microservice- are the operator's; choose another name",
        lambda v: not v.name.startswith("microservice-"),
    ),
)
PROJECTION = (
    Rule(
        _one("configMap", "secret", "downwardAPI", "serviceAccountToken"),
        "a source has exactly one of configMap, secret, downwardAPI and serviceAccountToken",
        lambda s: _given(s, "config_map", "secret", "downward_api", "service_account_token") == 1,
    ),
)
DOWNWARD_FILE = (
    Rule(
        _one("fieldRef", "resourceFieldRef"),
        "a file has exactly one of fieldRef and resourceFieldRef",
        lambda f: _given(f, "field_ref", "resource_field_ref") == 1,
    ),
)
TOLERATION = (
    Rule(
        "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
        "without a key the toleration needs operator Exists",
        lambda t: t.key is not None or t.operator == "Exists",
    ),
    Rule(
        "!has(self.value) || !has(self.operator) || self.operator != 'Exists'",
        "with operator Exists there is no value to compare; remove it",
        lambda t: t.value is None or t.operator != "Exists",
    ),
    Rule(
        "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        "tolerationSeconds works with effect NoExecute only",
        lambda t: t.toleration_seconds is None or t.effect == "NoExecute",
    ),
)
EXPRESSION = (
    Rule(
        "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        "In and NotIn need values, Exists and DoesNotExist have none",
        lambda e: (e.operator in ("In", "NotIn")) == bool(e.values),
    ),
)
NODE_EXPRESSION = (
    Rule(
        "self.operator in ['Exists', 'DoesNotExist']"
        " ? (!has(self.values) || size(self.values) == 0)"
        " : (has(self.values) && size(self.values) > 0)",
        "Exists and DoesNotExist have no values, every other operator needs them",
        lambda e: bool(e.values) != (e.operator in ("Exists", "DoesNotExist")),
    ),
    Rule(
        "!(self.operator in ['Gt', 'Lt']) || !has(self.values)"
        " || (size(self.values) == 1 && self.values[0].matches('^[0-9]+$'))",
        "Gt and Lt compare with exactly one whole number",
        lambda e: e.operator not in ("Gt", "Lt") or _whole_number(e.values),
    ),
)
PORTS = (
    Rule(
        "self.all(p, self.exists_one(q, q.port == p.port && q.protocol == p.protocol))",
        "two ports have the same number and protocol; change one of them",
        lambda ports: len({(p.port, p.protocol) for p in ports}) == len(ports),
    ),
)
AUTOSCALING = (
    Rule(
        "self.minReplicas <= self.maxReplicas",
        "minReplicas is above maxReplicas; lower it or raise maxReplicas",
        lambda a: a.min_replicas <= a.max_replicas,
    ),
)
METRIC = (
    Rule(
        "has(self.resource) == (self.type == 'Resource')"
        " && has(self.containerResource) == (self.type == 'ContainerResource')",
        "give the block that type names: resource for Resource, containerResource for"
        " ContainerResource",
        lambda m: (
            (m.resource is not None) == (m.type == "Resource")
            and (m.container_resource is not None) == (m.type == "ContainerResource")
        ),
    ),
)
METRIC_TARGET = (
    Rule(
        "has(self.averageUtilization) == (self.type == 'Utilization')"
        " && has(self.averageValue) == (self.type == 'AverageValue')",
        "give the value that type names: averageUtilization for Utilization, averageValue for"
        " AverageValue",
        lambda t: (
            (t.average_utilization is not None) == (t.type == "Utilization")
            and (t.average_value is not None) == (t.type == "AverageValue")
        ),
    ),
)
IP_BLOCK = (
    Rule(
        "isCIDR(self.cidr) && cidr(self.cidr) == cidr(self.cidr).masked()",
        "cidr must be a network such as 203.0.113.0/24, without host bits",
        lambda b: _network(b.cidr),
    ),
    Rule(
        "!has(self.__except__) || !isCIDR(self.cidr) || self.__except__.all(e, isCIDR(e)"
        " && cidr(self.cidr).containsCIDR(cidr(e))"
        " && cidr(e).prefixLength() > cidr(self.cidr).prefixLength())",
        "every entry of except must be a smaller network inside cidr",
        lambda b: not _network(b.cidr) or all(_inside(entry, b.cidr) for entry in b.except_ or ()),
    ),
)
PEER = (
    Rule(
        "has(self.ipBlock) ? (!has(self.podSelector) && !has(self.namespaceSelector))"
        " : (has(self.podSelector) || has(self.namespaceSelector))",
        "a peer has an ipBlock, or a podSelector and a namespaceSelector or one of them",
        lambda p: (
            (p.ip_block is not None)
            != (p.pod_selector is not None or p.namespace_selector is not None)
        ),
    ),
)
POLICY_PORT = (
    Rule(
        "!has(self.endPort)"
        " || (has(self.port) && type(self.port) == int && self.port <= self.endPort)",
        "endPort needs a port number that is not above it",
        lambda p: p.end_port is None or (isinstance(p.port, int) and p.port <= p.end_port),
    ),
)
TIMEOUTS = (
    Rule(
        "!has(self.request) || !has(self.backendRequest) || self.request == '0s'"
        " || duration(self.backendRequest) <= duration(self.request)",
        "backendRequest must not be longer than request",
        lambda t: (
            t.request is None
            or t.backend_request is None
            or milliseconds(t.request) == 0
            or milliseconds(t.backend_request) <= milliseconds(t.request)
        ),
    ),
)
ROLLOUT = (
    Rule(
        "!has(self.rollingUpdate) || self.strategy == 'RollingUpdate'",
        "rollingUpdate belongs to strategy RollingUpdate; remove it or change the strategy",
        lambda r: r.rolling_update is None or r.strategy == "RollingUpdate",
    ),
    Rule(
        "self.progressDeadlineSeconds > self.minReadySeconds",
        "progressDeadlineSeconds must be above minReadySeconds",
        lambda r: r.progress_deadline_seconds > r.min_ready_seconds,
    ),
)
ROLLING_UPDATE = (
    Rule(
        "!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
        "maxSurge and maxUnavailable are both 0, so nothing could ever roll; raise one of them",
        lambda r: not (str(r.max_surge) in ("0", "0%") and str(r.max_unavailable) in ("0", "0%")),
    ),
)


def milliseconds(duration: str) -> int:
    """Of a Gateway API duration (GEP-2257), such as 1m30s."""
    units = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    return sum(int(number) * units[unit] for number, unit in _durations(duration))


def _durations(duration: str) -> Iterator[tuple[str, str]]:
    number = unit = ""
    for character in duration + "0":
        if character.isdigit() and unit:
            yield number, unit
            number, unit = "", ""
        if character.isdigit():
            number += character
        else:
            unit += character


def _bounds(requests: Any, limits: Any) -> Iterator[tuple[str, str]]:
    for field in ("cpu", "memory", "ephemeral_storage"):
        low, high = getattr(requests, field, None), getattr(limits, field, None)
        if low is not None and high is not None:
            yield low, high


def _one_success(probe: Any) -> bool:
    return probe is None or probe.success_threshold in (None, 1)


def _whole_number(values: tuple[str, ...]) -> bool:
    return not values or (len(values) == 1 and values[0].isascii() and values[0].isdigit())


def _network(cidr: str) -> bool:
    try:
        return bool(ip_network(cidr, strict=True))
    except ValueError:
        return False


def _inside(inner: str, outer: str) -> bool:
    if not _network(inner):
        return False
    small, large = ip_network(inner), ip_network(outer)
    same = small.version == large.version
    return same and small != large and small.subnet_of(large)  # type: ignore[arg-type]
