"""Rules between the fields of containers and volumes: see `rules` for how they are said."""

from collections.abc import Iterator
from typing import Any

from microservice_operator.api import quantity
from microservice_operator.api.model import Rule
from microservice_operator.api.rules import distinct, given, one


def _first_success(probe: str) -> str:
    return (
        f"!has(self.{probe}) || !has(self.{probe}.successThreshold)"
        f" || self.{probe}.successThreshold == 1"
    )


ENV = (
    Rule(
        "!(has(self.value) && has(self.valueFrom))",
        "a variable has a value or a valueFrom; remove one of them",
        lambda e: given(e, "value", "value_from") < 2,
    ),
)
ENV_SOURCE = (
    Rule(
        one("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"),
        "name exactly one source: fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef",
        lambda s: (
            given(s, "field_ref", "resource_field_ref", "config_map_key_ref", "secret_key_ref") == 1
        ),
    ),
)
RESOURCE_FIELD = (
    Rule(
        "!has(self.divisor) || (self.resource.endsWith('.cpu') ? self.divisor in ['1', '1m']"
        " : self.divisor != '1m')",
        "the divisor does not fit: cpu is counted in 1 or 1m, memory and storage in 1 and above",
        lambda r: (
            r.divisor is None
            or (r.divisor in ("1", "1m") if r.resource.endswith(".cpu") else r.divisor != "1m")
        ),
    ),
)
ENV_FROM = (
    Rule(
        one("configMapRef", "secretRef"),
        "name exactly one source: configMapRef or secretRef",
        lambda s: given(s, "config_map_ref", "secret_ref") == 1,
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
        one("exec", "httpGet", "tcpSocket", "grpc"),
        "a probe has exactly one of exec, httpGet, tcpSocket and grpc",
        lambda p: given(p, "exec", "http_get", "tcp_socket", "grpc") == 1,
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
        one("exec", "httpGet", "sleep"),
        "a hook has exactly one of exec, httpGet and sleep",
        lambda h: given(h, "exec", "http_get", "sleep") == 1,
    ),
)
INIT_CONTAINER = (
    Rule(
        "has(self.restartPolicy)"
        " || !(has(self.startupProbe) || has(self.readinessProbe) || has(self.livenessProbe))",
        "only a sidecar has probes; set restartPolicy to Always or remove the probes",
        lambda c: (
            c.restart_policy is not None
            or given(c, "startup_probe", "readiness_probe", "liveness_probe") == 0
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
        one("emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"),
        "a volume is exactly one of emptyDir, persistentVolumeClaim, configMap, secret, projected",
        lambda v: (
            given(v, "empty_dir", "persistent_volume_claim", "config_map", "secret", "projected")
            == 1
        ),
    ),
    Rule(
        "!self.name.startsWith('microservice-')",
        "volume names that start with microservice- are the operator's; choose another name",
        lambda v: not v.name.startswith("microservice-"),
    ),
)
TWICE = "two sources of a projected volume write to one path; change one of them"
PROJECTION = (
    Rule(
        one("configMap", "secret", "downwardAPI", "serviceAccountToken"),
        "a source has exactly one of configMap, secret, downwardAPI and serviceAccountToken",
        lambda s: given(s, "config_map", "secret", "downward_api", "service_account_token") == 1,
    ),
)
DOWNWARD_FILE = (
    Rule(
        one("fieldRef", "resourceFieldRef"),
        "a file has exactly one of fieldRef and resourceFieldRef",
        lambda f: given(f, "field_ref", "resource_field_ref") == 1,
    ),
    Rule(
        "!has(self.resourceFieldRef) || has(self.resourceFieldRef.containerName)",
        "in a file, resourceFieldRef needs a containerName",
        lambda f: f.resource_field_ref is None or f.resource_field_ref.container_name is not None,
    ),
)
PROJECTED = (
    Rule("", TWICE, lambda p: distinct(_paths(p))),  # too dear for CEL
)


def _bounds(requests: Any, limits: Any) -> Iterator[tuple[str, str]]:
    for field in ("cpu", "memory", "ephemeral_storage"):
        low, high = getattr(requests, field, None), getattr(limits, field, None)
        if low is not None and high is not None:
            yield low, high


def _one_success(probe: Any) -> bool:
    return probe is None or probe.success_threshold in (None, 1)


def _paths(projected: Any) -> Iterator[str]:
    for source in projected.sources:
        for part in (source.config_map, source.secret, source.downward_api):
            yield from (item.path for item in part.items if part is not None) if part else ()
        if source.service_account_token:
            yield source.service_account_token.path
