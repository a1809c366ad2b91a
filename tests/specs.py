"""Hypothesis strategies for legal specs, drawn from the models themselves.

A model's JSON schema says which fields there are and how they are bounded; what a rule between
fields demands is mended afterwards, model by model, instead of throwing most draws away.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from microservice_operator.api.spec import Spec

Body = dict[str, Any]
Draw = st.DrawFn

RAW = Spec.model_json_schema(by_alias=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
QUANTITIES = st.one_of(
    st.from_regex(r"[0-9]{1,5}m", fullmatch=True),
    st.from_regex(r"[0-9]{1,5}([.][0-9]{1,3})?(k|M|G|Ki|Mi|Gi)?", fullmatch=True),
    st.integers(0, 10000),
)
NETWORKS = (("10.0.0.0/8", ["10.1.0.0/16", "10.2.3.0/24"]), ("2001:db8::/32", ["2001:db8:1::/48"]))


@st.composite
def specs(draw: Draw) -> Body:
    return draw(_model("Spec"))


@cache
def _model(name: str) -> st.SearchStrategy[Body]:
    raw = RAW if name == "Spec" else RAW["$defs"][name]
    fields = {field: _field(node) for field, node in raw["properties"].items()}
    return _body(name, fields, tuple(raw.get("required", ())))


@st.composite
def _body(
    draw: Draw, name: str, fields: dict[str, st.SearchStrategy[Any]], required: tuple[str, ...]
) -> Body:
    """A few fields at a time: Hypothesis throws draws away that grow too large."""
    optional = [field for field in fields if field not in required]
    few = st.lists(st.sampled_from(optional), unique=True, max_size=4 if name == "Spec" else 3)
    chosen = {*required, *(draw(few) if optional else ())}
    body = {field: draw(strategy) for field, strategy in fields.items() if field in chosen}
    if name in MENDS:
        MENDS[name](draw, body)
    return body


def _field(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        return st.deferred(lambda: _model(node["$ref"].rpartition("/")[2]))
    if node.get("x-kubernetes-int-or-string"):
        return _number_or_string(node)
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if options:
        return _field(options[0])
    if "enum" in node or "const" in node:
        return st.sampled_from(node.get("enum", [node.get("const")]))
    return TYPES[node["type"]](node)


def _number_or_string(node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if "%" in node["pattern"]:
        return st.one_of(st.integers(0, 20), st.integers(0, 100).map("{}%".format))
    return st.integers(1, 65535) if node.get("minimum") == 1 else QUANTITIES


def _array(node: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    keys = node.get("x-kubernetes-list-map-keys")
    unique = (lambda item: tuple(item.get(key) for key in keys)) if keys else None
    most = min(2, node["maxItems"])
    return st.lists(
        _field(node["items"]), min_size=node.get("minItems", 0), max_size=most, unique_by=unique
    )


def _string(node: Mapping[str, Any]) -> st.SearchStrategy[str]:
    low, high = node.get("minLength", 0), min(node.get("maxLength", 12), 40)
    if "pattern" not in node:
        return TEXT.filter(lambda text: low <= len(text) <= high)
    ascii_only = re.compile(node["pattern"], re.ASCII)
    text = st.from_regex(ascii_only, fullmatch=False, alphabet=st.characters(codec="ascii"))
    shown = text.filter(lambda drawn: low <= len(drawn) <= high and drawn.isprintable())
    return shown.filter(lambda drawn: ascii_only.search(drawn) is not None)


def _map(node: Mapping[str, Any]) -> st.SearchStrategy[Body]:
    (values,) = node["patternProperties"].values()
    keys = st.sampled_from(["app", "team", "example.com/tier", "A_b.c"])
    return st.dictionaries(keys, _field(values), max_size=3)


TYPES: dict[str, Callable[[Mapping[str, Any]], st.SearchStrategy[Any]]] = {
    "array": _array,
    "boolean": lambda node: st.booleans(),
    "integer": lambda node: st.integers(node["minimum"], node["maximum"]),
    "object": _map,
    "string": _string,
}


def _one_of(*fields: str) -> Callable[[Draw, Body], None]:
    """Exactly one of the fields: one that was drawn, or the first as a last resort."""
    return lambda draw, body: _keep_one(draw, body, fields)


def _keep_one(draw: Draw, body: Body, fields: tuple[str, ...]) -> None:
    given = [field for field in fields if field in body]
    kept = draw(st.sampled_from(given or list(fields)))
    for field in given:
        if field != kept:
            del body[field]
    if not given:
        body[kept] = draw(EXAMPLES[kept])


EXAMPLES: dict[str, st.SearchStrategy[Any]] = {
    "fieldRef": st.just({"fieldPath": "metadata.name"}),
    "resourceFieldRef": st.just({"resource": "limits.cpu", "containerName": "a"}),
    "configMapKeyRef": st.just({"name": "a", "key": "b"}),
    "secretKeyRef": st.just({"name": "a", "key": "b"}),
    "configMapRef": st.just({"name": "a"}),
    "secretRef": st.just({"name": "a"}),
    "exec": st.just({"command": ["true"]}),
    "httpGet": st.just({"port": 8080}),
    "tcpSocket": st.just({"port": 8080}),
    "grpc": st.just({"port": 8080}),
    "sleep": st.just({"seconds": 1}),
    "emptyDir": st.just({}),
    "persistentVolumeClaim": st.just({"claimName": "a"}),
    "configMap": st.just({"name": "a"}),
    "secret": st.just({"secretName": "a"}),
    "projected": st.just({"sources": [{"secret": {"name": "a"}}]}),
    "serviceAccountToken": st.just({"path": "token"}),
    "downwardAPI": st.just({"items": []}),
    "podSelector": st.just({}),
    "namespaceSelector": st.just({}),
    "value": st.just("x"),
    "valueFrom": st.just({"secretKeyRef": {"name": "a", "key": "b"}}),
}


def _drop(body: Body, *fields: str) -> None:
    for field in fields:
        body.pop(field, None)


def _env(draw: Draw, body: Body) -> None:
    if "value" in body and "valueFrom" in body:
        del body[draw(st.sampled_from(["value", "valueFrom"]))]


def _resource_field(draw: Draw, body: Body) -> None:
    cpu = body["resource"].endswith(".cpu")
    if "divisor" in body and cpu != (body["divisor"] in ("1", "1m")):
        del body["divisor"]


def _resources(draw: Draw, body: Body) -> None:
    if "requests" in body:
        _drop(body, "limits")


def _probes(draw: Draw, body: Body) -> None:
    for name in ("startup", "liveness", "startupProbe", "livenessProbe"):
        _drop(body.get(name, {}), "successThreshold")
    for name in ("readiness", "readinessProbe"):
        _drop(body.get(name, {}), "terminationGracePeriodSeconds")


def _init_container(draw: Draw, body: Body) -> None:
    if "restartPolicy" not in body:
        _drop(body, "startupProbe", "readinessProbe", "livenessProbe")
    _probes(draw, body)


def _volume(draw: Draw, body: Body) -> None:
    _keep_one(draw, body, ("emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"))


def _projection(draw: Draw, body: Body) -> None:
    _keep_one(draw, body, ("configMap", "secret", "downwardAPI", "serviceAccountToken"))
    if "secret" in body and "name" not in body["secret"]:
        body["secret"] = {"name": "a"}


def _projected(draw: Draw, body: Body) -> None:
    """Paths must differ over all sources."""
    number = 0
    for source in body["sources"]:
        (part,) = source.values()
        for item in [part] if "path" in part else part.get("items", []):
            item["path"], number = f"{number}/{item['path']}", number + 1


def _downward_file(draw: Draw, body: Body) -> None:
    _keep_one(draw, body, ("fieldRef", "resourceFieldRef"))
    if "resourceFieldRef" in body:
        body["resourceFieldRef"].setdefault("containerName", "a")


def _toleration(draw: Draw, body: Body) -> None:
    if "key" not in body:
        body["operator"] = "Exists"
    if body.get("operator") == "Exists":
        _drop(body, "value")
    if body.get("effect") != "NoExecute":
        _drop(body, "tolerationSeconds")


def _expression(draw: Draw, body: Body) -> None:
    if body["operator"] in ("Exists", "DoesNotExist"):
        _drop(body, "values")
    elif body["operator"] in ("Gt", "Lt"):
        body["values"] = [str(draw(st.integers(0, 1000)))]
    else:
        body["values"] = body.get("values") or ["a"]


def _spread(draw: Draw, body: Body) -> None:
    if body["whenUnsatisfiable"] != "DoNotSchedule":
        _drop(body, "minDomains")


def _autoscaling(draw: Draw, body: Body) -> None:
    low, high = sorted((body.get("minReplicas", 1), body["maxReplicas"]))
    body.update(minReplicas=low, maxReplicas=high)


def _metric(draw: Draw, body: Body) -> None:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    if body["type"] == "Resource":
        _drop(body, "containerResource")
        body.setdefault("resource", cpu)
    else:
        _drop(body, "resource")
        body.setdefault("containerResource", cpu | {"container": "a"})


def _metric_target(draw: Draw, body: Body) -> None:
    if body["type"] == "Utilization":
        _drop(body, "averageValue")
        body.setdefault("averageUtilization", 70)
    else:
        _drop(body, "averageUtilization")
        body["averageValue"] = draw(st.sampled_from(["1", "1500m", "1024Mi", 3, "0.5"]))


def _ip_block(draw: Draw, body: Body) -> None:
    body["cidr"], inside = draw(st.sampled_from(NETWORKS))
    body["except"] = draw(st.lists(st.sampled_from(inside), max_size=2, unique=True))


def _peer(draw: Draw, body: Body) -> None:
    if "ipBlock" in body:
        _drop(body, "podSelector", "namespaceSelector")
    elif not body:
        body["podSelector"] = {}


def _policy_port(draw: Draw, body: Body) -> None:
    if "endPort" in body and (
        not isinstance(body.get("port"), int) or body["port"] > body["endPort"]
    ):
        _drop(body, "endPort")


def _timeouts(draw: Draw, body: Body) -> None:
    pair = draw(st.sampled_from([("5s", "4s"), ("0s", "4s"), ("1m30s", "90s"), ("1h", "1ms")]))
    for field, value in zip(("request", "backendRequest"), pair, strict=True):
        if field in body:
            body[field] = value


def _route(draw: Draw, body: Body) -> None:
    """No two parents of one name."""
    parents = {parent["name"]: parent for parent in body.get("parentRefs", ())}
    if parents:
        body["parentRefs"] = list(parents.values())


def _rollout(draw: Draw, body: Body) -> None:
    if body.get("strategy", "RollingUpdate") != "RollingUpdate":
        _drop(body, "rollingUpdate")
    if body.get("progressDeadlineSeconds", 300) <= body.get("minReadySeconds", 0):
        body["progressDeadlineSeconds"] = body["minReadySeconds"] + 1


def _rolling_update(draw: Draw, body: Body) -> None:
    if body.get("maxSurge") in (0, "0%"):
        body["maxUnavailable"] = 1


def _spec(draw: Draw, body: Body) -> None:
    if "autoscaling" in body:
        _drop(body, "replicas")
    if "ports" in body:
        _distinct_ports(body)
    ports = body.get("ports", [{"name": "http", "port": 8080}])
    tcp = [port["name"] for port in ports if port.get("protocol", "TCP") == "TCP"]
    names = st.sampled_from([port["name"] for port in ports]) if ports else None
    _aim(draw, body, tcp, ports, names)
    _mount(draw, body)
    body["terminationGracePeriodSeconds"] = max(3600, body.get("terminationGracePeriodSeconds", 30))


def _distinct_ports(body: Body) -> None:
    kept = {(port["port"], port.get("protocol", "TCP")): port for port in body["ports"]}
    body["ports"] = list(kept.values())


def _aim(
    draw: Draw, body: Body, tcp: list[str], ports: list[Body], names: st.SearchStrategy[str] | None
) -> None:
    """Everything that names a port names one there is."""
    if not tcp or ports[0]["name"] != tcp[0]:
        _drop(body, "routes")
    for entry in body.get("routes", ()):
        if "port" in entry:
            entry["port"] = draw(st.sampled_from(tcp))
    observed = body.get("observability", {})
    if "metrics" in observed:
        if names is None:
            del observed["metrics"]
        else:
            observed["metrics"]["port"] = draw(names)


def _mount(draw: Draw, body: Body) -> None:
    """Every mount names a volume there is."""
    volumes = [volume["name"] for volume in body.get("volumes", ())]
    for part in [body, *body.get("initContainers", ())]:
        if not volumes:
            _drop(part, "volumeMounts")
        for mount in part.get("volumeMounts", ()):
            mount["name"] = draw(st.sampled_from(volumes))


MENDS: dict[str, Callable[[Draw, Body], None]] = {
    "Env": _env,
    "EnvSource": _one_of("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"),
    "EnvFrom": _one_of("configMapRef", "secretRef"),
    "ResourceFieldRef": _resource_field,
    "Resources": _resources,
    "Probe": _one_of("exec", "httpGet", "tcpSocket", "grpc"),
    "Probes": _probes,
    "Hook": _one_of("exec", "httpGet", "sleep"),
    "InitContainer": _init_container,
    "Volume": _volume,
    "Projection": _projection,
    "Projected": _projected,
    "DownwardFile": _downward_file,
    "Toleration": _toleration,
    "Expression": _expression,
    "NodeExpression": _expression,
    "Spread": _spread,
    "Autoscaling": _autoscaling,
    "Metric": _metric,
    "MetricTarget": _metric_target,
    "IpBlock": _ip_block,
    "Peer": _peer,
    "PolicyPort": _policy_port,
    "Timeouts": _timeouts,
    "Route": _route,
    "Rollout": _rollout,
    "RollingUpdate": _rolling_update,
    "Spec": _spec,
}
