"""Every name, label, annotation, owner reference and selector we stamp."""

from base64 import b32encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from microservice_operator.api.kinds import GROUP, MICROSERVICE, Kind
from microservice_operator.api.service import RESTART, Identity, MicroService
from microservice_operator.observed import Manifest
from microservice_operator.wire import tidy

MANAGER = "microservice-operator"  # field manager, and the value of managed-by
NAME = f"{GROUP}/name"
TRACK = f"{GROUP}/track"
ROLE = f"{GROUP}/role"
REVISION = f"{GROUP}/revision"
CHILDREN = f"app.kubernetes.io/managed-by={MANAGER}"  # label selector of every child
MAIN_ROUTE = "main"


def labels(service: Identity) -> dict[str, str]:
    """On every child. Never copied from the MicroService: GitOps tools track by label."""
    return {
        "app.kubernetes.io/name": service.name,
        "app.kubernetes.io/managed-by": MANAGER,
        NAME: service.name,
    }


def pod_labels(service: MicroService, revision: str) -> dict[str, str]:
    return labels(service) | {TRACK: "stable", ROLE: "server", REVISION: revision}


def pod_annotations(service: Identity) -> dict[str, str]:
    return {RESTART: service.restart} if service.restart else {}


def deployment_pods(service: Identity) -> dict[str, str]:
    """The Deployment's selector: immutable, so never changed between releases."""
    return {NAME: service.name, TRACK: "stable"}


def server_pods(service: Identity) -> dict[str, str]:
    """Every pod that serves; a finished Job pod would block drains."""
    return {NAME: service.name, ROLE: "server"}


def service_pods(service: Identity) -> dict[str, str]:
    return server_pods(service) | {TRACK: "stable"}


def all_pods(service: Identity) -> dict[str, str]:
    return {NAME: service.name}


def route(service: Identity, entry: str) -> str:
    """Injective, since a MicroService's name holds no dot."""
    return service.name if entry == MAIN_ROUTE else f"{service.name}.{entry}"


def child(kind: Kind, service: Identity, *, name: str = "", **body: Any) -> Manifest:
    """A manifest with our labels and owner reference; `body` is everything beside the metadata,
    tidied into the form that the API server stores."""
    metadata = {
        "name": name or service.name,
        "namespace": service.namespace,
        "labels": labels(service),
        "ownerReferences": [owner(service)],
    }
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **tidy(body)}


def owner(service: Identity) -> dict[str, Any]:
    return {
        "apiVersion": MICROSERVICE.api_version,
        "kind": MICROSERVICE.kind,
        "name": service.name,
        "uid": service.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller(metadata: Mapping[str, Any]) -> str | None:
    """The uid of the controlling owner: the only proof that a child is ours."""
    owners = metadata.get("ownerReferences") or ()
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def event(service: Identity, reason: str, revision: str, now: str) -> str:
    """Deterministic, so that a repeat within the hour is a 409 and ignored."""
    return f"{service.name}.{h8([service.uid, reason, revision, now[:13]])}"


def h8(value: Any) -> str:
    """Eight characters of lower-case base32 of BLAKE2b over canonical JSON."""
    digest = blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=5)
    return b32encode(digest.digest()).decode().lower()
