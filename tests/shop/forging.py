"""Tokens, quotes and signatures that the shop must not take, and the good ones beside them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from bank.wire import signature
from shop.installation import Installation
from shopkit.auth import Signer, access_token, new_keys
from shopkit.clock import SystemClock
from shopkit.ids import SystemIds

CLOCK = SystemClock()
IDS = SystemIds(CLOCK)
TOO_OLD = 301  # seconds


def tokens(keys: Installation, user: str) -> Mapping[str, str]:
    """By name; but for `customer` none is good."""
    ours = Signer.from_json(keys.token_keys)
    good = _token(ours, user)
    claims = _part(good, 1)
    return {
        "customer": good,
        "no_scope": _token(ours, user, scopes=""),
        "expired": _token(ours, user, seconds=-60),
        "unknown_key": _token(Signer.from_json(new_keys()), user),
        "other_key_same_kid": _token(_impostor(keys.token_keys), user),
        "other_audience": ours.sign({**claims, "aud": "orders"}),
        "other_issuer": ours.sign({**claims, "iss": "catalog"}),
        "for_ever": ours.sign({k: v for k, v in claims.items() if k != "exp"}),
        "altered": _altered(good, scope="customer admin ops"),
        "alg_none": _unsigned(good),
        "alg_hs256_with_the_public_key": _hs256(good, ours.jwks_json().encode()),
        "kid_is_a_list": _joined({"alg": "ES256", "kid": [1]}, claims, good.split(".")[2]),
        "garbage": "eyJ.%%%.!",
    }


def _token(signer: Signer, user: str, *, scopes: str = "customer", seconds: int = 3600) -> str:
    return access_token(signer, user=user, scopes=scopes, clock=CLOCK, ids=IDS, seconds=seconds)


def quotes(keys: Installation, good: str) -> Mapping[str, str]:
    ours, claims = Signer.from_json(keys.quote_keys), _part(good, 1)
    past = int(CLOCK.now().timestamp()) - 60
    return {
        "expired_quote": ours.sign({**claims, "jti": IDS.uuid7(), "exp": past}),
        "forged_quote": _impostor(keys.quote_keys).sign(claims),
        "cheaper_quote": _altered(good, total=1),
        "unsigned_quote": _unsigned(good),
        "wrong_sum_quote": ours.sign({**claims, "jti": IDS.uuid7(), "total": 1}),
    }


def webhooks(keys: Installation, intent_id: str) -> Mapping[str, str]:
    event = json.dumps({"type": "payment_intent.succeeded", "data": {"object": {"id": intent_id}}})
    body, now, secret = event.encode(), int(CLOCK.now().timestamp()), keys.webhook_secret
    return {
        "event": event,
        "signature": signature(body, secret=secret, timestamp=now),
        "forged_signature": signature(body, secret="whsec_other", timestamp=now),
        "old_signature": signature(body, secret=secret, timestamp=now - TOO_OLD),
        # Later than the test may take: then it is still early.
        "early_signature": signature(body, secret=secret, timestamp=now + 3600),
        "signature_of_nothing": signature(b"{}", secret=secret, timestamp=now),
    }


def _impostor(private_keys: str) -> Signer:
    """Another key under the name of ours."""
    kid = json.loads(private_keys)["keys"][0]["kid"]
    (other,) = json.loads(new_keys())["keys"]
    return Signer.from_json(json.dumps({"keys": [{**other, "kid": kid}]}))


def _altered(token: str, **claims: Any) -> str:
    return _joined(_part(token, 0), {**_part(token, 1), **claims}, token.split(".")[2])


def _unsigned(token: str) -> str:
    return _joined({**_part(token, 0), "alg": "none"}, _part(token, 1), "")


def _hs256(token: str, secret: bytes) -> str:
    unsigned = _joined({**_part(token, 0), "alg": "HS256"}, _part(token, 1), "")
    digest = hmac.new(secret, unsigned[:-1].encode(), hashlib.sha256).digest()
    return unsigned + _encoded(digest)


def _joined(header: Mapping[str, Any], claims: Mapping[str, Any], signed: str) -> str:
    parts = (_encoded(json.dumps(part).encode()) for part in (header, claims))
    return ".".join((*parts, signed))


def _part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
