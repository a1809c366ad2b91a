"""The generated CRD: closed, bounded, described, and the same as the committed files."""

import json
from collections.abc import Iterator
from typing import Any

from microservice_operator.api.crd import crd, files

VERSION = crd()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]
Node = dict[str, Any]


def nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(node[key], f"{path}[]")


NODES = [(path, node) for path, node in nodes(ROOT) if path not in ("", ".metadata")]


def test_the_committed_files_are_what_the_models_say() -> None:
    for path, text in files().items():
        assert path.read_text() == text, f"run `make generate`: {path} is not up to date"


def test_it_is_small_enough_for_every_way_to_apply_it() -> None:
    assert len(json.dumps(crd())) < 200 * 1024


def test_every_list_map_and_string_is_bounded() -> None:
    open_ended = []
    for path, node in NODES:
        if path in (".apiVersion", ".kind"):
            continue
        bounded = {"string": "maxLength", "array": "maxItems"}.get(node.get("type", ""))
        if bounded and bounded not in node and "enum" not in node:
            open_ended.append(path)
        if "additionalProperties" in node and "maxProperties" not in node:
            open_ended.append(path)
        if node.get("x-kubernetes-int-or-string") and "maxLength" not in node:
            open_ended.append(path)
    assert not open_ended


def test_every_number_of_the_spec_has_both_ends() -> None:
    numbers = [(p, n) for p, n in NODES if n.get("type") == "integer" and p.startswith(".spec")]
    assert not [path for path, node in numbers if not {"minimum", "maximum"} <= set(node)]


def test_every_field_is_described() -> None:
    silent = [path for path, node in NODES if not node.get("description") and path[-2:] != "[]"]
    assert set(silent) <= {".apiVersion", ".kind"}


def test_it_is_structural_and_closed() -> None:
    text = json.dumps(ROOT)
    for word in ("$ref", '"title"', "preserve-unknown", "patternProperties", '"const"'):
        assert word not in text
    assert not [path for path, node in NODES if node.get("additionalProperties") is False]


def test_no_object_is_open() -> None:
    """Each says what it may hold: fields, or a map of one type. Nothing is of any type."""
    objects = [(path, node) for path, node in NODES if node.get("type") == "object"]
    assert len(objects) > 100
    for path, node in objects:
        assert node.get("properties") or node.get("additionalProperties", {}).get("type"), path
        assert "x-kubernetes-embedded-resource" not in node, path
    typed = ("type", "x-kubernetes-int-or-string")
    assert not [path for path, node in NODES if not any(key in node for key in typed)]


def test_every_list_says_how_it_merges() -> None:
    lists = [(path, node) for path, node in NODES if node.get("type") == "array"]
    assert all("x-kubernetes-list-type" in node for _, node in lists)
    keyed = [(p, n) for p, n in lists if n["x-kubernetes-list-type"] == "map"]
    for path, node in keyed:
        items = node["items"]
        for key in node["x-kubernetes-list-map-keys"]:
            known = key in items["required"] or "default" in items["properties"][key]
            assert known, f"{path}: the key {key} may be missing"


def test_a_new_object_is_not_green_for_anybody() -> None:
    assert ROOT["properties"]["status"]["default"] == {"observedGeneration": -1}
    observed = ROOT["properties"]["status"]["properties"]["observedGeneration"]
    assert observed["minimum"] == -1


def test_uninstalling_the_chart_keeps_it() -> None:
    assert crd()["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_only_image_is_required() -> None:
    assert ROOT["properties"]["spec"]["required"] == ["image"]
    assert "scale" not in VERSION["subresources"], "replicas in Git would drift"


def test_the_columns_show_what_people_ask_first() -> None:
    columns = VERSION["additionalPrinterColumns"]
    assert [c["name"] for c in columns if "priority" not in c] == ["Ready", "Reason", "Pods", "Age"]
    assert [c["name"] for c in columns if "priority" in c] == [
        "Image",
        "URL",
        "Paused",
        "Message",
    ]


def test_nothing_dangerous_can_be_said() -> None:
    fields = {path.rpartition(".")[2].removesuffix("[]") for path, _ in NODES}
    assert fields.isdisjoint(
        {
            "hostPath",
            "hostNetwork",
            "hostPID",
            "hostPort",
            "host",
            "privileged",
            "capabilities",
            "procMount",
            "sysctls",
            "seLinuxOptions",
            "externalIPs",
            "nodePort",
            "csi",
            "ephemeral",
        }
    )
