"""`msvc render`: the children of a MicroService, as the operator will make them."""

import argparse
from typing import Any

from microservice_operator.api.service import MicroService
from microservice_operator.desired import desired
from microservice_operator.errors import InvalidSpec
from microservice_operator.observed import Observed
from microservice_operator.settings import VERSION
from msvc.cluster import Cluster, add_cluster
from msvc.command import Command
from msvc.documents import Document, services
from msvc.exits import Exit, Failure
from msvc.facts import Facts, add_facts, facts
from msvc.printing import add_output, as_yaml, show
from msvc.structure import stored

NO_UID = "00000000-0000-0000-0000-000000000000"  # the owner's, until there is an owner
NOTHING = Observed(now="1970-01-01T00:00:00Z", children={})


def namespace_of(options: argparse.Namespace, document: Document, cluster: Cluster) -> str:
    """As kubectl decides it; without any cluster to ask, `default`."""
    given = document.body["metadata"].get("namespace") or options.namespace
    if given and options.namespace and given != options.namespace:
        raise Failure(f"{document.source} is for namespace {given}; give -n {given} or none")
    if given:
        return str(given)
    try:
        return cluster.namespace
    except Failure:
        return "default"


def parsed(document: Document, **metadata: Any) -> MicroService:
    """Raises Failure with the line of what is wrong."""
    body = stored(document.body)
    whole = {"uid": NO_UID, "resourceVersion": "0", **body["metadata"], **metadata}
    try:
        return MicroService.parse({**body, "metadata": whole})
    except InvalidSpec as error:
        raise Failure(
            f"{document.source}: {document.name}: {error}; `msvc validate` says all", Exit.NO
        ) from error


def children(service: MicroService, facts: Facts) -> list[Any]:
    return [manifest for _, manifest in desired(service, NOTHING, facts.platform)]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Of whatever says what the operator will make of a file."""
    parser.add_argument("file", metavar="FILE", help="MicroServices in YAML or JSON; - for stdin")
    add_facts(parser)
    add_cluster(parser)
    add_output(parser)


def _run(options: argparse.Namespace) -> Exit:
    cluster = Cluster.of(options)
    found = []
    used: dict[str, Facts] = {}
    for document in services(options.file):
        namespace = namespace_of(options, document, cluster)
        service = parsed(document, namespace=namespace)
        if namespace not in used:
            used[namespace] = facts(options, cluster, namespace)
        found += children(service, used[namespace])
    answer = {
        "version": VERSION,
        "settings": [{"from": given.source, **given.settings} for given in _distinct(used)],
        "children": found,
    }
    if options.output == "yaml":
        options.output = None  # what people get is YAML
    show(options, answer, lambda _: _documents(_distinct(used), found))
    return Exit.OK


def _distinct(used: dict[str, Facts]) -> list[Facts]:
    return list({given.source: given for given in used.values()}.values())


def _documents(used: list[Facts], found: list[Any]) -> str:
    """YAML that kubectl can read, with what made it as a comment."""
    head = [f"# msvc {VERSION}; the owner's uid is set when there is an owner"]
    for given in used:
        head.append(f"# settings of {given.source}:")
        head += [f"#   {line}" for line in as_yaml(given.settings).splitlines()]
    return "\n".join(head) + "\n---\n" + "---\n".join(map(as_yaml, found)).rstrip()


COMMAND = Command(
    name="render",
    summary="print the children that the operator will make",
    about="Print every child of the MicroServices in FILE as the operator will apply it. Works"
    " without a\ncluster when --settings is given. A number of pods that the spec leaves open is"
    " the one a new\nservice starts with.",
    example="msvc render orders.yaml --settings platform.yaml\n"
    "msvc render orders.yaml -o json | jq '.children[].kind'",
    arguments=arguments,
    run=_run,
)
