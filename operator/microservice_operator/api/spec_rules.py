"""Rules between fields of the whole spec, and of the object: see `rules` for how they are said."""

from collections.abc import Callable, Iterator
from typing import Any

from microservice_operator.api.model import Rule


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


def _leads_to_a_port(*path: str) -> Callable[[Any], bool]:
    return lambda spec: _port_exists(spec, spec, *path)


def _inits_lead_to_ports(*path: str) -> Callable[[Any], bool]:
    return lambda spec: all(_port_exists(spec, c, *path) for c in spec.init_containers)


def _port_exists(spec: Any, part: Any, *path: str) -> bool:
    """Whether the port at `path` below `part` is a number, absent, or a name of spec.ports."""
    for step in (*path, "port"):
        part = getattr(part, step, None)
    return not isinstance(part, str) or part in _names(spec)


SPEC = (
    Rule(
        "!(has(self.replicas) && has(self.autoscaling))",
        "replicas and autoscaling exclude each other; remove one of them",
        lambda s: s.replicas is None or s.autoscaling is None,
    ),
    Rule(
        "!has(self.routes)"
        " || self.routes.all(r, !has(r.port) || self.ports.exists(p, p.name == r.port))",
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
        lambda s: all(m.name in _volumes(s) for c in s.init_containers for m in c.volume_mounts),
    ),
    Rule(
        "!has(self.access) || !has(self.access.ingress) || self.access.ingress.all(r, !has(r.ports)"
        " || r.ports.all(p, !has(p.port) || type(p.port) == int"
        " || self.ports.exists(q, q.name == p.port)))",
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
        "!has(self.lifecycle) || !has(self.lifecycle.postStart)"
        " || !has(self.lifecycle.postStart.sleep)"
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
        _leads_to_a_port(part, field, inner),
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
        _inits_lead_to_ports(field, inner),
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
