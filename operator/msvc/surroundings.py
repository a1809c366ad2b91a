"""What belongs to a Deployment: Services, autoscaler, budget, policies and routes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Objects of the Deployment's namespace, whether they have to do with it or not."""

    services: tuple[Body, ...] = ()
    autoscalers: tuple[Body, ...] = ()
    budgets: tuple[Body, ...] = ()
    policies: tuple[Body, ...] = ()
    routes: tuple[Body, ...] = ()
    ingresses: tuple[Body, ...] = ()


def fields(
    name: str, deployment: Body, main: str, around: Surroundings, notes: list[str]
) -> dict[str, Any]:
    """Of the spec. `main` is the name of the main container."""
    labels = (deployment["spec"]["template"].get("metadata") or {}).get("labels") or {}
    services = [service for service in around.services if _leads_to(service, labels)]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    ports = _ports(services, containers)
    if main != name:
        notes.append(f"the main container {main} is called {name}")
    _taking_over(name, deployment, services, notes)
    return {
        "ports": ports,
        **_size(name, deployment, main, around, notes),
        **_budget(around, labels, notes),
        **_access(around, labels, port_numbers(containers)),
        **_routes(around, services, ports, notes),
    }


def port_numbers(containers: Iterable[Body]) -> dict[str, int]:
    """Of named container ports."""
    return {
        port["name"]: port["containerPort"]
        for container in containers
        for port in container.get("ports") or ()
        if "name" in port
    }


def _leads_to(service: Body, labels: Body) -> bool:
    selector = service["spec"].get("selector") or {}
    return bool(selector) and selector.items() <= labels.items()


def _selects(selector: Body | None, labels: Body) -> bool:
    """Of a meta/v1 LabelSelector; one with expressions is taken to select."""
    wanted = (selector or {}).get("matchLabels") or {}
    return bool(wanted.items() <= labels.items())


def _ports(services: Iterable[Body], containers: list[Body]) -> list[dict[str, Any]]:
    """Of every Service, each number once; without any Service, a worker."""
    numbers = port_numbers(containers)
    names = {number: name for name, number in numbers.items()}
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for service in services:
        for port in service["spec"].get("ports") or ():
            target = port.get("targetPort", port["port"])
            named = numbers.get(target, port["port"]) if isinstance(target, str) else target
            number = int(named)
            called = port.get("name") or names.get(number) or "http"
            if called in (other["name"] for other in found.values()):
                called = f"p-{port['port']}"
            entry = {"name": called, "port": port["port"]}
            more = {"targetPort": number} if number != port["port"] else {}
            more |= {key: port[key] for key in ("protocol", "appProtocol") if key in port}
            found.setdefault((port["port"], port.get("protocol", "TCP")), entry | more)
    return list(found.values())


def _size(
    name: str, deployment: Body, main: str, around: Surroundings, notes: list[str]
) -> dict[str, Any]:
    for scaler in around.autoscalers:
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"]):
            given = {k: v for k, v in scaler["spec"].items() if k != "scaleTargetRef"}
            metrics = [_of_container(metric, main, name) for metric in given.get("metrics") or ()]
            measured = [m for m in metrics if m["type"] in ("Resource", "ContainerResource")]
            for metric in (m for m in metrics if m not in measured):
                notes.append(f"the autoscaler's metric of type {metric['type']} is not kept")
            return {"autoscaling": given | ({"metrics": measured} if measured else {})}
    return {"replicas": deployment["spec"].get("replicas", 1)}


def _of_container(metric: Body, main: str, name: str) -> Body:
    source = metric.get("containerResource") or {}
    if source.get("container") != main:
        return metric
    return {**metric, "containerResource": {**source, "container": name}}


def _budget(around: Surroundings, labels: Body, notes: list[str]) -> dict[str, Any]:
    for budget in around.budgets:
        if not _selects(budget["spec"].get("selector"), labels):
            continue
        if "maxUnavailable" in budget["spec"]:
            return {"availability": {"maxUnavailable": budget["spec"]["maxUnavailable"]}}
        notes.append(
            f"minAvailable of PodDisruptionBudget {budget['metadata']['name']} is not kept:"
            " say in availability.maxUnavailable how many pods may be away"
        )
    return {}


