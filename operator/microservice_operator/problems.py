"""What is wrong or unwise in a spec, where it is and what to do: never a reason to refuse it."""

from collections.abc import Callable, Iterator

from microservice_operator.api.autoscaling import Metric
from microservice_operator.api.platform import Platform
from microservice_operator.api.service import MicroService
from microservice_operator.conditions import route_trouble, shortened
from microservice_operator.desired import route
from microservice_operator.desired.policy import isolation
from microservice_operator.observed import Observed
from microservice_operator.plan import served

Problem = dict[str, str]
MOST = 16


def problems(service: MicroService, seen: Observed, platform: Platform) -> list[Problem]:
    found = (problem for check in CHECKS for problem in check(service, seen, platform))
    return list(found)[:MOST]


def _problem(path: str, severity: str, reason: str, message: str, fix: str) -> Problem:
    return {
        "path": path,
        "severity": severity,
        "reason": reason,
        "message": shortened(message),
        "fix": fix,
    }


def _refused_routes(service: MicroService, seen: Observed, platform: Platform) -> Iterator[Problem]:
    if not served(route.KIND, seen):
        return
    for entry in service.spec.routes:
        trouble = route_trouble(service, entry, seen, platform)
        if trouble is None or trouble[0] == "Pending":
            continue
        fix = "correct parentRefs and hostnames, or let the Gateway's listener allow this namespace"
        yield _problem(f".spec.routes[{entry.name}]", "Error", *trouble, fix)


def _foreign_gateways(
    service: MicroService, seen: Observed, platform: Platform
) -> Iterator[Problem]:
    """We only know the pods of the Gateway in the settings."""
    if isolation(service, platform) == "None" or service.spec.access.ingress:
        return
    known = platform.gateway and (platform.gateway.namespace, platform.gateway.name)
    for entry in service.spec.routes:
        for parent in entry.parent_refs:
            if (parent.namespace or service.namespace, parent.name) != known:
                message = f"the NetworkPolicy does not let Gateway {parent.name} reach the pods"
                fix = "name its pods in spec.access.ingress"
                path = f".spec.routes[{entry.name}].parentRefs"
                yield _problem(path, "Warning", "GatewayNotAllowed", message, fix)


def _blocked_drains(service: MicroService, seen: Observed, platform: Platform) -> Iterator[Problem]:
    if service.floor >= 2 and service.spec.availability.max_unavailable in (0, "0%"):
        message = "no pod may ever be away, so no node with one of them can be drained"
        fix = "allow at least 1"
        path = ".spec.availability.maxUnavailable"
        yield _problem(path, "Warning", "BlocksDrains", message, fix)


def _rules_without_effect(
    service: MicroService, seen: Observed, platform: Platform
) -> Iterator[Problem]:
    level, access = isolation(service, platform), service.spec.access
    fix = "set spec.access.isolation to Full, or remove the rules"
    if access.ingress and level == "None":
        message = "isolation is None, so there is no NetworkPolicy and everybody reaches the pods"
        yield _problem(".spec.access.ingress", "Warning", "RulesWithoutEffect", message, fix)
    if access.egress and level != "Full":
        message = f"isolation is {level}, so the pods reach everything"
        yield _problem(".spec.access.egress", "Warning", "RulesWithoutEffect", message, fix)


def _unmeasurable(service: MicroService, seen: Observed, platform: Platform) -> Iterator[Problem]:
    if service.spec.autoscaling is None:
        return
    resources = service.spec.resources or platform.default_resources
    given = [r for r in (resources.requests, resources.limits) if r is not None]
    for index, name in enumerate(_by_utilization(service.spec.autoscaling.metrics)):
        if name and all(getattr(amounts, name) is None for amounts in given):
            message = f"use of {name} is measured against its request, and there is none"
            path = f".spec.autoscaling.metrics[{index}]"
            fix = f"set spec.resources.requests.{name}"
            yield _problem(path, "Warning", "NoRequest", message, fix)


def _by_utilization(metrics: tuple[Metric, ...]) -> Iterator[str]:
    if not metrics:
        yield "cpu"
    for metric in metrics:
        used = metric.resource
        yield used.name if used and used.target.type == "Utilization" else ""


def _shared_claims(service: MicroService, seen: Observed, platform: Platform) -> Iterator[Problem]:
    most = service.spec.autoscaling.max_replicas if service.spec.autoscaling else service.floor
    for volume in service.spec.volumes:
        if volume.persistent_volume_claim is not None and most > 1:
            claim = volume.persistent_volume_claim.claim_name
            message = f"several pods share the claim {claim}; most storage is for one node only"
            fix = "make sure that its access mode is ReadWriteMany or ReadOnlyMany"
            path = f".spec.volumes[{volume.name}]"
            yield _problem(path, "Warning", "SharedClaim", message, fix)


def _keys_not_allowed(
    service: MicroService, seen: Observed, platform: Platform
) -> Iterator[Problem]:
    given = service.spec.pod_metadata
    for field, keys in (("labels", given.labels), ("annotations", given.annotations)):
        for key in keys:
            if not platform.pod_metadata.allows(key):
                path = f".spec.podMetadata.{field}[{key}]"
                message = "the operator's settings do not allow this key, so no pod has it"
                fix = "remove it, or have it added to platform.podMetadata.allowed"
                yield _problem(path, "Warning", "KeyNotAllowed", message, fix)


def _untraceable(service: MicroService, seen: Observed, platform: Platform) -> Iterator[Problem]:
    if service.spec.tracing is None:
        return
    path = ".spec.observability.tracing"
    if platform.tracing is None:
        message = "the operator's settings name no endpoint for traces, so none are sent"
        fix = "remove it, or have platform.tracing.endpoint set"
        yield _problem(path, "Warning", "NoTracingEndpoint", message, fix)
    elif isolation(service, platform) == "Full" and platform.tracing.namespace is None:
        message = "isolation is Full, and the settings do not say which pods take the traces"
        fix = "name them in spec.access.egress, or have platform.tracing.namespace set"
        yield _problem(path, "Warning", "TracingNotAllowed", message, fix)


CHECKS: tuple[Callable[[MicroService, Observed, Platform], Iterator[Problem]], ...] = (
    _refused_routes,
    _foreign_gateways,
    _unmeasurable,
    _blocked_drains,
    _rules_without_effect,
    _shared_claims,
    _keys_not_allowed,
    _untraceable,
)
