"""Spec: what a user may write, field by field. The CRD is generated from here."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import rules, spec_rules
from microservice_operator.api.access import Access
from microservice_operator.api.autoscaling import Autoscaling
from microservice_operator.api.container import (
    EnvFroms,
    Envs,
    Image,
    ImagePullPolicy,
    InitContainer,
    Lifecycle,
    Probes,
    Resources,
    SecurityContext,
    VolumeMounts,
)
from microservice_operator.api.model import Checked, ListMap, Model, Rule
from microservice_operator.api.observability import Metrics, Observability, Tracing
from microservice_operator.api.routes import Route
from microservice_operator.api.scalars import (
    Annotations,
    CountOrPercent,
    LabelKey,
    Labels,
    LabelValue,
    PortName,
    PortNumber,
    Protocol,
    Strings,
    Subdomain,
)
from microservice_operator.api.scheduling import Affinity, Spread, Toleration
from microservice_operator.api.volumes import Volume


class Port(Model):
    """A subset of core/v1 ServicePort."""

    name: Annotated[PortName, Field(description="Name for routes, probes and metrics.")]
    port: Annotated[PortNumber, Field(description="The number callers use.")]
    target_port: PortNumber | None = Field(
        None, description="The number the container listens on; the same if absent."
    )
    protocol: Protocol = Field("TCP", description="Protocol of the port.")
    app_protocol: LabelKey | None = Field(
        None, description="What is spoken on it, such as http, https or kubernetes.io/h2c."
    )

    @property
    def container_port(self) -> int:
        return self.target_port or self.port


class LocalRef(Model):
    name: Annotated[Subdomain, Field(description="Name of a Secret of this namespace.")]


class Availability(Model):
    max_unavailable: CountOrPercent = Field(
        1, description="Pods that may be away at once, in a drain and before Ready turns False."
    )


class RollingUpdate(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.ROLLING_UPDATE

    max_surge: CountOrPercent = Field("25%", description="Pods above the wanted number.")
    max_unavailable: CountOrPercent = Field(0, description="Pods below the wanted number.")


class Rollout(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.ROLLOUT

    strategy: Literal["RollingUpdate", "Recreate"] = Field(
        "RollingUpdate",
        description="RollingUpdate replaces pods step by step; Recreate ends all old ones first.",
    )
    rolling_update: RollingUpdate | None = Field(None, description="Size of the steps.")
    min_ready_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        0, description="A pod counts as available after being ready for so long."
    )
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        300, description="Without progress for so long, the rollout has failed (Stalled)."
    )


class PodMetadata(Model):
    """Keys that the platform does not allow are left out and reported."""

    labels: Labels = Field({}, description="Labels of the pods, such as team: checkout.")
    annotations: Annotations = Field(
        {}, description="Annotations of the pods, such as those that a service mesh reads."
    )


DEFAULT_PORTS = (Port(name="http", port=8080),)


class Spec(Model):
    RULES: ClassVar[tuple[Rule, ...]] = spec_rules.SPEC + spec_rules.NAMED_PORTS

    image: Annotated[Image, Field(description="Image of the service; the only field you must set.")]
    image_pull_policy: ImagePullPolicy | None = Field(
        None, description="When to pull; Kubernetes decides by the tag if absent."
    )
    command: Strings = Field((), description="Runs instead of the entry point of the image.")
    args: Strings = Field((), description="Arguments of the entry point.")
    env: Envs = Field((), description="Environment variables.")
    env_from: EnvFroms = Field(
        (), description="Whole ConfigMaps and Secrets as variables; env wins over them."
    )
    ports: Annotated[
        tuple[Port, ...], Field(max_length=16), ListMap("name"), Checked(*rules.PORTS)
    ] = Field(
        DEFAULT_PORTS,
        description="Ports of the Service. The first is the default of routes and of the readiness"
        " probe. An empty list makes a worker without a Service.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits; the operator's default if absent."
    )
    probes: Probes = Field(
        Probes(), description="How to tell that a pod has started, may get requests and is alive."
    )
    lifecycle: Lifecycle | None = Field(
        None,
        description="Hooks. If absent, a pod with ports waits 5 seconds before it stops, so that no"
        " request is lost; {} turns that off.",
    )
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] = Field(
        "FallbackToLogsOnError",
        description="Where status.lastFailure finds its message. File keeps lines of the log out of"
        " the status.",
    )
    security_context: SecurityContext = Field(
        SecurityContext(),
        description="Users and groups; everything else is fixed to Pod Security restricted.",
    )
    volumes: Annotated[tuple[Volume, ...], Field(max_length=16), ListMap("name")] = Field(
        (),
        description="Volumes of the pod. The claims, ConfigMaps and Secrets they name are yours to"
        " make.",
    )
    volume_mounts: VolumeMounts = Field((), description="Where the container sees the volumes.")
    init_containers: Annotated[tuple[InitContainer, ...], Field(max_length=8), ListMap("name")] = (
        Field(
            (),
            description="Run one after the other before the service starts; sidecars keep running.",
        )
    )
    termination_grace_period_seconds: Annotated[int, Field(ge=0, le=86400)] = Field(
        30, description="How long a pod may take to stop before it is killed."
    )
    image_pull_secrets: Annotated[tuple[LocalRef, ...], Field(max_length=8), ListMap("name")] = (
        Field((), description="Secrets for private registries.")
    )
    service_account_name: Subdomain | None = Field(
        None,
        description="A ServiceAccount of this namespace. If absent, the service gets one of its own"
        " without any rights.",
    )
    automount_service_account_token: bool = Field(
        False, description="Whether the pods get a token for the Kubernetes API."
    )
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=16)] | None = Field(
        None, description="Labels that a node must have to run the pods."
    )
    tolerations: tuple[Toleration, ...] = Field(
        (), max_length=16, description="Taints of nodes that the pods tolerate."
    )
    affinity: Affinity | None = Field(
        None, description="Which nodes, and which neighbours, the pods prefer, need or avoid."
    )
    topology_spread_constraints: (
        Annotated[
            tuple[Spread, ...],
            Field(max_length=8),
            ListMap("topology_key", "when_unsatisfiable"),
        ]
        | None
    ) = Field(
        None, description="How the pods are spread. If absent, over the nodes as far as possible."
    )
    priority_class_name: Subdomain | None = Field(
        None, description="A PriorityClass: which pods make way for which when there is no room."
    )
    pod_metadata: PodMetadata = Field(
        PodMetadata(),
        description="Labels and annotations of the pods, as far as the operator's settings allow"
        " their keys.",
    )
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="Number of pods. Without it and without autoscaling, kubectl scale decides.",
    )
    autoscaling: Autoscaling | None = Field(
        None, description="Number of pods by load, instead of replicas."
    )
    availability: Availability = Field(
        Availability(),
        description="How many pods may be away; from two replicas on, makes a PodDisruptionBudget.",
    )
    suspend: bool = Field(False, description="true stops all pods; everything else stays.")
    access: Access = Field(
        Access(),
        description="Who may reach the pods, and whom they may reach; makes a NetworkPolicy.",
    )
    routes: Annotated[tuple[Route, ...], Field(max_length=8), ListMap("name")] = Field(
        (), description="How requests from outside arrive; one HTTPRoute for each entry."
    )
    rollout: Rollout = Field(Rollout(), description="How a new revision replaces the old one.")
    observability: Observability = Field(
        Observability(), description="What monitoring and tracing see of the service."
    )

    @property
    def metrics(self) -> Metrics | None:
        return self.observability.metrics

    @property
    def tracing(self) -> Tracing | None:
        return self.observability.tracing
