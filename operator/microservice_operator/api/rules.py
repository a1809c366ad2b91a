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
        lambda s: _given(s, "field_ref", "resource_field_ref", "config_map_key_ref", "secret_key_ref") == 1,
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
            f"quantity(string(self.requests.{f})).compareTo(quantity(string(self.limits.{f}))) <= 0)"
            for f in ("cpu", "memory", "ephemeral__dash__storage")
        )
        + ")",
        "a request is above its limit; lower the request or raise the limit",
        lambda r: all(
            quantity.amount(low) <= quantity.amount(high) for low, high in _bounds(r.requests, r.limits)
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
        "!has(self.startup) || !has(self.startup.successThreshold) || self.startup.successThreshold == 1",
        ONE_SUCCESS,
        lambda p: _one_success(p.startup),
    ),
    Rule(
        "!has(self.liveness) || !has(self.liveness.successThreshold) || self.liveness.successThreshold == 1",
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
        "has(self.restartPolicy) || (!has(self.startupProbe) && !has(self.readinessProbe) && !has(self.livenessProbe))",
        "only a sidecar has probes; set restartPolicy to Always or remove the probes",
        lambda c: c.restart_policy is not None
        or _given(c, "startup_probe", "readiness_probe", "liveness_probe") == 0,
    ),
    Rule(
        "!has(self.startupProbe) || !has(self.startupProbe.successThreshold) || self.startupProbe.successThreshold == 1",
        ONE_SUCCESS,
        lambda c: _one_success(c.startup_probe),
    ),
    Rule(
        "!has(self.livenessProbe) || !has(self.livenessProbe.successThreshold) || self.livenessProbe.successThreshold == 1",
        ONE_SUCCESS,
        lambda c: _one_success(c.liveness_probe),
    ),
    Rule(
        "!has(self.readinessProbe) || !has(self.readinessProbe.terminationGracePeriodSeconds)",
        "a readiness probe ends no container; remove its terminationGracePeriodSeconds",
        lambda c: c.readiness_probe is None
        or c.readiness_probe.termination_grace_period_seconds is None,
    ),
)
VOLUME = (
    Rule(
        _one("emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"),
        "a volume has exactly one of emptyDir, persistentVolumeClaim, configMap, secret and projected",
        lambda v: _given(v, "empty_dir", "persistent_volume_claim", "config_map", "secret", "projected") == 1,
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
        "self.operator in ['Exists', 'DoesNotExist'] ? (!has(self.values) || size(self.values) == 0)"
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
        "give the block that type names: resource for Resource, containerResource for ContainerResource",
        lambda m: (m.resource is not None) == (m.type == "Resource")
        and (m.container_resource is not None) == (m.type == "ContainerResource"),
    ),
)
METRIC_TARGET = (
    Rule(
        "has(self.averageUtilization) == (self.type == 'Utilization')"
        " && has(self.averageValue) == (self.type == 'AverageValue')",
        "give the value that type names: averageUtilization for Utilization, averageValue for AverageValue",
        lambda t: (t.average_utilization is not None) == (t.type == "Utilization")
        and (t.average_value is not None) == (t.type == "AverageValue"),
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
        " && cidr(self.cidr).containsCIDR(cidr(e)) && cidr(e).prefixLength() > cidr(self.cidr).prefixLength())",
        "every entry of except must be a smaller network inside cidr",
        lambda b: not _network(b.cidr) or all(_inside(entry, b.cidr) for entry in b.except_ or ()),
    ),
)
PEER = (
    Rule(
        "has(self.ipBlock) ? (!has(self.podSelector) && !has(self.namespaceSelector))"
        " : (has(self.podSelector) || has(self.namespaceSelector))",
        "a peer has an ipBlock, or a podSelector and a namespaceSelector or one of them",
        lambda p: (p.ip_block is not None)
        != (p.pod_selector is not None or p.namespace_selector is not None),
    ),
)
POLICY_PORT = (
    Rule(
        "!has(self.endPort) || (has(self.port) && type(self.port) == int && self.port <= self.endPort)",
        "endPort needs a port number that is not above it",
        lambda p: p.end_port is None or (isinstance(p.port, int) and p.port <= p.end_port),
    ),
)
TIMEOUTS = (
    Rule(
        "!has(self.request) || !has(self.backendRequest) || self.request == '0s'"
        " || duration(self.backendRequest) <= duration(self.request)",
        "backendRequest must not be longer than request",
        lambda t: t.request is None
        or t.backend_request is None
        or milliseconds(t.request) == 0
        or milliseconds(t.backend_request) <= milliseconds(t.request),
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
SPEC = (
    Rule(
        "!(has(self.replicas) && has(self.autoscaling))",
        "replicas and autoscaling exclude each other; remove one of them",
        lambda s: s.replicas is None or s.autoscaling is None,
    ),
    Rule(
        "!has(self.routes) || self.routes.all(r, !has(r.port) || self.ports.exists(p, p.name == r.port))",
        "a route's port names no entry of spec.ports",
        lambda s: all(r.port is None or r.port in _names(s) for r in s.routes),
    ),
    Rule(
        "!has(self.routes) || size(self.routes) == 0 || size(self.ports) > 0",
        "a route needs a port to send requests to; add an entry to spec.ports or remove the routes",
        lambda s: not s.routes or bool(s.ports),
    ),
    Rule(
        "!has(self.routes) || self.routes.all(r, self.ports.all(p, p.protocol == 'TCP' ||"
        " (has(r.port) ? p.name != r.port : p.name != self.ports[0].name)))",
        "a route leads to a TCP port; set its port to the name of one",
        lambda s: all(p.protocol == "TCP" for p in _routed(s)),
    ),
    Rule(
        "!has(self.observability) || !has(self.observability.metrics)"
        " || self.ports.exists(p, p.name == self.observability.metrics.port)",
        "observability.metrics.port names no entry of spec.ports",
        lambda s: s.metrics is None or s.metrics.port in _names(s),
    ),
    Rule(
        "!has(self.volumeMounts) || self.volumeMounts.all(m, has(self.volumes)"
        " && self.volumes.exists(v, v.name == m.name))",
        "a volumeMount names no entry of spec.volumes",
        lambda s: all(m.name in _volumes(s) for m in s.volume_mounts),
    ),
    Rule(
        "!has(self.initContainers) || self.initContainers.all(c, !has(c.volumeMounts)"
        " || c.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name)))",
        "a volumeMount of an initContainer names no entry of spec.volumes",
        lambda s: all(
            m.name in _volumes(s) for c in s.init_containers for m in c.volume_mounts
        ),
    ),
    Rule(
        "!has(self.access) || !has(self.access.ingress) || self.access.ingress.all(r, !has(r.ports)"
        " || r.ports.all(p, !has(p.port) || type(p.port) == int || self.ports.exists(q, q.name == p.port)))",
        "a port of access.ingress names no entry of spec.ports",
        lambda s: all(p in _names(s) for p in _ingress_names(s)),
    ),
    Rule(
        "!has(self.lifecycle) || !has(self.lifecycle.preStop) || !has(self.lifecycle.preStop.sleep)"
        " || self.lifecycle.preStop.sleep.seconds <= self.terminationGracePeriodSeconds",
        "preStop sleeps longer than terminationGracePeriodSeconds; shorten it or raise the other",
        lambda s: _sleep(s, "pre_stop") <= s.termination_grace_period_seconds,
    ),
    Rule(
        "!has(self.lifecycle) || !has(self.lifecycle.postStart) || !has(self.lifecycle.postStart.sleep)"
        " || self.lifecycle.postStart.sleep.seconds <= self.terminationGracePeriodSeconds",
        "postStart sleeps longer than terminationGracePeriodSeconds; shorten it or raise the other",
        lambda s: _sleep(s, "post_start") <= s.termination_grace_period_seconds,
    ),
)
NAMED_PORTS = tuple(
    Rule(
        f"!has(self.{part}) || !has(self.{part}.{action}) || !has(self.{part}.{action}.{handler})"
        f" || type(self.{part}.{action}.{handler}.port) == int"
        f" || self.ports.exists(p, p.name == self.{part}.{action}.{handler}.port)",
        f"the port of {part}.{action}.{handler} names no entry of spec.ports",
        lambda s, path=(part, field, inner): _port_exists(s, s, *path),
    )
    for part, action, field in (
        ("probes", "startup", "startup"),
        ("probes", "readiness", "readiness"),
        ("probes", "liveness", "liveness"),
        ("lifecycle", "postStart", "post_start"),
        ("lifecycle", "preStop", "pre_stop"),
    )
    for handler, inner in (("httpGet", "http_get"), ("tcpSocket", "tcp_socket"))
    if (part, handler) != ("lifecycle", "tcpSocket")
) + tuple(
    Rule(
        f"!has(self.initContainers) || self.initContainers.all(c, !has(c.{probe})"
        f" || !has(c.{probe}.{handler}) || type(c.{probe}.{handler}.port) == int"
        f" || self.ports.exists(p, p.name == c.{probe}.{handler}.port))",
        f"the port of {probe}.{handler} of an initContainer names no entry of spec.ports",
        lambda s, path=(field, inner): all(_port_exists(s, c, *path) for c in s.init_containers),
    )
    for probe, field in (
        ("startupProbe", "startup_probe"),
        ("readinessProbe", "readiness_probe"),
        ("livenessProbe", "liveness_probe"),
    )
    for handler, inner in (("httpGet", "http_get"), ("tcpSocket", "tcp_socket"))
)
ROOT = (
    {
        "rule": "size(self.metadata.name) <= 46"
        " && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')"
        " && !self.metadata.name.endsWith('-candidate')",
        "message": "metadata.name must be at most 46 lower-case letters, digits and hyphens, start"
        " with a letter, end with a letter or digit and not with -candidate; choose another name",
    },
    {
        "rule": "!has(self.spec.initContainers)"
        " || self.spec.initContainers.all(c, c.name != self.metadata.name)",
        "message": "the main container has the MicroService's name; rename the initContainer",
    },
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


def _names(spec: Any) -> set[str]:
    return {port.name for port in spec.ports}


def _volumes(spec: Any) -> set[str]:
    return {volume.name for volume in spec.volumes}


def _routed(spec: Any) -> Iterator[Any]:
    for route in spec.routes:
        yield from (p for p in spec.ports if p.name == (route.port or spec.ports[0].name))


def _ingress_names(spec: Any) -> Iterator[str]:
    for rule in spec.access.ingress:
        yield from (p.port for p in rule.ports if isinstance(p.port, str))


def _sleep(spec: Any, hook: str) -> int:
    handler = getattr(spec.lifecycle, hook, None)
    return handler.sleep.seconds if handler is not None and handler.sleep is not None else 0


def _port_exists(spec: Any, part: Any, *path: str) -> bool:
    """Whether the port at `path` below `part` is a number, absent, or a name of spec.ports."""
    for step in (*path, "port"):
        part = getattr(part, step, None)
    return not isinstance(part, str) or part in _names(spec)
