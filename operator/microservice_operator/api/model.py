"""What every part of the API has in common: frozen, closed, camelCase, and rules stated once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, said twice: `cel` for the API server, `holds` for objects stored before it."""

    cel: str  # "" where it would cost more than the API server's budget
    message: str  # names the fix
    holds: Callable[[Any], bool]

    def check(self, value: Any) -> None:
        if not self.holds(value):
            raise ValueError(self.message)

    @property
    def schema(self) -> dict[str, str]:
        return {"rule": self.cel, "message": self.message}


def _with_rules(schema: dict[str, Any], model: type["Model"]) -> None:
    if model.RULES:
        schema["x-kubernetes-validations"] = [rule.schema for rule in model.RULES if rule.cel]


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,  # values of env never reach a log
        json_schema_extra=_with_rules,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keeps_its_rules(self) -> Self:
        for rule in self.RULES:
            rule.check(self)
        return self


class Checked:
    """Rules of a list as a whole."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"x-kubernetes-validations": [r.schema for r in self.rules]}

    def _check(self, value: Any) -> Any:
        for rule in self.rules:
            rule.check(value)
        return value


class ListMap:
    """A list whose items are told apart by keys, as in Kubernetes' `listType: map`."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        keys = [to_camel(key) for key in self.keys]
        extra = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys}
        return handler(schema) | extra

    def _check(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen = {tuple(getattr(item, key) for key in self.keys) for item in items}
        if len(seen) < len(items):
            raise ValueError(f"two entries have the same {' and '.join(self.keys)}; remove one")
        return items
