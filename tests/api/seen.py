"""A request of an operator, in the words of RBAC."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

APPLY = "application/apply-patch+yaml"
PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/v[^/]+"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?$"
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# An operator's own affairs: its Lease, and questions about its rights.
ASIDE = frozenset({"leases.coordination.k8s.io", "selfsubjectaccessreviews.authorization.k8s.io"})


class Target(NamedTuple):
    """What a path names; all empty for discovery and other paths that are no resource."""

    group: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""


@dataclass
class Seen:
    """One request; `code` is 0 until it is answered, `reply` the answer to a write."""

    number: int
    who: str  # name of the process
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content: str = ""
    at: float = 0.0  # monotonic seconds
    code: int = 0
    reply: Any = None

    @cached_property
    def target(self) -> Target:
        found = PATH.match(self.path)
        return Target(**{k: v or "" for k, v in found.groupdict().items()}) if found else Target()

    @property
    def watch(self) -> bool:
        return self.query.get("watch") in ("1", "true")

    @property
    def verb(self) -> str:
        if self.method != "GET":
            return VERBS.get(self.method, self.method.lower())
        if self.watch:
            return "watch"
        return "get" if self.target.name else "list"

    @property
    def resource(self) -> str:
        """`deployments.apps`, `microservices.microservice.dev/status`, "" for discovery."""
        target = self.target
        whole = f"{target.plural}.{target.group}" if target.group else target.plural
        return f"{whole}/{target.subresource}" if target.subresource else whole

    @property
    def applies(self) -> bool:
        """By server-side apply."""
        return self.content.startswith(APPLY)

    @property
    def mutating(self) -> bool:
        """A write on somebody else's objects."""
        return self.method not in ("GET", "HEAD") and self.resource not in ASIDE

    @property
    def what(self) -> str:
        """`patch deployments.apps web`; of an event, which gets a new name each time, its reason"""
        name = self.target.name
        if self.verb == "create" and self.resource == "events":
            name = self.body["reason"]
        return f"{self.verb} {self.resource} {name}".rstrip()