def _access(around: Surroundings, labels: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    """Without any policy everybody may in, whatever the operator's setting is."""
    ours = [p for p in around.policies if _selects(p["spec"].get("podSelector"), labels)]
    if not ours:
        return {"access": {"isolation": "None"}}
    types = {kind for policy in ours for kind in policy["spec"].get("policyTypes") or ["Ingress"]}
    ingress = [_rule(rule, numbers) for p in ours for rule in p["spec"].get("ingress") or ()]
    egress = [rule for policy in ours for rule in policy["spec"].get("egress") or ()]
    isolation = "Full" if "Egress" in types else "Ingress"
    rules = {"ingress": ingress if "Ingress" in types else [{}], "egress": egress}
    return {"access": {"isolation": isolation, **{k: v for k, v in rules.items() if v}}}


def _rule(rule: Body, numbers: Mapping[str, int]) -> dict[str, Any]:
    """A policy means ports of containers, whose names are gone."""
    ports = [
        {**port, "port": numbers[port["port"]]} if port.get("port") in numbers else port
        for port in rule.get("ports") or ()
    ]
    return {**rule, **({"ports": ports} if ports else {})}


def _routes(
    around: Surroundings, services: list[Body], ports: list[dict[str, Any]], notes: list[str]
) -> dict[str, Any]:
    names = {service["metadata"]["name"] for service in services}
    entries = [entry for route in around.routes for entry in _entries(route, names, ports)]
    for ingress in around.ingresses:
        if names & set(_backends(ingress)):
            notes.append(
                f"Ingress {ingress['metadata']['name']} is not kept: routes are HTTPRoutes of a"
                " Gateway"
            )
    if entries:
        entries[0]["name"] = "main"
    return {"routes": entries} if entries else {}


def _entries(route: Body, names: set[str], ports: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    parents = [
        {key: ref[key] for key in ("name", "namespace", "sectionName") if key in ref}
        for ref in route["spec"].get("parentRefs") or ()
    ]
    for index, rule in enumerate(route["spec"].get("rules") or ()):
        backends = [ref for ref in rule.get("backendRefs") or () if ref.get("name") in names]
        if not backends:
            continue
        number = backends[0].get("port")
        yield {
            "name": f"{route['metadata']['name']}-{index}".replace(".", "-"),
            "hostnames": route["spec"].get("hostnames"),
            "parentRefs": parents,
            "port": next((p["name"] for p in ports if p["port"] == number), None),
            **{key: value for key, value in rule.items() if key not in ("name", "backendRefs")},
        }


def _backends(ingress: Body) -> Iterator[str]:
    spec = ingress["spec"]
    paths = [
        p for rule in spec.get("rules") or () for p in (rule.get("http") or {}).get("paths", ())
    ]
    backends = [spec.get("defaultBackend") or {}, *(path["backend"] for path in paths)]
    yield from (b["service"]["name"] for b in backends if "service" in b)


def _taking_over(name: str, deployment: Body, services: list[Body], notes: list[str]) -> None:
    for kind, body in (("Deployment", deployment), *(("Service", s) for s in services)):
        if body["metadata"]["name"] == name:
            notes.append(
                f"the operator never takes over {kind} {name}, which it did not make: give the"
                f" MicroService another name, or delete the {kind} first"
            )
    for service in services:
        called, spec = service["metadata"]["name"], service["spec"]
        if called != name:
            notes.append(f"callers of Service {called} have to call {name}")
        if spec.get("type", "ClusterIP") != "ClusterIP" or spec.get("clusterIP") == "None":
            notes.append(f"Service {called} is {_sort(spec)}: a MicroService has a ClusterIP only")


def _sort(spec: Body) -> str:
    return "headless" if spec.get("clusterIP") == "None" else f"of type {spec['type']}"
