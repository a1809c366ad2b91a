"""Volumes: what the namespace already has, never a path of the node."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from microservice_operator.api import container_rules as rules
from microservice_operator.api.container import ResourceFieldRef
from microservice_operator.api.model import Model, Rule
from microservice_operator.api.scalars import (
    LABEL_KEY,
    DataKey,
    FileMode,
    Label,
    Quantity,
    RelativePath,
    Subdomain,
    Word,
)

Mode = Annotated[FileMode, Field(description="Permission bits as a decimal number; 420 is 0644.")]


class KeyToPath(Model):
    key: Annotated[DataKey, Field(description="The key that becomes a file.")]
    path: Annotated[RelativePath, Field(description="Its path inside the volume.")]
    mode: Mode | None = Field(None, description="Permission bits of this file.")


Items = Annotated[
    tuple[KeyToPath, ...],
    Field(max_length=64, description="Only these keys, under these paths; every key if empty."),
]


class EmptyDir(Model):
    medium: Literal["Memory"] | None = Field(None, description="Memory keeps it off the disk.")
    size_limit: Quantity | None = Field(None, description="The pod is evicted above it.")


class Claim(Model):
    claim_name: Annotated[Subdomain, Field(description="A PersistentVolumeClaim you made.")]
    read_only: bool | None = Field(None, description="Never mounted with write access.")


class ConfigMapVolume(Model):
    name: Annotated[Subdomain, Field(description="A ConfigMap of this namespace.")]
    items: Items = ()
    default_mode: Mode | None = Field(None, description="Permission bits of files; 420 if absent.")
    optional: bool | None = Field(None, description="Start even if it is missing.")


class SecretVolume(Model):
    secret_name: Annotated[Subdomain, Field(description="A Secret of this namespace.")]
    items: Items = ()
    default_mode: Mode | None = Field(None, description="Permission bits of files; 420 if absent.")
    optional: bool | None = Field(None, description="Start even if it is missing.")


class ObjectProjection(Model):
    name: Annotated[Subdomain, Field(description="An object of this namespace.")]
    items: Items = ()
    optional: bool | None = Field(None, description="Start even if it is missing.")


class FileFieldRef(Model):
    field_path: Annotated[
        str,
        Field(
            max_length=512,
            pattern=r"^metadata[.](name|namespace|uid|labels|annotations"
            rf"|(labels|annotations)\['{LABEL_KEY}'\])$",
            description="metadata.name, .namespace, .uid, .labels or .annotations, the last two"
            " also as .labels['key'].",
        ),
    ]


class DownwardFile(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.DOWNWARD_FILE

    path: Annotated[RelativePath, Field(description="Path of the file.")]
    field_ref: FileFieldRef | None = Field(None, description="A field of the pod.")
    resource_field_ref: ResourceFieldRef | None = Field(
        None, description="A request or limit of a container."
    )
    mode: Mode | None = Field(None, description="Permission bits of this file.")


class DownwardProjection(Model):
    items: tuple[DownwardFile, ...] = Field(max_length=32, description="The files.")


class TokenProjection(Model):
    path: Annotated[RelativePath, Field(description="Path of the token.")]
    audience: Word | None = Field(None, description="Who accepts it; the API server if absent.")
    expiration_seconds: Annotated[int, Field(ge=600, le=2**32 - 1)] | None = Field(
        None, description="Lifetime; 3600 if absent."
    )


class Projection(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.PROJECTION

    config_map: ObjectProjection | None = Field(None, description="Keys of a ConfigMap.")
    secret: ObjectProjection | None = Field(None, description="Keys of a Secret.")
    downward_api: DownwardProjection | None = Field(
        None, alias="downwardAPI", description="Facts about the pod."
    )
    service_account_token: TokenProjection | None = Field(
        None, description="A token of the pod's ServiceAccount, renewed by the kubelet."
    )


class Projected(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.PROJECTED

    sources: tuple[Projection, ...] = Field(
        min_length=1, max_length=16, description="What is put together."
    )
    default_mode: Mode | None = Field(None, description="Permission bits of files; 420 if absent.")


class Volume(Model):
    RULES: ClassVar[tuple[Rule, ...]] = rules.VOLUME

    name: Annotated[Label, Field(description="Name by which volumeMounts refer to it.")]
    empty_dir: EmptyDir | None = Field(None, description="Empty at start, gone with the pod.")
    persistent_volume_claim: Claim | None = Field(
        None, description="Storage that outlives the pod."
    )
    config_map: ConfigMapVolume | None = Field(None, description="Keys of a ConfigMap as files.")
    secret: SecretVolume | None = Field(None, description="Keys of a Secret as files.")
    projected: Projected | None = Field(None, description="Several sources in one directory.")
