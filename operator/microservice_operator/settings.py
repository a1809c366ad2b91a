"""What the environment and one mounted file say: their one home."""

import os
import re
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from microservice_operator.api.platform import Platform
from microservice_operator.errors import OperatorError

VERSION = version("microservice-operator")
PORT = Field(ge=0, le=65535)
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123 label


class InvalidSettings(OperatorError):
    """One sentence for whoever set them."""


class Settings(BaseSettings):
    """Each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, extra="ignore")

    kubeconfig: Annotated[
        str | None,
        Field(description="kubeconfig file; without it, the service account of the pod"),
    ] = None
    kubernetes_service_host: Annotated[
        str, Field(description="set by the kubelet: address of the API server")
    ] = ""
    kubernetes_service_port: Annotated[
        str, Field(description="set by the kubelet: port of the API server")
    ] = "443"
    pod_name: Annotated[
        str, Field(description="identity in the Lease; the host name if absent")
    ] = ""
    pod_namespace: Annotated[str, Field(min_length=1, description="namespace of the Lease")] = (
        "microservice-operator"
    )
    namespaces: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="the only ones to work in, with commas between; empty: all of them"),
    ] = ()
    platform_file: Annotated[
        Path, Field(description="YAML with the facts of the cluster; defaults if there is none")
    ] = Path("/etc/microservice-operator/platform.yaml")
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="least level of log lines")
    ] = "INFO"
    log_format: Annotated[
        Literal["auto", "plain", "json"],
        Field(description="auto is plain on a terminal, else json"),
    ] = "auto"
    probe_port: Annotated[int, PORT, Field(description="port of /healthz; 0 for none")] = 8080
    metrics_port: Annotated[
        int, PORT, Field(description="port of /metrics and /readyz; 0 for none")
    ] = 9090
    workers: Annotated[
        int, Field(ge=1, le=256, description="passes that may run at the same time")
    ] = 16
    connections: Annotated[
        int, Field(ge=8, le=1024, description="connections to the API server beside the watches")
    ] = 64
    relist_seconds: Annotated[
        float, Field(ge=1, description="seconds between two full lists of a child kind")
    ] = 3600.0

    @field_validator("log_level", mode="before")
    @classmethod
    def _capitals(cls, value: Any, _: ValidationInfo) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("namespaces", mode="before")
    @classmethod
    def _separated(cls, value: Any, _: ValidationInfo) -> Any:
        names = value.split(",") if isinstance(value, str) else value
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))

    @field_validator("namespaces")
    @classmethod
    def _named(cls, value: tuple[str, ...], _: ValidationInfo) -> tuple[str, ...]:
        for name in value:
            if not NAMESPACE.fullmatch(name):
                raise PydanticCustomError(
                    "namespace",
                    "{name} is not the name of a namespace: small letters, digits and - inside,"
                    " at most 63 characters",
                    {"name": repr(name)},
                )
        return value

    @property
    def identity(self) -> str:
        """One process, also where several run on one host."""
        return self.pod_name or f"{socket.gethostname()}-{os.getpid()}"


def read_settings() -> Settings:
    """Raises InvalidSettings."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings(_sentence(error, str.upper)) from None


def read_platform(path: Path) -> Platform:
    """Raises InvalidSettings; a file that is not there means all defaults."""
    try:
        return parse_platform(path.read_text(), str(path))
    except FileNotFoundError:
        return Platform()
    except OSError as error:
        raise InvalidSettings(f"{path}: {error}") from error


def parse_platform(text: str, where: str) -> Platform:
    """Raises InvalidSettings; an empty text means all defaults."""
    try:
        return Platform.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise InvalidSettings(f"{where}: {error}") from error
    except ValidationError as error:
        raise InvalidSettings(f"{where}: {_sentence(error)}") from None


def explain() -> str:
    """The environment variables, one a line, for `--help`."""
    lines = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "", ()) else f" [{field.default}]"
        lines.append(f"  {name.upper():<26}{field.description}{default}")
    return "\n".join(lines)


def _sentence(error: ValidationError, name: Any = str) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{name('.'.join(map(str, p['loc'])))}: {p['msg']}" for p in problems)
