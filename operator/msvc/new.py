"""`msvc new`: a MicroService to start from, or the one that keeps an existing Deployment."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any

import yaml

from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.settings import VERSION
from msvc.cluster import Absent, Cluster, Forbidden, add_cluster
from msvc.command import Command
from msvc.documents import read
from msvc.exits import Exit, Failure
from msvc.keep import Kept, kept
from msvc.printing import add_output, as_yaml, show
from msvc.surroundings import Surroundings
from msvc.verdict import verdict

DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
AROUND = {
    "services": Kind("v1", "Service", "services"),
    "autoscalers": Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    "budgets": Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    "policies": Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    "routes": Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", optional=True),
    "ingresses": Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
}
IMAGE = "registry.example.com/NAME:1.0.0"
TEMPLATE = f"""\
# `kubectl explain microservice.spec` explains every field. Lines that are commented out show
# what else there is: take the `# ` away from those you need.
apiVersion: {MICROSERVICE.api_version}
kind: {MICROSERVICE.kind}
metadata:
  name: NAME
spec:
  image: IMAGE # the only field you must set
  # env:
  #   - {{name: LOG_LEVEL, value: info}}
  #   - {{name: DATABASE_URL, valueFrom: {{secretKeyRef: {{name: NAME-db, key: url}}}}}}
  ports: # the first one is that of routes and of the readiness probe; [] for a worker
    - {{name: http, port: 8080}}
  #   - {{name: admin, port: 9090}}
  # resources: # the operator's default if absent
  #   requests: {{cpu: 100m, memory: 128Mi}}
  #   limits: {{memory: 256Mi}}
  # probes:
  #   readiness: {{httpGet: {{path: /readyz, port: http}}, periodSeconds: 2}}
  #   liveness: {{httpGet: {{path: /livez, port: http}}}}
  replicas: 2 # or autoscaling, never both
  # autoscaling: {{minReplicas: 2, maxReplicas: 10}}
  # routes: # how requests from outside arrive
  #   - name: main
  #     hostnames: [NAME.example.com]
  #     matches: [{{path: {{type: PathPrefix, value: /}}}}]
  # access: # who may reach the pods, beside the Gateway and the monitoring
  #   ingress:
  #     - from: [{{podSelector: {{matchLabels: {{microservice.dev/name: storefront}}}}}}]
  #       ports: [{{port: http}}]
  # observability:
  #   metrics: {{port: admin, path: /metrics}}
"""
WHY = {
    "access": "as without any NetworkPolicy; better say who may reach the pods",
    "automountServiceAccountToken": "leave it out unless it calls the Kubernetes API",
    "serviceAccountName": "leave it out for an own one without rights",
    "ports": "a worker, since no Service leads to these pods",
    "resources": "none; leave it out for the operator's default",
    "securityContext": "leave readOnlyRootFilesystem out once it writes to volumes and /tmp only",
}
EXPLAINED: dict[str, Callable[[Any], bool]] = {
    "access": lambda value: value == {"isolation": "None"},
    "automountServiceAccountToken": bool,
    "serviceAccountName": lambda value: value == "default",
    "ports": lambda value: value == [],
    "resources": lambda value: value == {},
    "securityContext": lambda value: value.get("readOnlyRootFilesystem") is False,
}


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the MicroService")
    parser.add_argument("--image", help="image of the service (default: one to replace)")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="deployment/NAME",
        help="keep this Deployment, with its Services, autoscaler, budget, policies and routes;"
        " or a FILE that holds them",
    )
    add_cluster(parser)
    add_output(parser)


def _run(options: argparse.Namespace) -> Exit:
    body, text, notes = _kept(options) if options.origin else _started(options)
    if options.output == "yaml":
        options.output = None  # what people get is YAML
    show(options, {"service": body, "notes": list(notes)}, lambda _: text.rstrip())
    return Exit.OK


def _started(options: argparse.Namespace) -> tuple[Any, str, tuple[str, ...]]:
    image = options.image or IMAGE.replace("NAME", options.name)
    text = TEMPLATE.replace("IMAGE", image).replace("NAME", options.name)
    if options.namespace:
        text = text.replace("\nspec:", f"\n  namespace: {options.namespace}\nspec:", 1)
    body = yaml.safe_load(text)
    if broken := verdict(body):
        raise Failure(broken[0].message)
    return body, text, ()


def _kept(options: argparse.Namespace) -> tuple[Any, str, tuple[str, ...]]:
    kind, _, name = options.origin.partition("/")
    if kind in ("deployment", "deploy", "deployments") and name:
        cluster = Cluster.of(options)
        namespace = options.namespace or cluster.namespace
        deployment = cluster.get(DEPLOYMENT, namespace, name)
        found = kept(options.name, options.namespace, deployment, _around(cluster, namespace))
    else:
        found = kept(options.name, options.namespace, *_of_file(options.origin))
    if options.image:
        found.body["spec"]["image"] = options.image
    return found.body, _text(found, options.origin), found.notes


def _around(cluster: Cluster, namespace: str) -> Surroundings:
    return Surroundings(
        **{field: tuple(_listed(cluster, kind, namespace)) for field, kind in AROUND.items()}
    )


def _listed(cluster: Cluster, kind: Kind, namespace: str) -> Iterable[Any]:
    """Of what the user may not see nothing is kept; that it is there is unknown."""
    try:
        return cluster.list(kind, namespace)
    except (Absent, Forbidden) as error:
        if isinstance(error, Absent) and not kind.optional:
            raise
        return ()


def _of_file(file: str) -> tuple[Any, Surroundings]:
    bodies = [document.body for document in read(file) if isinstance(document.body, dict)]
    deployments = [body for body in bodies if body.get("kind") == DEPLOYMENT.kind]
    if len(deployments) != 1:
        raise Failure(
            f"{file} holds {len(deployments)} Deployments; give a file with one, or deployment/NAME"
        )
    around = {
        field: tuple(body for body in bodies if body.get("kind") == kind.kind)
        for field, kind in AROUND.items()
    }
    return deployments[0], Surroundings(**around)


def _text(found: Kept, origin: str) -> str:
    head = [f"# msvc {VERSION}: keeps {origin}. What is not kept, or will be different:"]
    head += [f"# - {note}" for note in found.notes]
    body = dict(found.body)
    spec = body.pop("spec")
    fields = "".join(_field(name, value) for name, value in spec.items())
    return "\n".join(head) + "\n" + as_yaml(body) + "spec:\n" + fields


def _field(name: str, value: Any) -> str:
    lines = as_yaml({name: value}).splitlines()
    if name in EXPLAINED and EXPLAINED[name](value):
        lines[0] += f" # {WHY[name]}"
    return "".join(f"  {line}\n" for line in lines)


COMMAND = Command(
    name="new",
    summary="write a MicroService to start from",
    about="Print a commented MicroService that `msvc validate` accepts. With --from, the one that"
    " keeps an\nexisting Deployment, with comments on what cannot be kept; nothing in the cluster"
    " is changed.",
    example="msvc new orders > orders.yaml\n"
    "msvc new orders-2 --from deployment/orders -n shop > orders-2.yaml",
    arguments=_arguments,
    run=_run,
)
