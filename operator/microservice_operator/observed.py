"""What is known of one MicroService and its children: the values that flow through a pass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from microservice_operator.api.kinds import Kind
from microservice_operator.errors import ApiError

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ref:
    """A child by kind and name; its namespace is that of the MicroService."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a live child: cut at the door, the object itself is dropped."""

    ref: Ref
    namespace: str
    uid: str
    version: int  # metadata.resourceVersion
    controller: str | None  # uid of the controlling owner
    owned: str  # digest of what our field manager owns
    facts: object = None  # a frozen dataclass of the builder's module, from its `facts()`
    deleting: bool = False
    asked: str = ""  # digest of the manifest we last applied to this very object in this process
    answered: str = ""  # `owned` of the answer to it: the server's form of what we asked for


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What explains why a pod does not run."""

    name: str
    phase: str
    scheduled: bool
    scheduling_message: str
    ready: bool
    containers: tuple["ContainerFacts", ...]  # init containers first
    revision: str = ""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    name: str
    image: str
    waiting_reason: str  # "" when not waiting
    waiting_message: str
    restarts: int
    ready: bool
    exit_code: int | None  # of the last termination
    exit_reason: str
    last_line: str  # last line of the termination message, at most 256 characters
    init: bool = False
    running: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """The world as one pass sees it."""

    now: str  # RFC 3339, UTC, seconds
    children: Mapping[Ref, Record]  # controlled by this MicroService's uid only
    served: frozenset[str] = frozenset()  # optional kinds (Kind.kind) whose CRD is served now
    forbidden: Mapping[str, str] = field(
        default_factory=dict
    )  # kind -> missing verbs, "create, patch"
    pods: tuple[PodFacts, ...] | None = None  # None: nobody looked
    blind: bool = False  # somebody would have, but may not
    failing_since: str | None = None  # when the current row of transient failures began


@dataclass(frozen=True, slots=True)
class Write:
    """One server-side apply: a create when `uid` is None, else an update of that very object.

    `version` pins an update to a live resourceVersion (unfixed replicas only).
    """

    kind: Kind
    manifest: Manifest
    uid: str | None = None
    version: int | None = None

    @property
    def ref(self) -> Ref:
        return Ref(self.kind.kind, self.manifest["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Plan:
    """What is missing between wanted and seen."""

    wanted: tuple[Ref, ...] = ()  # every child the spec asks for
    writes: tuple[Write, ...] = ()
    prune: tuple[tuple[Kind, Record], ...] = ()
    keep: tuple[Ref, ...] = ()  # already as wanted
    skipped: tuple[Ref, ...] = ()  # optional kinds whose CRD is missing
    restores: bool = (
        False  # a child of a service we know is missing: ask once that the service exists
    )


@dataclass(frozen=True, slots=True)
class NotOwned:
    """An object with a child's name that belongs to somebody else; `owner` in plain words."""

    ref: Ref
    owner: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A write that was refused."""

    ref: Ref
    verb: str  # "create", "patch", "delete"
    resource: str  # "deployments.apps"
    error: ApiError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan."""

    applied: tuple[Record, ...] = ()  # the server's answers, already cut
    pruned: tuple[Ref, ...] = ()
    not_owned: tuple[NotOwned, ...] = ()
    failures: tuple[Failed, ...] = ()

    @property
    def complete(self) -> bool:
        """Every apply worked; only then is anything pruned."""
        return not (self.failures or self.not_owned)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.applied + other.applied,
            self.pruned + other.pruned,
            self.not_owned + other.not_owned,
            self.failures + other.failures,
        )
