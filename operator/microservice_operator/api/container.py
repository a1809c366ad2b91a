"""What a container runs and what it is given: subsets of core/v1 Container."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import container_rules as rules
from microservice_operator.api.model import ListMap, Model, Rule
from microservice_operator.api.scalars import (
    LABEL_KEY,
    AbsolutePath,
    DataKey,
    EnvName,
    Label,
    PortNumber,
    PortRef,
    Quantity,
    RelativePath,
    Seconds,
    Strings,
    Subdomain,
    Text,
    UserId,
    Word,
)

ImagePullPolicy = Literal["Always", "IfNotPresent", "Never"]
Unit = Literal["1m", "1", "1k", "1M", "1G", "1T", "1P", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi"]
Image = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\s]+$")]


class KeyRef(Model):
    name: Annotated[Subdomain, Field(description="Name of the object in this namespace.")]
    key: Annotated[DataKey, Field(description="The key whose value is used.")]
    optional: bool | None = Field(None, description="Start even if the object or key is missing.")


class FieldRef(Model):
    field_path: Annotated[
        str,
        Field(
            max_length=512,
            pattern=rf"^(metadata[.](name|namespace|uid|(labels|annotations)\['{LABEL_KEY}'\])"
            r"|spec[.](nodeName|serviceAccountName)|status[.](hostIP|hostIPs|podIP|podIPs))$",
            description="A field of the pod: metadata.name, .namespace, .uid, .labels['key'] or"
            " .annotations['key'], spec.nodeName or .serviceAccountName, status.podIP, .podIPs,"
            " .hostIP or .hostIPs.",
        ),
    ]


class ResourceFieldRef(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.RESOURCE_FIELD

    container_name: Label | None = Field(
        None, description="The container meant; needed in volumes only."
    )
    resource: Literal[
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
    ] = Field(description="The request or limit that is shown.")
    divisor: Unit | None = Field(None, description="The unit of the value; 1 if absent.")


class EnvSource(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.ENV_SOURCE

    field_ref: FieldRef | None = Field(None, description="A field of the pod.")
    resource_field_ref: ResourceFieldRef | None = Field(
        None, description="A request or limit of a container."
    )
    config_map_key_ref: KeyRef | None = Field(None, description="A key of a ConfigMap.")
    secret_key_ref: KeyRef | None = Field(None, description="A key of a Secret.")


class Env(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.ENV

    name: Annotated[EnvName, Field(description="Name of the variable.")]
    value: Annotated[str, Field(max_length=8192)] | None = Field(
        None, description="The value; $(NAME) of an earlier variable is expanded."
    )
    value_from: EnvSource | None = Field(None, description="Where the value comes from instead.")


class SourceRef(Model):
    name: Annotated[Subdomain, Field(description="Name of the object in this namespace.")]
    optional: bool | None = Field(None, description="Start even if the object is missing.")


class EnvFrom(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.ENV_FROM

    prefix: EnvName | None = Field(None, description="Put before every name.")
    config_map_ref: SourceRef | None = Field(None, description="Every key of a ConfigMap.")
    secret_ref: SourceRef | None = Field(None, description="Every key of a Secret.")


class Amounts(Model):
    cpu: Quantity | None = Field(None, description="Cores, such as 100m or 2.")
    memory: Quantity | None = Field(None, description="Bytes, such as 128Mi.")
    ephemeral_storage: Quantity | None = Field(
        None, alias="ephemeral-storage", description="Bytes of local disk, such as 1Gi."
    )


class Resources(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.RESOURCES

    requests: Amounts | None = Field(None, description="What the scheduler reserves.")
    limits: Amounts | None = Field(None, description="What the container may use at most.")


class Exec(Model):
    command: Annotated[
        tuple[Text, ...],
        Field(min_length=1, max_length=64, description="Run in the container, without a shell."),
    ]


class HttpHeader(Model):
    name: Annotated[
        str, Field(max_length=256, pattern=r"^[-A-Za-z0-9]+$", description="Name of the header.")
    ]
    value: Annotated[Text, Field(description="Its value.")]


class HttpGet(Model):
    path: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="Path of the request; / if absent."
    )
    port: Annotated[PortRef, Field(description="A port number, or a name of spec.ports.")]
    scheme: Literal["HTTP", "HTTPS"] | None = Field(
        None, description="Scheme of the request; HTTP if absent."
    )
    http_headers: tuple[HttpHeader, ...] = Field(
        (), max_length=16, description="Headers sent along."
    )


class TcpSocket(Model):
    port: Annotated[PortRef, Field(description="A port number, or a name of spec.ports.")]


class Grpc(Model):
    port: Annotated[PortNumber, Field(description="A port number.")]
    service: Word | None = Field(None, description="The service named in the health check.")


class Probe(Model):
    """core/v1 Probe; without `host`, so that nothing but the pod itself can be probed."""

    RULES: ClassVar[tuple[Rule, ...]] = rules.HANDLER

    exec: Exec | None = Field(None, description="Healthy if the command exits 0.")
    http_get: HttpGet | None = Field(None, description="Healthy if the answer is 200 to 399.")
    tcp_socket: TcpSocket | None = Field(None, description="Healthy if the port accepts.")
    grpc: Grpc | None = Field(None, description="Healthy if the gRPC health service says so.")
    initial_delay_seconds: Seconds | None = Field(
        None, description="Wait so long before the first try; 0 if absent."
    )
    period_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None, description="Time between tries; 10 if absent."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None, description="A try without an answer fails after this; 1 if absent."
    )
    success_threshold: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Successes in a row that count as healthy; 1 if absent."
    )
    failure_threshold: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Failures in a row that count as unhealthy; 3 if absent."
    )
    termination_grace_period_seconds: Annotated[int, Field(ge=1, le=86400)] | None = Field(
        None, description="Overrides that of the pod when this probe ends the container."
    )


class Probes(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.PROBES

    startup: Probe | None = Field(
        None, description="Holds back the other probes until it succeeds once."
    )
    readiness: Probe | None = Field(
        None,
        description="It gets requests while this succeeds. If absent, the first port must accept.",
    )
    liveness: Probe | None = Field(None, description="The container is restarted when it fails.")


class Sleep(Model):
    seconds: Annotated[int, Field(ge=1, le=3600, description="How long to wait.")]


class Hook(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.HOOK

    exec: Exec | None = Field(None, description="Run this command.")
    http_get: HttpGet | None = Field(None, description="Send this request to the pod.")
    sleep: Sleep | None = Field(None, description="Wait for so long.")


class Lifecycle(Model):
    post_start: Hook | None = Field(None, description="Right after the container started.")
    pre_stop: Hook | None = Field(None, description="Before the container is told to stop.")


class SecurityContext(Model):
    """The rest is fixed to what Pod Security `restricted` demands."""

    run_as_user: UserId | None = Field(None, description="User id; that of the image if absent.")
    run_as_group: UserId | None = Field(None, description="Primary group id of the process.")
    fs_group: UserId | None = Field(None, description="Group that owns the files of volumes.")
    read_only_root_filesystem: bool = Field(
        True,
        description="Nothing but volumes can be written; /tmp then is an empty volume of its own.",
    )


class VolumeMount(Model):
    name: Annotated[Label, Field(description="Name of an entry of spec.volumes.")]
    mount_path: Annotated[AbsolutePath, Field(description="Where the container sees it.")]
    sub_path: RelativePath | None = Field(
        None, description="A path inside the volume instead of its root."
    )
    read_only: bool | None = Field(None, description="Mounted without write access.")


Envs = Annotated[tuple[Env, ...], Field(max_length=128), ListMap("name")]
EnvFroms = Annotated[tuple[EnvFrom, ...], Field(max_length=32)]
VolumeMounts = Annotated[tuple[VolumeMount, ...], Field(max_length=32), ListMap("mount_path")]


class InitContainer(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.INIT_CONTAINER

    name: Annotated[Label, Field(description="Name of the container; unique in the pod.")]
    image: Annotated[Image, Field(description="Image of the container.")]
    image_pull_policy: ImagePullPolicy | None = Field(
        None, description="When to pull; Kubernetes decides by the tag if absent."
    )
    command: Strings = Field((), description="Runs instead of the entry point of the image.")
    args: Strings = Field((), description="Arguments of the entry point.")
    env: Envs = Field((), description="Environment variables.")
    env_from: EnvFroms = Field((), description="Whole ConfigMaps and Secrets as variables.")
    resources: Resources | None = Field(
        None, description="Requests and limits; the operator's default if absent."
    )
    volume_mounts: VolumeMounts = Field((), description="Where the container sees the volumes.")
    restart_policy: Literal["Always"] | None = Field(
        None,
        description="Always makes it a sidecar: started first, kept running.",
    )
    startup_probe: Probe | None = Field(
        None, description="Sidecars only: what starts after it waits for its first success."
    )
    readiness_probe: Probe | None = Field(
        None, description="Sidecars only: counts for the readiness of the pod."
    )
    liveness_probe: Probe | None = Field(
        None, description="Sidecars only: restarted when it fails."
    )
