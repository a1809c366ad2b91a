"""The chart's role, right by right, and roles without some of them."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, NamedTuple

from tests.api.rights import CLUSTER_RULES, LEASE_RULES

from microservice_operator.desired import KINDS

Rules = list[dict[str, Any]]


class Right(NamedTuple):
    """One verb on one resource of the published role."""

    group: str
    resource: str
    verb: str

    @property
    def words(self) -> str:
        """As in a refusal: `create deployments.apps`."""
        plural, _, subresource = self.resource.partition("/")
        whole = f"{plural}.{self.group}" if self.group else plural
        return f"{self.verb} {whole}" + (f"/{subresource}" if subresource else "")

    @property
    def label(self) -> str:
        return self.words.replace(" ", "-").replace("/", "-").replace(".", "-")


def split(rules: Rules) -> list[Right]:
    return [
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def without(rules: Rules, rights: Iterable[Right]) -> Rules:
    left, gone = deepcopy(rules), set(rights)
    for rule in left:
        (group,), (resource,) = rule["apiGroups"], rule["resources"]
        rule["verbs"] = [v for v in rule["verbs"] if Right(group, resource, v) not in gone]
    return [rule for rule in left if rule["verbs"]]


BY_PLURAL = {kind.plural: kind for kind in KINDS.values()}
ALL = split(CLUSTER_RULES)
OF_CHILDREN = [right for right in ALL if right.resource in BY_PLURAL]
OF_SERVICES = [
    right for right in ALL if right.resource in ("microservices", "microservices/status")
]
OF_LEASE = split(LEASE_RULES)
OF_CRDS = [right for right in ALL if right.group == "apiextensions.k8s.io"]
ASIDE = [  # what nobody misses, or nobody but the diagnosis
    right for right in ALL if right not in OF_CHILDREN + OF_SERVICES + OF_CRDS
]
OF_PODS = [right for right in ASIDE if right.resource == "pods"]
NEEDED = ("deployments", "services")


def groups() -> list[list[Right]]:
    """Each right once. Those on child kinds are independent of each other, so a namespace may lack
    one of several kinds, a different verb of each; but every service needs a Deployment, and
    what has a route or metrics a Service."""
    verbs = list(dict.fromkeys(right.verb for right in OF_CHILDREN))
    kinds = [kind for kind in KINDS.values() if kind.plural not in NEEDED]
    square = [
        [
            Right(kind.group, kind.plural, verb)
            for kind, verb in zip(kinds[n:] + kinds[:n], verbs, strict=False)
        ]
        for n in range(len(kinds))
    ]
    alone = [right for right in OF_CHILDREN if right.resource in NEEDED]
    return [*square, *([right] for right in [*alone, *OF_SERVICES, *ASIDE])]
