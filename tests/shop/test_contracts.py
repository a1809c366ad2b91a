"""Every service's own message models say the same as the agreed JSON Schemas."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shop.nats_conf import PUBLISHES
from shopkit.messages import Body

FOLDER = Path(__file__).parents[2] / "services" / "contracts" / "messages"
CONTRACTS: Mapping[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")
}


def model(service: str, subject: str) -> type[Body]:
    messages = importlib.import_module(f"{service}.messages")
    found: type[Body] = getattr(messages, subject.split(".")[-1])
    return found


PAIRS = [
    (service, subject)
    for sender, subjects in PUBLISHES.items()
    for subject in subjects
    for service in (sender, subject.split(".")[1])
]
every_contract = pytest.mark.parametrize("subject", sorted(CONTRACTS))
every_model = pytest.mark.parametrize(("service", "subject"), PAIRS)


def shape(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Types and required fields alone: limits may be stricter on one side."""
    if "$ref" in schema:
        return shape(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if schema["type"] == "object":
        fields = {name: shape(field, root) for name, field in schema["properties"].items()}
        return {"required": sorted(schema.get("required", ())), "fields": fields}
    if schema["type"] == "array":
        return [shape(schema["items"], root)]
    return schema["type"]


def test_there_is_a_contract_for_each_message_that_may_be_sent_and_for_no_other() -> None:
    assert set(CONTRACTS) == {subject for subjects in PUBLISHES.values() for subject in subjects}


@every_contract
def test_a_contract_is_a_valid_schema_with_examples_of_its_own(subject: str) -> None:
    contract = CONTRACTS[subject]
    jsonschema.Draft202012Validator.check_schema(contract)
    assert contract["title"] == subject
    for example in contract["examples"]:
        jsonschema.validate(example, contract)


@every_contract
def test_an_example_without_one_of_its_fields_or_with_another_type_breaks_the_contract(
    subject: str,
) -> None:
    contract = CONTRACTS[subject]
    (example, *_) = contract["examples"]
    for name in example:
        missing = {key: value for key, value in example.items() if key != name}
        for broken in (missing, {**example, name: None}):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(broken, contract)


@every_model
def test_sender_and_receiver_have_the_agreed_fields_and_types(service: str, subject: str) -> None:
    own = model(service, subject).model_json_schema()
    assert shape(own, own) == shape(CONTRACTS[subject], CONTRACTS[subject])


@every_model
def test_a_model_loses_nothing_of_a_message_and_ignores_what_it_does_not_know(
    service: str, subject: str
) -> None:
    for example in CONTRACTS[subject]["examples"]:
        newer = {**example, "a_field_of_a_later_version": 1}
        assert model(service, subject).model_validate(newer).model_dump(mode="json") == example


@every_model
def test_the_version_of_a_model_is_that_of_its_subject(service: str, subject: str) -> None:
    assert f".v{model(service, subject).version}." in subject
