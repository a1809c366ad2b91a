"""Legal specs in great variety, made from the models themselves.

A model's JSON schema says which fields there are and how they are bounded; what a rule between
fields demands is mended afterwards, model by model. Strings come from a pool of harmless and nasty
ones: each field takes those that its pattern allows. Hypothesis only throws the dice: drawn field
by field, specs stay small and dull.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from microservice_operator.api.spec import Spec

Body = dict[str, Any]

RAW = Spec.model_json_schema(by_alias=True)
QUANTITIES: tuple[int | str, ...] = (0, 1, 3, "100m", "1000m", "0.5", "1.5", "2000", "1024", "64Mi")
QUANTITIES += ("1024Mi", "1.5Gi", "1000k", "0.001", "1.001Ki", "0.001Ki", "1023Ki", "999999M", 1000)
NETWORKS = (("10.0.0.0/8", ["10.1.0.0/16", "10.2.3.0/24"]), ("2001:db8::/32", ["2001:db8:1::/48"]))
WORDS = """
a b-c web http admin x1 a.b.c shop.example.com *.example.com 0 9 A_b.c MAX_SIZE _ . .. ... .hidden
-x example.com/tier team/x / /a /a/b /api/v1/orders /tmp /tmp/ /var/lib/x /.well-known/y ../up
a/../b a/..b c/./d registry.example.com/shop/orders:1.4.2 image@sha256:00 10s 1m30s 5h 250ms
x-request-id Content-Type metadata.name metadata.labels metadata.labels['app'] status.podIP
metadata.annotations['a.b/c'] spec.nodeName kubernetes.io/h2c $(HOME) ${HOME} {{.Values}} %s "q"
'x' a=b a,b a;b #no é ß ☃ 日本
"""
ODD = ("", " ", "two words", "line\nbreak", "\ttab", "- yaml: [", '{"json": null}', "\u202e")
POOL = (*WORDS.split(), *ODD, "x" * 63, "y" * 300)


def specs() -> st.SearchStrategy[Body]:
    return st.integers(0, 2**32).map(spec)


def spec(seed: int) -> Body:
    return _model(Random(seed), "Spec")


def _model(dice: Random, name: str) -> Body:
    raw = RAW if name == "Spec" else RAW["$defs"][name]
    required = raw.get("required", ())
    share = 0.35 if name == "Spec" else 0.5
    fields = raw["properties"].items()
    chosen = [(k, node) for k, node in fields if k in required or dice.random() < share]
    body = {key: _value(dice, node) for key, node in chosen}
    if name in MENDS:
        MENDS[name](dice, body)
    return body


def _value(dice: Random, node: Mapping[str, Any]) -> Any:
    if "$ref" in node:
        return _model(dice, node["$ref"].rpartition("/")[2])
    if node.get("x-kubernetes-int-or-string"):
        return _number_or_string(dice, node)
    options = [option for option in node.get("anyOf", ()) if option != {"type": "null"}]
    if options:
        return _value(dice, options[0])
    if "enum" in node or "const" in node:
        return dice.choice(node.get("enum", [node.get("const")]))
    return TYPES[node["type"]](dice, node)


def _number_or_string(dice: Random, node: Mapping[str, Any]) -> int | str:
    if "%" in node["pattern"]:
        number = dice.randint(0, 100)
        return number if dice.random() < 0.5 else f"{number}%"
    return dice.randint(1, 65535) if node.get("minimum") == 1 else dice.choice(QUANTITIES)


def _array(dice: Random, node: Mapping[str, Any]) -> list[Any]:
    size = dice.randint(node.get("minItems", 0), min(3, node["maxItems"]))
    items = [_value(dice, node["items"]) for _ in range(size)]
    keys = node.get("x-kubernetes-list-map-keys")
    if keys is None:
        return items
    return list({tuple(item.get(key) for key in keys): item for item in items}.values())


def _string(dice: Random, node: Mapping[str, Any]) -> str:
    legal = _legal(node.get("pattern", ""), node.get("minLength", 0), node["maxLength"])
    return dice.choice(legal)


@cache
def _legal(pattern: str, shortest: int, longest: int) -> tuple[str, ...]:
    fitting = [text for text in POOL if re.search(pattern, text)]
    return tuple(text for text in fitting if shortest <= len(text) <= longest)


def _map(dice: Random, node: Mapping[str, Any]) -> Body:
    (values,) = node["patternProperties"].values()
    keys = dice.sample(["app", "team", "example.com/tier", "A_b.c"], dice.randint(0, 3))
    return {key: _value(dice, values) for key in keys}


TYPES: dict[str, Callable[[Random, Mapping[str, Any]], Any]] = {
    "array": _array,
    "boolean": lambda dice, node: dice.random() < 0.5,
    "integer": lambda dice, node: dice.choice(
        [node["minimum"], node["maximum"], dice.randint(node["minimum"], node["maximum"])]
    ),
    "object": _map,
    "string": _string,
}


def _one_of(*fields: str) -> Callable[[Random, Body], None]:
    """Exactly one of the fields: one that was drawn, or any."""
    return lambda dice, body: _keep_one(dice, body, fields)


def _keep_one(dice: Random, body: Body, fields: tuple[str, ...]) -> None:
    given = [field for field in fields if field in body]
    kept = dice.choice(given or list(fields))
    for field in given:
        if field != kept:
            del body[field]
    if not given:
        body[kept] = EXAMPLES[kept].copy()


EXAMPLES: dict[str, Body] = {
    "fieldRef": {"fieldPath": "metadata.name"},
    "resourceFieldRef": {"resource": "limits.cpu", "containerName": "a"},
    "configMapKeyRef": {"name": "a", "key": "b"},
    "secretKeyRef": {"name": "a", "key": "b"},
    "configMapRef": {"name": "a"},
    "secretRef": {"name": "a"},
    "exec": {"command": ["true"]},
    "httpGet": {"port": 8080},
    "tcpSocket": {"port": 8080},
    "grpc": {"port": 8080},
    "sleep": {"seconds": 1},
    "emptyDir": {},
    "persistentVolumeClaim": {"claimName": "a"},
    "configMap": {"name": "a"},
    "secret": {"secretName": "a"},
    "projected": {"sources": [{"secret": {"name": "a"}}]},
    "serviceAccountToken": {"path": "token"},
    "downwardAPI": {"items": []},
}


def _drop(body: Body, *fields: str) -> None:
    for field in fields:
        body.pop(field, None)


def _env(dice: Random, body: Body) -> None:
    if "value" in body and "valueFrom" in body:
        del body[dice.choice(["value", "valueFrom"])]


def _resource_field(dice: Random, body: Body) -> None:
    cpu = body["resource"].endswith(".cpu")
    if "divisor" in body and cpu != (body["divisor"] in ("1", "1m")):
        del body["divisor"]


def _resources(dice: Random, body: Body) -> None:
    if "requests" in body:
        _drop(body, "limits")


def _probes(dice: Random, body: Body) -> None:
    for name in ("startup", "liveness", "startupProbe", "livenessProbe"):
        _drop(body.get(name, {}), "successThreshold")
    for name in ("readiness", "readinessProbe"):
        _drop(body.get(name, {}), "terminationGracePeriodSeconds")


def _init_container(dice: Random, body: Body) -> None:
    if "restartPolicy" not in body:
        _drop(body, "startupProbe", "readinessProbe", "livenessProbe")
    _probes(dice, body)


def _volume(dice: Random, body: Body) -> None:
    _keep_one(dice, body, ("emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected"))


def _projection(dice: Random, body: Body) -> None:
    _keep_one(dice, body, ("configMap", "secret", "downwardAPI", "serviceAccountToken"))
    if "secret" in body and "name" not in body["secret"]:
        body["secret"] = {"name": "a"}


def _projected(dice: Random, body: Body) -> None:
    """Paths must differ over all sources."""
    number = 0
    for source in body["sources"]:
        (part,) = source.values()
        for item in [part] if "path" in part else part.get("items", []):
            item["path"], number = f"{number}/{item['path']}", number + 1


def _downward_file(dice: Random, body: Body) -> None:
    _keep_one(dice, body, ("fieldRef", "resourceFieldRef"))
    if "resourceFieldRef" in body:
        body["resourceFieldRef"].setdefault("containerName", "a")


def _toleration(dice: Random, body: Body) -> None:
    if "key" not in body:
        body["operator"] = "Exists"
    if body.get("operator") == "Exists":
        _drop(body, "value")
    if body.get("effect") != "NoExecute":
        _drop(body, "tolerationSeconds")


def _expression(dice: Random, body: Body) -> None:
    if body["operator"] in ("Exists", "DoesNotExist"):
        _drop(body, "values")
    elif body["operator"] in ("Gt", "Lt"):
        body["values"] = [str(dice.randint(0, 1000))]
    else:
        body["values"] = body.get("values") or ["a"]


def _spread(dice: Random, body: Body) -> None:
    if body["whenUnsatisfiable"] != "DoNotSchedule":
        _drop(body, "minDomains")


def _autoscaling(dice: Random, body: Body) -> None:
    low, high = sorted((body.get("minReplicas", 1), body["maxReplicas"]))
    body.update(minReplicas=low, maxReplicas=high)


def _metric(dice: Random, body: Body) -> None:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    if body["type"] == "Resource":
        _drop(body, "containerResource")
        body.setdefault("resource", cpu)
    else:
        _drop(body, "resource")
        body.setdefault("containerResource", cpu | {"container": "a"})


def _metric_target(dice: Random, body: Body) -> None:
    if body["type"] == "Utilization":
        _drop(body, "averageValue")
        body.setdefault("averageUtilization", 70)
    else:
        _drop(body, "averageUtilization")
        body["averageValue"] = dice.choice(["1", "1500m", "1024Mi", 3, "0.5"])


def _ip_block(dice: Random, body: Body) -> None:
    body["cidr"], inside = dice.choice(NETWORKS)
    body["except"] = dice.sample(inside, dice.randint(0, len(inside)))


def _peer(dice: Random, body: Body) -> None:
    if "ipBlock" in body:
        _drop(body, "podSelector", "namespaceSelector")
    elif not body:
        body["podSelector"] = {}


def _policy_port(dice: Random, body: Body) -> None:
    if "endPort" in body and (
        not isinstance(body.get("port"), int) or body["port"] > body["endPort"]
    ):
        _drop(body, "endPort")


def _timeouts(dice: Random, body: Body) -> None:
    pair = dice.choice([("5s", "4s"), ("0s", "4s"), ("1m30s", "90s"), ("1h", "1ms")])
    for field, value in zip(("request", "backendRequest"), pair, strict=True):
        if field in body:
            body[field] = value


def _route(dice: Random, body: Body) -> None:
    """No two parents of one name."""
    parents = {parent["name"]: parent for parent in body.get("parentRefs", ())}
    if parents:
        body["parentRefs"] = list(parents.values())


def _rollout(dice: Random, body: Body) -> None:
    if body.get("strategy", "RollingUpdate") != "RollingUpdate":
        _drop(body, "rollingUpdate")
    if body.get("progressDeadlineSeconds", 300) <= body.get("minReadySeconds", 0):
        body["progressDeadlineSeconds"] = body["minReadySeconds"] + 1


def _rolling_update(dice: Random, body: Body) -> None:
    if body.get("maxSurge") in (0, "0%"):
        body["maxUnavailable"] = 1


def _spec(dice: Random, body: Body) -> None:
    if "autoscaling" in body:
        _drop(body, "replicas")
    if "ports" in body:
        _distinct_ports(body)
    ports = body.get("ports", [{"name": "http", "port": 8080}])
    tcp = [port["name"] for port in ports if port.get("protocol", "TCP") == "TCP"]
    _aim(dice, body, tcp, ports)
    _mount(dice, body)
    body["terminationGracePeriodSeconds"] = max(3600, body.get("terminationGracePeriodSeconds", 30))


def _distinct_ports(body: Body) -> None:
    kept = {(port["port"], port.get("protocol", "TCP")): port for port in body["ports"]}
    body["ports"] = list(kept.values())


def _aim(dice: Random, body: Body, tcp: list[str], ports: list[Body]) -> None:
    """Everything that names a port names one there is."""
    if not tcp or ports[0]["name"] != tcp[0]:
        _drop(body, "routes")
    for entry in body.get("routes", ()):
        if "port" in entry:
            entry["port"] = dice.choice(tcp)
    observed = body.get("observability", {})
    if "metrics" in observed:
        if ports:
            observed["metrics"]["port"] = dice.choice(ports)["name"]
        else:
            del observed["metrics"]


def _mount(dice: Random, body: Body) -> None:
    """Every mount names a volume there is."""
    volumes = [volume["name"] for volume in body.get("volumes", ())]
    for part in [body, *body.get("initContainers", ())]:
        if not volumes:
            _drop(part, "volumeMounts")
        for mount in part.get("volumeMounts", ()):
            mount["name"] = dice.choice(volumes)


MENDS: dict[str, Callable[[Random, Body], None]] = {
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
