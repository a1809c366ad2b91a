"""MicroServices in files: read as Kubernetes reads YAML, with the line of each field."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from microservice_operator.api.kinds import GROUP, MICROSERVICE
from msvc.exits import Failure

Place = tuple[str | int, ...]
# YAML 1.1 as Kubernetes reads it: without times, and 12:30 is no number.
NOT_SCALARS = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
INTEGER = re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
FLOAT = re.compile(r"^[-+]?([0-9][0-9_]*([.][0-9_]*)?([eE][-+]?[0-9]+)?|[.]inf|[.]nan)$", re.I)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """In JSON every key is a string."""
        return {_key(key): value for key, value in super().construct_mapping(node, deep).items()}


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NOT_SCALARS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+.0123456789"))


@dataclass(frozen=True, slots=True)
class Document:
    source: str  # name of the file
    body: Any
    lines: Mapping[Place, int]

    @property
    def name(self) -> str:
        metadata = self.body.get("metadata") if isinstance(self.body, dict) else None
        name = (metadata or {}).get("name") if isinstance(metadata, dict | None) else None
        return str(name or "?")

    @property
    def is_service(self) -> bool:
        if not isinstance(self.body, dict):
            return False
        group = str(self.body.get("apiVersion")).partition("/")[0]
        return group == GROUP and self.body.get("kind") == MICROSERVICE.kind

    def line(self, path: Place) -> int:
        """Of the field, or of the nearest one around it that is written."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read(file: str) -> list[Document]:
    """Everything in a file, lists taken apart; `-` is standard input. Raises Failure."""
    text = _text(file)
    source = "standard input" if file == "-" else file
    try:
        nodes = list(yaml.compose_all(text, _Loader))
    except yaml.YAMLError as error:
        raise Failure(f"{source} is no YAML: {error}") from error
    return [document for node in nodes if node for document in _documents(source, node)]


def services(file: str) -> list[Document]:
    """Raises Failure where there is none."""
    found = [document for document in read(file) if document.is_service]
    if not found:
        raise Failure(
            f"{file} holds no {MICROSERVICE.kind} of {MICROSERVICE.api_version}; "
            "`msvc new NAME` writes one to start from"
        )
    for document in found:
        if document.name == "?" or not isinstance(document.body.get("spec"), dict):
            raise Failure(f"{file} lacks metadata.name or spec; `msvc validate {file}` says more")
    return found


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise Failure(f"{file} cannot be read: {reason}") from error


def _documents(source: str, node: yaml.Node) -> Iterator[Document]:
    lines = dict(_lines(source, node, ()))
    try:
        body = _Loader("").construct_document(node)
    except yaml.YAMLError as error:
        raise Failure(f"{source} is no YAML: {error}") from error
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        for index, item in enumerate(body["items"]):
            at = ("items", index)
            within = {path[2:]: line for path, line in lines.items() if path[:2] == at}
            yield Document(source, item, within)
    else:
        yield Document(source, body, lines)


def _lines(source: str, node: yaml.Node, path: Place) -> Iterator[tuple[Place, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(source, item, (*path, index))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in seen:
                raise Failure(f"{source}:{line}: {name} is there twice; remove one")
            seen.add(name)
            yield from _lines(source, value, (*path, name))
            yield (*path, name), line
