"""For every rule between fields: a spec that it refuses and the nearest one that it accepts."""

from typing import Any, NamedTuple

Spec = dict[str, Any]


class Row(NamedTuple):
    message: str  # the start of what the user reads
    refused: Spec
    accepted: Spec
    python_only: bool = False  # too dear for the API server: the operator tells in the status


def probe(**more: Any) -> Spec:
    return {"tcpSocket": {"port": 8080}, **more}


def sidecar(**more: Any) -> Spec:
    body = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always", **more}
    return {"initContainers": [{k: v for k, v in body.items() if v is not None}]}


def env(**value_from: Any) -> Spec:
    return {"env": [{"name": "A", "valueFrom": value_from}]}


def volume(**source: Any) -> Spec:
    return {"volumes": [{"name": "v", **source}]}


def sources(*given: Spec) -> Spec:
    return volume(projected={"sources": list(given)})


def toleration(**given: Any) -> Spec:
    return {"tolerations": [given]}


def nodes(**expression: Any) -> Spec:
    term = {"matchExpressions": [{"key": "k", **expression}]}
    required = {"nodeSelectorTerms": [term]}
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    }


def peers(*given: Spec) -> Spec:
    return {"access": {"ingress": [{"from": list(given)}]}}


def allowed(**port: Any) -> Spec:
    return {"access": {"ingress": [{"ports": [port]}]}}


def metric(**given: Any) -> Spec:
    return {"autoscaling": {"maxReplicas": 2, "metrics": [given]}}


def resource(**target: Any) -> Spec:
    return metric(type="Resource", resource={"name": "cpu", "target": target})


def route(**given: Any) -> Spec:
    return {"routes": [{"name": "main", **given}]}


KEY = {"name": "a", "key": "b"}
CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
UDP = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "http", "port": 8080}]
HTTP = {"httpGet": {"port": "http"}}
NOWHERE = {"httpGet": {"port": "nowhere"}}
ONE_SUCCESS = "a startup or liveness probe succeeds at the first success"

