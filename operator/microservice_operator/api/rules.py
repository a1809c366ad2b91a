"""Every rule between fields, once: as CEL for the API server and as Python for older objects.

A rule sits on the deepest node that holds its fields: validation ratchets per node, so a rule
added to `spec` or the root later would refuse changes of unrelated fields of old objects.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from re import fullmatch
from typing import Any

from microservice_operator.api import quantity
from microservice_operator.api.model import Rule

SAME_GATEWAY = (
    "q.name == p.name && (has(q.__namespace__) ? q.__namespace__ : '')"
    " == (has(p.__namespace__) ? p.__namespace__ : '')"
)
SAME_LISTENER = (
    "(has(q.sectionName) ? q.sectionName : '') == (has(p.sectionName) ? p.sectionName : '')"
)


def one(*names: str) -> str:
    return f"[{', '.join(f'has(self.{name})' for name in names)}].exists_one(x, x)"


def given(value: Any, *fields: str) -> int:
    return sum(getattr(value, field) is not None for field in fields)


def distinct(values: Iterable[Any]) -> bool:
    seen = list(values)
    return len(set(seen)) == len(seen)


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
        " || (size(self.values) == 1 && self.values[0].matches('^[0-9]{1,18}$'))",
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
    Rule(
        "!has(self.averageValue)"
        " || quantity(string(self.averageValue)).isGreaterThan(quantity('0'))",
        "averageValue must be above 0",
        lambda t: t.average_value is None or quantity.amount(t.average_value) > 0,
    ),
)
SPREAD = (
    Rule(
        "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
        "minDomains works with whenUnsatisfiable DoNotSchedule only",
        lambda s: s.min_domains is None or s.when_unsatisfiable == "DoNotSchedule",
    ),
)
PARENTS = (
    Rule(
        f"self.all(p, self.exists_one(q, {SAME_GATEWAY} && {SAME_LISTENER}))",
        "two parentRefs are the same; remove one",
        lambda parents: distinct((p.namespace, p.name, p.section_name) for p in parents),
    ),
    Rule(
        f"self.all(p, has(p.sectionName) || self.exists_one(q, {SAME_GATEWAY}))",
        "of several parentRefs to one Gateway, each needs a sectionName",
        lambda parents: all(p.section_name or _alone(p, parents) for p in parents),
    ),
)
IP_BLOCK = (
    Rule(
        "isCIDR(self.cidr) && cidr(self.cidr) == cidr(self.cidr).masked()",
        "cidr must be a network such as 203.0.113.0/24, without host bits",
        lambda b: _network(b.cidr),
    ),
    Rule(
        "!has(self.except) || !isCIDR(self.cidr) || self.except.all(e, isCIDR(e)"
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


def _whole_number(values: tuple[str, ...]) -> bool:
    return not values or (len(values) == 1 and fullmatch("[0-9]{1,18}", values[0]) is not None)


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


def _alone(parent: Any, parents: tuple[Any, ...]) -> bool:
    gateways = [(p.namespace, p.name) for p in parents]
    return gateways.count((parent.namespace, parent.name)) == 1
