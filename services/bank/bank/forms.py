"""The forms that the bank takes, for its OpenAPI file: to FastAPI they are bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

from bank.domain import Token

Described = Mapping[str, Mapping[str, Any]]

_AMOUNT = {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}
_TEXT = {"type": "string"}


def _form(properties: Described, required: Sequence[str] = ()) -> dict[str, Any]:
    # More is allowed, such as `metadata[order_id]`.
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": _TEXT,
    }
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    return {"requestBody": {"required": bool(required), "content": content}}


CREATE = _form(
    {
        "amount": _AMOUNT,
        "currency": {"type": "string", "pattern": "^[A-Za-z]{3}$"},
        "payment_method": {"type": "string", "enum": list(Token)},
    },
    ["amount", "currency", "payment_method"],
)
CONFIRM = _form({"return_url": _TEXT})
REFUND = _form({"payment_intent": _TEXT, "amount": _AMOUNT}, ["payment_intent"])
ANSWER = _form({"answer": _TEXT})
