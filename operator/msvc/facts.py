"""The operator's settings, which decide what children look like: from a file or the cluster."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from microservice_operator.api.kinds import Kind
from microservice_operator.api.platform import Platform
from microservice_operator.names import MANAGER
from microservice_operator.settings import VERSION, InvalidSettings, Settings, parse_platform
from msvc.cluster import Cluster, Forbidden
from msvc.exits import Exit, Failure

DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
OPERATOR = f"app.kubernetes.io/name={MANAGER}"  # as the chart labels it
RELEASE = "app.kubernetes.io/version"
OTHERWISE = "give --settings FILE, or --operator NAMESPACE"


@dataclass(frozen=True, slots=True)
class Facts:
    platform: Platform
    source: str  # in words
    version: str  # of the operator meant

    @property
    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.platform.model_dump(by_alias=True, exclude_none=True)
        return settings


def add_facts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("settings of the operator, which children depend on")
    group.add_argument(
        "--settings",
        metavar="FILE",
        help="a platform.yaml as the operator mounts it, instead of the cluster's;"
        " /dev/null for the defaults",
    )
    group.add_argument(
        "--operator", metavar="NAMESPACE", help="where the operator runs, instead of a search"
    )


def facts(options: argparse.Namespace, cluster: Cluster, namespace: str) -> Facts:
    """Of the operator that is responsible for `namespace`. Raises Failure."""
    if options.settings:
        return _of_file(options.settings)
    found = _of_cluster(cluster, options.operator, namespace)
    if found.version not in ("", VERSION):
        print(
            f"msvc: the operator is {found.version} and this is {VERSION}, so what it makes may"
            f" differ; install microservice-operator=={found.version}",
            file=sys.stderr,
        )
    return found


def _of_file(file: str) -> Facts:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"the settings cannot be read: {error}") from error
    return Facts(_parsed(text, file), file, VERSION)


def _parsed(text: str, where: str) -> Platform:
    try:
        return parse_platform(text, where)
    except InvalidSettings as error:
        raise Failure(str(error)) from error


def _of_cluster(cluster: Cluster, home: str | None, namespace: str) -> Facts:
    try:
        every = cluster.list(DEPLOYMENT, home, OPERATOR)
        operator = _responsible(every, namespace)
        return _of_deployment(cluster, operator)
    except Forbidden as error:
        raise Failure(f"{error}; {OTHERWISE}", Exit.CLUSTER) from error


def _responsible(operators: list[Any], namespace: str) -> Any:
    able = [found for found in operators if _reaches(found, namespace)]
    if len(able) == 1:
        return able[0]
    homes = ", ".join(found["metadata"]["namespace"] for found in able)
    what = f"operators run in {homes}" if able else f"no operator works in {namespace}"
    raise Failure(f"{what}; {OTHERWISE}", Exit.CLUSTER)


def _reaches(operator: Any, namespace: str) -> bool:
    given = _environment(operator).get("NAMESPACES", "")
    names = {name.strip() for name in given.split(",") if name.strip()}
    return not names or namespace in names


def _of_deployment(cluster: Cluster, operator: Any) -> Facts:
    metadata = operator["metadata"]
    version = metadata.get("labels", {}).get(RELEASE, "")
    where = f"Deployment {metadata['namespace']}/{metadata['name']}"
    default = Settings.model_fields["platform_file"].default
    file = PurePosixPath(_environment(operator).get("PLATFORM_FILE", str(default)))
    config = _mounted(operator, file.parent)
    if config is None:
        return Facts(Platform(), f"{where}, which mounts none: defaults", version)
    content = cluster.get(CONFIG_MAP, metadata["namespace"], config)
    text = (content.get("data") or {}).get(file.name, "")
    source = f"ConfigMap {metadata['namespace']}/{config}"
    return Facts(_parsed(text, source), source, version)


def _environment(operator: Any) -> dict[str, str]:
    variables = _container(operator).get("env") or ()
    return {entry["name"]: entry.get("value", "") for entry in variables}


def _mounted(operator: Any, folder: PurePosixPath) -> str | None:
    """The ConfigMap behind a folder of the operator's container."""
    mounts = _container(operator).get("volumeMounts") or ()
    volume = next((m["name"] for m in mounts if PurePosixPath(m["mountPath"]) == folder), None)
    volumes = operator["spec"]["template"]["spec"].get("volumes") or ()
    named = (v.get("configMap", {}).get("name") for v in volumes if v["name"] == volume)
    return next(named, None)


def _container(operator: Any) -> dict[str, Any]:
    container: dict[str, Any] = operator["spec"]["template"]["spec"]["containers"][0]
    return container
