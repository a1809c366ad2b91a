"""MicroService: the user's object as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import ValidationError

from microservice_operator.api.kinds import GROUP
from microservice_operator.api.spec import Spec
from microservice_operator.errors import InvalidSpec

PAUSED = f"{GROUP}/paused"
RESTART = f"{GROUP}/restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything but the spec, so that an object with an invalid spec can be reported."""

    name: str
    namespace: str
    uid: str
    generation: int
    version: int  # metadata.resourceVersion
    annotations: Mapping[str, str]
    deleting: bool
    known_status: Mapping[str, Any]  # as the API server last showed it

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Identity":
        """Never raises on what an API server can send."""
        return Identity(**_identity(body))

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def paused(self) -> bool:
        """The user asked for no writes at all, status included."""
        return self.annotations.get(PAUSED) == "true"

    @property
    def restart(self) -> str:
        """A new value restarts the pods; "" when never asked for."""
        return self.annotations.get(RESTART, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroService(Identity):
    spec: Spec

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Raises InvalidSpec: the stored object may predate a rule of the CRD."""
        try:
            return cls(**_identity(body), spec=Spec.model_validate(body.get("spec") or {}))
        except ValidationError as error:
            raise _invalid(error) from None

    @property
    def floor(self) -> int:
        """The pods the spec promises at least; 0 where `kubectl scale` decides."""
        if self.spec.autoscaling is not None:
            return self.spec.autoscaling.min_replicas
        return self.spec.replicas or 0


def _identity(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = body["metadata"]
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "generation": int(metadata.get("generation") or 0),
        "version": int(metadata["resourceVersion"]),
        "annotations": metadata.get("annotations") or {},
        "deleting": "deletionTimestamp" in metadata,
        "known_status": body.get("status") or {},
    }


def _invalid(error: ValidationError) -> InvalidSpec:
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    reason = first["msg"].removeprefix("Value error, ")
    return InvalidSpec(
        _path(first["loc"]), reason + (f" (and {len(others)} more)" if others else "")
    )


def _path(location: tuple[int | str, ...]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return ".spec" + "".join(steps)