ROWS = [
    Row(
        "replicas and autoscaling",
        {"replicas": 1, "autoscaling": {"maxReplicas": 2}},
        {"replicas": 1},
    ),
    Row("a route's port names no entry", route(port="nowhere"), route(port="http")),
    Row(
        "a route needs a port",
        {"ports": [], "routes": [{"name": "x"}]},
        {"ports": [], "routes": []},
    ),
    Row(
        "a route leads to a TCP port",
        {"ports": UDP, **route()},
        {"ports": UDP, **route(port="http")},
    ),
    Row(
        "observability.metrics.port names no entry",
        {"observability": {"metrics": {"port": "nowhere"}}},
        {"observability": {"metrics": {"port": "http"}}},
    ),
    Row(
        "a volumeMount names no entry",
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        {**volume(emptyDir={}), "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    ),
    Row(
        "a volumeMount of an initContainer names no entry",
        sidecar(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        {**volume(emptyDir={}), **sidecar(volumeMounts=[{"name": "v", "mountPath": "/v"}])},
    ),
    Row("a port of access.ingress names no entry", allowed(port="nowhere"), allowed(port="http")),
    Row(
        "preStop sleeps longer",
        {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
        {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}, "terminationGracePeriodSeconds": 31},
    ),
    Row(
        "postStart sleeps longer",
        {"lifecycle": {"postStart": {"sleep": {"seconds": 31}}}},
        {"lifecycle": {"postStart": {"sleep": {"seconds": 30}}}},
    ),
    *(
        Row(
            f"the port of probes.{name}.{handler} names no entry",
            {"probes": {name: {handler: {"port": "nowhere"}}}},
            {"probes": {name: {handler: {"port": "http"}}}},
        )
        for name in ("startup", "readiness", "liveness")
        for handler in ("httpGet", "tcpSocket")
    ),
    *(
        Row(
            f"the port of lifecycle.{hook}.httpGet names no entry",
            {"lifecycle": {hook: NOWHERE}},
            {"lifecycle": {hook: HTTP}},
        )
        for hook in ("postStart", "preStop")
    ),
    *(
        Row(
            f"the port of {name}.{handler} of an initContainer names no entry",
            sidecar(**{name: {handler: {"port": "nowhere"}}}),
            sidecar(**{name: {handler: {"port": "http"}}}),
        )
        for name in ("startupProbe", "readinessProbe", "livenessProbe")
        for handler in ("httpGet", "tcpSocket")
    ),
    Row(
        "a variable has a value or a valueFrom",
        {"env": [{"name": "A", "value": "", "valueFrom": {"secretKeyRef": KEY}}]},
        {"env": [{"name": "A", "value": ""}]},
    ),
    Row("name exactly one source: fieldRef", env(), env(secretKeyRef=KEY)),
    Row(
        "name exactly one source: fieldRef",
        env(secretKeyRef=KEY, configMapKeyRef=KEY),
        env(fieldRef={"fieldPath": "metadata.labels['app']"}),
    ),
    Row(
        "the divisor does not fit",
        env(resourceFieldRef={"resource": "limits.cpu", "divisor": "1Mi"}),
        env(resourceFieldRef={"resource": "limits.memory", "divisor": "1Mi"}),
    ),
    Row(
        "name exactly one source: configMapRef",
        {"envFrom": [{}]},
        {"envFrom": [{"secretRef": {"name": "a"}}]},
    ),
    Row(
        "a request is above its limit",
        {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1023Mi"}}},
        {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}}},
    ),
    Row(
        "a request is above its limit",
        {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}},
        {"resources": {"requests": {"cpu": 1}, "limits": {"cpu": "1500m"}}},
    ),
    Row(
        "a probe has exactly one of",
        {"probes": {"liveness": {}}},
        {"probes": {"liveness": probe()}},
    ),
    Row(
        "a probe has exactly one of",
        {"probes": {"liveness": probe(grpc={"port": 1})}},
        {"probes": {"liveness": {"grpc": {"port": 1}}}},
    ),
    *(
        Row(
            ONE_SUCCESS,
            {"probes": {name: probe(successThreshold=2)}},
            {"probes": {name: probe(successThreshold=1)}},
        )
        for name in ("startup", "liveness")
    ),
    *(
        Row(ONE_SUCCESS, sidecar(**{name: probe(successThreshold=2)}), sidecar(**{name: probe()}))
        for name in ("startupProbe", "livenessProbe")
    ),
    Row(
        "a readiness probe ends no container",
        {"probes": {"readiness": probe(terminationGracePeriodSeconds=1)}},
        {"probes": {"liveness": probe(terminationGracePeriodSeconds=1)}},
    ),
    Row(
        "a readiness probe ends no container",
        sidecar(readinessProbe=probe(terminationGracePeriodSeconds=1)),
        sidecar(readinessProbe=probe(successThreshold=2)),
    ),
    Row(
        "a hook has exactly one of",
        {"lifecycle": {"preStop": {}}},
        {"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}},
    ),
    Row(
        "only a sidecar has probes",
        sidecar(restartPolicy=None, startupProbe=probe()),
        sidecar(startupProbe=probe()),
    ),
    Row("a volume is exactly one of", volume(), volume(emptyDir={})),
    Row(
        "a volume is exactly one of",
        volume(emptyDir={}, secret={"secretName": "a"}),
        volume(secret={"secretName": "a"}),
    ),
    Row(
        "volume names that start with microservice-",
        {"volumes": [{"name": "microservice-tmp", "emptyDir": {}}]},
        {"volumes": [{"name": "microservices", "emptyDir": {}}]},
    ),
    Row("a source has exactly one of", sources({}), sources({"secret": {"name": "a"}})),
    Row(
        "two sources of a projected volume write to one path",
        sources({"serviceAccountToken": {"path": "t"}}, {"serviceAccountToken": {"path": "t"}}),
        sources({"serviceAccountToken": {"path": "t"}}, {"serviceAccountToken": {"path": "u"}}),
        python_only=True,
    ),
    Row(
        "a file has exactly one of",
        sources({"downwardAPI": {"items": [{"path": "a"}]}}),
        sources(
            {
                "downwardAPI": {
                    "items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]
                }
            }
        ),
    ),
    Row(
        "in a file, resourceFieldRef needs a containerName",
        sources(
            {
                "downwardAPI": {
                    "items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]
                }
            }
        ),
        env(resourceFieldRef={"resource": "limits.cpu"}),
    ),
    Row("without a key the toleration needs", toleration(value="a"), toleration(operator="Exists")),
    Row(
        "with operator Exists there is no value",
        toleration(key="a", operator="Exists", value="b"),
        toleration(key="a", operator="Equal", value="b"),
    ),
    Row(
        "tolerationSeconds works with",
        toleration(key="a", tolerationSeconds=1),
        toleration(key="a", tolerationSeconds=1, effect="NoExecute"),
    ),
    Row(
        "In and NotIn need values",
        peers({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
        peers({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}),
    ),
    Row(
        "In and NotIn need values",
        peers(
            {
                "podSelector": {
                    "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]
                }
            }
        ),
        peers(
            {
                "podSelector": {
                    "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]
                }
            }
        ),
    ),
    Row(
        "Exists and DoesNotExist have no values",
        nodes(operator="Exists", values=["a"]),
        nodes(operator="In", values=["a"]),
    ),
    Row(
        "Exists and DoesNotExist have no values",
        nodes(operator="In"),
        nodes(operator="DoesNotExist"),
    ),
    Row(
        "Gt and Lt compare with exactly one whole number",
        nodes(operator="Gt", values=["a"]),
        nodes(operator="Gt", values=["3"]),
    ),
    Row(
        "Gt and Lt compare with exactly one whole number",
        nodes(operator="Lt", values=["1", "2"]),
        nodes(operator="Lt", values=["1"]),
    ),
    Row(
        "minDomains works with",
        {
            "topologySpreadConstraints": [
                {"topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2}
            ]
        },
        {
            "topologySpreadConstraints": [
                {"topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}
            ]
        },
    ),
    Row(
        "two ports have the same number and protocol",
        {"ports": [{"name": "a", "port": 53}, {"name": "b", "port": 53}]},
        {"ports": [{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}]},
    ),
    Row(
        "minReplicas is above maxReplicas",
        {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}},
        {"autoscaling": {"minReplicas": 2, "maxReplicas": 2}},
    ),
    Row(
        "give the block that type names",
        metric(type="Resource"),
        metric(type="Resource", resource=CPU),
    ),
    Row(
        "give the block that type names",
        metric(type="ContainerResource", resource=CPU),
        metric(type="ContainerResource", containerResource={**CPU, "container": "orders"}),
    ),
    Row(
        "give the value that type names",
        resource(type="Utilization", averageValue="1"),
        resource(type="AverageValue", averageValue="1"),
    ),
    Row(
        "averageValue must be above 0",
        resource(type="AverageValue", averageValue=0),
        resource(type="AverageValue", averageValue="1m"),
    ),
    Row(
        "cidr must be a network",
        peers({"ipBlock": {"cidr": "10.0.0.1/8"}}),
        peers({"ipBlock": {"cidr": "10.0.0.0/8"}}),
    ),
    Row(
        "cidr must be a network",
        peers({"ipBlock": {"cidr": "ten"}}),
        peers({"ipBlock": {"cidr": "::/0"}}),
    ),
    *(
        Row(
            "every entry of except must be",
            peers({"ipBlock": {"cidr": "10.0.0.0/8", "except": [outside]}}),
            peers({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9"]}}),
        )
        for outside in ("10.0.0.0/8", "11.0.0.0/16", "2001:db8::/64", "ten")
    ),
    Row("a peer has an ipBlock", peers({}), peers({"podSelector": {}})),
    Row(
        "a peer has an ipBlock",
        peers({"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}),
        peers({"podSelector": {}, "namespaceSelector": {}}),
    ),
    Row("endPort needs a port number", allowed(endPort=9), allowed(port=9, endPort=9)),
    Row("endPort needs a port number", allowed(port="http", endPort=9), allowed(port="http")),
    Row("endPort needs a port number", allowed(port=9, endPort=8), allowed(port=8, endPort=9)),
    Row(
        "backendRequest must not be longer",
        route(timeouts={"request": "1m", "backendRequest": "61s"}),
        route(timeouts={"request": "1m1s", "backendRequest": "61s"}),
    ),
    Row(
        "backendRequest must not be longer",
        route(timeouts={"request": "1ms", "backendRequest": "1s"}),
        route(timeouts={"request": "0s", "backendRequest": "1s"}),
    ),
    Row(
        "two parentRefs are the same",
        route(parentRefs=[{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "x"}]),
        route(parentRefs=[{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "y"}]),
    ),
    Row(
        "of several parentRefs to one Gateway",
        route(parentRefs=[{"name": "a", "sectionName": "x"}, {"name": "a"}]),
        route(parentRefs=[{"name": "a", "namespace": "b"}, {"name": "a"}]),
    ),
    Row(
        "rollingUpdate belongs to strategy RollingUpdate",
        {"rollout": {"strategy": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        {"rollout": {"rollingUpdate": {"maxSurge": 1}}},
    ),
    Row(
        "progressDeadlineSeconds must be above",
        {"rollout": {"minReadySeconds": 300}},
        {"rollout": {"minReadySeconds": 300, "progressDeadlineSeconds": 301}},
    ),
    Row(
        "maxSurge and maxUnavailable are both 0",
        {"rollout": {"rollingUpdate": {"maxSurge": "0%"}}},
        {"rollout": {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 1}}},
    ),
]

# What a single field refuses by itself; the API server and the models word it each their own way.
BOUNDS: list[tuple[Spec, str]] = [
    ({"image": ""}, "spec.image"),
    ({"image": "two words"}, "spec.image"),
    ({"unknown": 1}, "unknown"),
    ({"replicas": -1}, "spec.replicas"),
    ({"replicas": 1001}, "spec.replicas"),
    ({"command": ["x"] * 65}, "spec.command"),
    ({"env": [{"name": "A=B"}]}, "spec.env"),
    ({"env": [{"name": "A"}, {"name": "A"}]}, "spec.env"),
    ({"ports": [{"name": "Http", "port": 1}]}, "spec.ports"),
    ({"ports": [{"name": "a", "port": 0}]}, "spec.ports"),
    ({"ports": [{"name": "a", "port": 1}, {"name": "a", "port": 2}]}, "spec.ports"),
    ({"securityContext": {"runAsUser": 0}}, "spec.securityContext"),
    ({"securityContext": {"privileged": True}}, "privileged"),
    ({"probes": {"liveness": {"httpGet": {"port": 1, "host": "evil"}}}}, "host"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "hostPath"),
    (
        {
            "volumes": [
                {
                    "name": "v",
                    "secret": {"secretName": "a", "items": [{"key": "k", "path": "../x"}]},
                }
            ]
        },
        "path",
    ),
    ({"resources": {"requests": {"cpu": "one"}}}, "spec.resources"),
    ({"resources": {"requests": {"cpu": "-1"}}}, "spec.resources"),
    ({"availability": {"maxUnavailable": "101%"}}, "spec.availability"),
    ({"availability": {"maxUnavailable": "some"}}, "spec.availability"),
    ({"routes": [{"name": "main", "matches": [{"path": {"value": "no-slash"}}]}]}, "spec.routes"),
    (
        {"routes": [{"name": "main", "matches": [{"path": {"type": "RegularExpression"}}]}]},
        "spec.routes",
    ),
    ({"routes": [{"name": "main", "hostnames": ["UPPER"]}]}, "spec.routes"),
    ({"autoscaling": {}}, "spec.autoscaling.maxReplicas"),
    ({"rollout": {"strategy": "Canary"}}, "spec.rollout.strategy"),
    ({"serviceAccountName": "orders\n"}, "spec.serviceAccountName"),
    ({"tolerations": [None]}, "spec.tolerations"),
]

# A null is as if it was not written, but not as an entry of a list.
NULLS: list[Spec] = [
    {"securityContext": None, "ports": None, "suspend": None},
    {"env": [{"name": "A", "value": None}]},
    {"nodeSelector": {"a": None}},
    {"rollout": {"rollingUpdate": None, "strategy": None}},
]

NAMES = [
    ("orders", True),
    ("o", True),
    ("o-2", True),
    ("x" * 46, True),
    ("x" * 47, False),
    ("2nd", False),
    ("a.b", False),
    ("orders-candidate", False),
]

# Of metadata, which the CRD leaves to the API server: what is wrong, and where that is told.
METADATA: list[tuple[dict[str, Any], str]] = [
    (
        {"annotations": {"microservice.dev/paused": True}},
        ".metadata.annotations.microservice.dev/paused",
    ),
    ({"labels": {"app": 1}}, ".metadata.labels.app"),
    ({"labels": {"app": "two words"}}, ".metadata.labels.app"),
    ({"labels": {"app": "word\n"}}, ".metadata.labels.app"),
    ({"labels": {"two words": "app"}}, ".metadata.labels"),
    ({"namespace": "Shop"}, ".metadata.namespace"),
    ({"namepsace": "shop"}, ".metadata.namepsace"),
    ({"name": ""}, ".metadata.name"),
]
