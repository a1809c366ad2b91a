"""The subset of Stripe's wire format that the bank speaks: forms in, JSON out."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bank.domain import Intent, IntentStatus, Refund, Refusal

Json = dict[str, Any]
_METADATA = re.compile(r"metadata\[([^\]]{1,40})\]")


def parse_form(body: bytes) -> dict[str, str]:
    """`metadata[order_id]=1` stays one flat key; the same key twice is refused."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    except ValueError as error:
        raise Refusal(400, "parameter_invalid", "The body is not a valid form.") from error
    if len(form := dict(pairs)) != len(pairs):
        raise Refusal(400, "parameter_invalid", "A parameter is given twice.")
    return form


def metadata_of(form: Mapping[str, str]) -> dict[str, str]:
    return {m[1]: value for key, value in form.items() if (m := _METADATA.fullmatch(key))}


def required(form: Mapping[str, str], name: str) -> str:
    if not (value := form.get(name)):
        raise Refusal(400, "parameter_missing", f"Missing required param: {name}.")
    return value


def amount_of(form: Mapping[str, str]) -> int:
    value = required(form, "amount")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
        raise Refusal(400, "parameter_invalid_integer", f"Invalid positive integer: {value}")
    return int(value)


def currency_of(form: Mapping[str, str]) -> str:
    value = required(form, "currency").lower()
    if not re.fullmatch(r"[a-z]{3}", value):
        raise Refusal(400, "parameter_invalid", f"Invalid currency: {value}")
    return value


def intent_json(intent: Intent, *, public_url: str) -> Json:
    paid = intent.status is IntentStatus.SUCCEEDED
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_received": intent.amount if paid else 0,
        "capture_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "last_payment_error": _decline(intent),
        "livemode": False,
        "metadata": dict(intent.metadata),
        "next_action": _next_action(intent, public_url),
        "payment_method": intent.payment_method,
        "status": intent.status,
    }


def _decline(intent: Intent) -> Json | None:
    if intent.decline_code is None:
        return None
    message = f"The bank did not accept the payment: {intent.decline_code.replace('_', ' ')}."
    return {"type": "card_error", "code": intent.decline_code, "message": message}


def _next_action(intent: Intent, public_url: str) -> Json | None:
    if intent.status is not IntentStatus.REQUIRES_ACTION:
        return None
    target = {"url": f"{public_url}/bank/3ds/{intent.id}", "return_url": intent.return_url}
    return {"type": "redirect_to_url", "redirect_to_url": target}


def refund_json(refund: Refund) -> Json:
    failed = {"failure_reason": "expired_or_canceled_card"} if refund.status == "failed" else {}
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "created": refund.created,
        "currency": refund.currency,
        "metadata": dict(refund.metadata),
        "payment_intent": refund.payment_intent,
        "status": refund.status,
        **failed,
    }


def error_json(refusal: Refusal, *, public_url: str) -> Json:
    error: Json = {"type": refusal.type, "code": refusal.code, "message": str(refusal)}
    if refusal.param is not None:
        error["param"] = refusal.param
    if refusal.intent is not None:
        error["payment_intent"] = intent_json(refusal.intent, public_url=public_url)
    return {"error": error}


def signature(payload: bytes, *, secret: str, timestamp: int) -> str:
    """Stripe's scheme: HMAC-SHA256 over "<t>.<payload>"."""
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
