"""The verbs on the Kubernetes API, in the operator's own words."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from microservice_operator import names
from microservice_operator.api.kinds import MICROSERVICE, Kind
from microservice_operator.api.service import Identity
from microservice_operator.clock import Clock
from microservice_operator.errors import ApiError
from microservice_operator.observed import Record, Write
from microservice_operator.status import Event
from microservice_operator.transport import (
    APPLY_PATCH,
    JSON,
    MERGE_PATCH,
    METADATA_LIST,
    METADATA_ONLY,
    Call,
    Transport,
)

PAGE = 500
LEASE_TIMEOUT = 5.0  # seconds; a renewal that takes longer is worth another try
ABSENT = "1"  # no object ever has this resourceVersion: an apply with it creates or is refused

DEFINITION = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"
)
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
REVIEW = Kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews")


class Cluster:
    """Each method is one request (`pages`: one each) and raises ApiError."""

    def __init__(
        self, transport: Transport, clock: Clock, *, identity: str, namespace: str
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._identity = identity
        self._namespace = namespace

    # children

    async def apply(self, write: Write) -> Any:
        """Server-side apply of an object that must not exist yet, or of the very one with `uid`."""
        metadata = dict(write.manifest["metadata"])
        if write.uid is None:
            metadata["resourceVersion"] = ABSENT
        else:
            metadata["uid"] = write.uid
            if write.version is not None:
                metadata["resourceVersion"] = str(write.version)
        return await self._transport.request(
            Call("patch", write.kind.resource, "create" if write.uid is None else "update"),
            write.kind.path(metadata["namespace"], metadata["name"]),
            body={**write.manifest, "metadata": metadata},
            params={"fieldManager": names.MANAGER, "force": "true"},
            content=APPLY_PATCH,
        )

    async def get(self, kind: Kind, namespace: str, name: str) -> Any:
        call = Call("get", kind.resource, "conflict")
        return await self._transport.request(call, kind.path(namespace, name))

    async def delete(self, kind: Kind, record: Record) -> Any:
        """Delete this very object; 409 if another one has its name by now."""
        return await self._transport.request(
            Call("delete", kind.resource, "prune"),
            kind.path(record.namespace, record.ref.name),
            body={
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"uid": record.uid},
            },
        )

    async def pages(
        self, kind: Kind, namespace: str, reason: str
    ) -> AsyncIterator[tuple[list[Any], int]]:
        """Pages of all children of a kind (of all CRDs, as metadata), each with the version."""
        call, more = Call("list", kind.resource, reason), ""
        while True:
            page = {"limit": str(PAGE), **({"continue": more} if more else {})}
            answer = await self._transport.request(
                call,
                kind.path(namespace),
                params=_selection(kind) | page,
                accept=_accept(kind, listed=True),
            )
            # Items of a typed list carry no apiVersion and kind; nothing here reads them.
            yield answer.get("items") or [], int(answer["metadata"]["resourceVersion"])
            if not (more := answer["metadata"].get("continue") or ""):
                return

    def watch(
        self, kind: Kind, namespace: str, version: int, seconds: float, silence: float
    ) -> AsyncGenerator[Any, None]:
        params = _selection(kind) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(version),
            "timeoutSeconds": str(max(1, round(self._clock.real(seconds)))),
        }
        return self._transport.stream(
            Call("watch", kind.resource, "watch"),
            kind.path(namespace),
            params=params,
            accept=_accept(kind, listed=False),
            silence=self._clock.real(silence),
        )

    # the MicroService and what explains it

    async def exists(self, service: Identity) -> bool:
        """Whether this very MicroService is still there and not on its way out."""
        call = Call("get", MICROSERVICE.resource, "ghost")
        path = MICROSERVICE.path(service.namespace, service.name)
        try:
            answer = await self._transport.request(call, path, accept=METADATA_ONLY)
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        metadata = answer["metadata"]
        return metadata["uid"] == service.uid and "deletionTimestamp" not in metadata

    async def patch_status(self, service: Identity, version: int, change: Any) -> Any:
        """Merge `change` into the status of the object as it was at `version`, else 409: the uid
        protects nothing here, the server overwrites it before it compares."""
        return await self._transport.request(
            Call("patch", f"{MICROSERVICE.resource}/status", "status"),
            MICROSERVICE.path(service.namespace, service.name) + "/status",
            body={"metadata": {"resourceVersion": str(version)}, "status": change},
            params={"fieldManager": names.MANAGER},
            content=MERGE_PATCH,
        )

    async def pods(self, service: Identity) -> list[Any]:
        selector = ",".join(f"{k}={v}" for k, v in names.server_pods(service).items())
        answer = await self._transport.request(
            Call("list", POD.resource, "diagnosis"),
            POD.path(service.namespace),
            params={"labelSelector": selector, "limit": str(PAGE)},
        )
        pods: list[Any] = answer["items"]
        return pods

    async def event(self, service: Identity, event: Event) -> None:
        now = self._clock.now()
        await self._transport.request(
            Call("create", EVENT.resource, event.reason),
            EVENT.path(service.namespace),
            body={
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": event.name, "namespace": service.namespace},
                "involvedObject": _reference(service),
                "type": event.type,
                "reason": event.reason,
                "message": event.message,
                "source": {"component": names.MANAGER},
                "reportingComponent": names.MANAGER,
                "reportingInstance": self._identity,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            },
        )

    # ourselves

    async def serves(self, kind: Kind) -> bool:
        """Whether discovery shows the kind, which comes seconds after its CRD was made."""
        call = Call("get", "discovery", "discovery")
        try:
            answer = await self._transport.request(call, f"/apis/{kind.api_version}")
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in answer["resources"])

    async def may(self, verb: str, resource: str, *, namespace: str = "", name: str = "") -> bool:
        """Our own right, with `resource` like `deployments.apps` or `microservices.x/status`."""
        path, _, subresource = resource.partition("/")
        plural, _, group = path.partition(".")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        answer = await self._transport.request(
            Call("create", REVIEW.resource, "permissions"),
            REVIEW.path(),
            body={
                "apiVersion": REVIEW.api_version,
                "kind": REVIEW.kind,
                "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
            },
        )
        return bool(answer["status"].get("allowed"))

    async def get_lease(self) -> Any:
        return await self._lease("get", names.MANAGER)

    async def create_lease(self, spec: dict[str, Any]) -> Any:
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": names.MANAGER, "namespace": self._namespace},
            "spec": spec,
        }
        return await self._lease("create", None, body=body)

    async def patch_lease(self, version: str, spec: dict[str, Any]) -> Any:
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        return await self._lease("patch", names.MANAGER, body=body, content=MERGE_PATCH)

    def watch_lease(self, version: str) -> AsyncGenerator[Any, None]:
        return self._transport.stream(
            Call("watch", LEASE.resource, "lease"),
            LEASE.path(self._namespace),
            params={
                "watch": "true",
                "resourceVersion": version,
                "fieldSelector": f"metadata.name={names.MANAGER}",
                "timeoutSeconds": "290",
            },
            accept=JSON,
            silence=self._clock.real(90),
        )

    async def _lease(
        self, verb: str, name: str | None, *, body: object = None, content: str = JSON
    ) -> Any:
        return await self._transport.request(
            Call(verb, LEASE.resource, "lease"),
            LEASE.path(self._namespace, name),
            body=body,
            content=content,
            deadline=LEASE_TIMEOUT,
            urgent=True,
        )


def _selection(kind: Kind) -> dict[str, str]:
    return {} if kind is DEFINITION else {"labelSelector": names.CHILDREN}


def _accept(kind: Kind, *, listed: bool) -> str:
    if kind is not DEFINITION:
        return JSON
    return METADATA_LIST if listed else METADATA_ONLY


def _reference(service: Identity) -> dict[str, str]:
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "name": service.name,
        "namespace": service.namespace,
        "uid": service.uid,
    }
