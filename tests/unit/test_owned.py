"""Cutting a live object along its managedFields."""

from copy import deepcopy
from typing import Any

from microservice_operator import owned

MANAGER = "microservice-operator"


def live(fields: dict[str, Any], **body: Any) -> dict[str, Any]:
    theirs = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:theirs": {}}}}
    ours = {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}
    metadata = {"name": "a", "namespace": "b", "managedFields": [theirs, ours]}
    return {"metadata": metadata | body.pop("metadata", {}), **body}


def test_only_our_fields_are_cut_out() -> None:
    obj = live({"f:spec": {"f:ours": {}}}, spec={"ours": 1, "theirs": 2}, status={"x": 1})
    assert owned.cut(obj, MANAGER) == {"spec": {"ours": 1}}


def test_a_whole_value_is_taken_with_what_the_server_added() -> None:
    obj = live({"f:spec": {"f:atomic": {}}}, spec={"atomic": {"a": 1, "default": 2}})
    assert owned.cut(obj, MANAGER) == {"spec": {"atomic": {"a": 1, "default": 2}}}


def test_items_are_found_by_their_keys_in_live_order() -> None:
    fields: dict[str, Any] = {
        "f:env": {
            'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
            'k:{"name":"A"}': {".": {}, "f:name": {}},
        }
    }
    env = [{"name": "X"}, {"name": "A", "value": "theirs"}, {"name": "B", "value": "1"}]
    assert owned.cut(live(fields, env=env), MANAGER) == {
        "env": [{"name": "A"}, {"name": "B", "value": "1"}]
    }


def test_items_may_have_several_keys() -> None:
    fields: dict[str, Any] = {
        "f:ports": {'k:{"port":53,"protocol":"UDP"}': {"f:port": {}, "f:protocol": {}}}
    }
    ports = [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP", "nodePort": 1}]
    assert owned.cut(live(fields, ports=ports), MANAGER) == {
        "ports": [{"port": 53, "protocol": "UDP"}]
    }


def test_members_of_a_set_are_found_by_value() -> None:
    fields: dict[str, Any] = {"f:metadata": {"f:finalizers": {'v:"a/b"': {}}}}
    obj = live(fields, metadata={"finalizers": ["c/d", "a/b"]})
    assert owned.cut(obj, MANAGER) == {"metadata": {"finalizers": ["a/b"]}}


def test_a_field_that_is_gone_is_a_difference() -> None:
    obj = live({"f:spec": {"f:a": {}, "f:b": {}}}, spec={"a": 1})
    assert owned.cut(obj, MANAGER) == {"spec": {"a": 1}}


def test_nobody_of_our_name_owns_nothing() -> None:
    assert owned.cut({"metadata": {}, "spec": {"a": 1}}, MANAGER) == {}
    by_update = live({"f:spec": {}}, spec={"a": 1})
    for entry in by_update["metadata"]["managedFields"]:
        entry["operation"] = "Update"
    assert owned.cut(by_update, MANAGER) == {}
    by_scale = live({"f:spec": {}}, spec={"a": 1})
    by_scale["metadata"]["managedFields"][1]["subresource"] = "scale"
    assert owned.cut(by_scale, MANAGER) == {}


def test_the_digest_ignores_the_order_of_keys_and_keeps_that_of_lists() -> None:
    manifest = {"metadata": {"name": "a"}, "spec": {"x": 1, "y": [1, 2]}}
    swapped = {"spec": {"y": [1, 2], "x": 1}, "metadata": {"name": "a"}}
    turned = {"metadata": {"name": "a"}, "spec": {"x": 1, "y": [2, 1]}}
    assert owned.wanted(manifest) == owned.wanted(swapped) != owned.wanted(turned)


def test_the_digest_of_a_manifest_leaves_out_what_is_never_managed() -> None:
    bare = {"spec": {"a": 1}, "metadata": {"labels": {"l": "x"}}}
    dressed = deepcopy(bare) | {"apiVersion": "v1", "kind": "X"}
    dressed["metadata"] |= {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "1"}  # type: ignore[operator]
    assert owned.wanted(bare) == owned.wanted(dressed)


def test_owning_a_field_is_seen_at_its_path() -> None:
    obj = live({"f:spec": {"f:replicas": {}}}, spec={"replicas": 1})
    assert owned.owns(obj, MANAGER, "spec", "replicas")
    assert not owned.owns(obj, MANAGER, "spec", "paused")
    assert not owned.owns(obj, MANAGER, "status", "replicas")
    assert not owned.owns({"metadata": {}}, MANAGER, "spec", "replicas")


def test_the_last_writer_is_found_by_time_and_never_by_the_status() -> None:
    def entry(manager: str, minute: int, **more: str) -> dict[str, str]:
        return {"manager": manager, "time": f"2026-01-01T12:{minute:02}:00Z", **more}

    entries = [
        entry("applier", 2),
        entry(MANAGER, 4),
        entry("editor", 1),
        entry("autoscaler", 3, subresource="scale"),
        entry("controller", 5, subresource="status"),
    ]
    obj = {"metadata": {"managedFields": entries}}
    assert owned.last_writer(obj) == MANAGER
    assert owned.last_writer(obj, but=MANAGER) == "autoscaler"
    assert owned.last_writer({"metadata": {"managedFields": entries[1:2]}}, but=MANAGER) == ""
    assert owned.last_writer({"metadata": {}}) == ""
