"""Tokens: ES256 JWTs, checked with mounted public keys; scopes as dependencies of a route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import orjson
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey, KeySet

from shopkit.clock import Clock
from shopkit.errors import Problem, Slug
from shopkit.ids import Ids

ALGORITHM = "ES256"
ISSUER, AUDIENCE = "auth", "shop"
LEEWAY = 5


class InvalidToken(Exception):
    """Not ours, changed, or meant for others."""


class ExpiredToken(InvalidToken):
    """Ours, but too old."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: `id` is the user's UUID."""

    id: str
    scopes: frozenset[str]


def new_keys(count: int = 1) -> str:
    """A private JWK set as JSON; the key ids are RFC 7638 thumbprints."""
    keys = [ECKey.generate_key("P-256", auto_kid=True) for _ in range(count)]
    return orjson.dumps({"keys": [_with_kid(key) for key in keys]}).decode()


def _with_kid(key: ECKey) -> dict[str, Any]:
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}


class Signer:
    """The first key signs; all are published, so that a new one is known before its use."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(_key_set(text))

    def sign(self, claims: Mapping[str, Any]) -> str:
        key = self._keys.keys[0]
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, dict(claims), key, [ALGORITHM])

    def public(self) -> dict[str, Any]:
        return dict(self._keys.as_dict(private=False))

    def jwks_json(self) -> str:
        return orjson.dumps(self.public()).decode()


class Verifier:
    """Accepts ES256 alone, and only keys it was given."""

    def __init__(self, keys: KeySet, issuer: str, audience: str, clock: Clock) -> None:
        self._keys = {key.kid: key for key in keys.keys}
        self._issuer, self._audience, self._clock = issuer, audience, clock

    @classmethod
    def from_json(cls, jwks: str, *, issuer: str, audience: str, clock: Clock) -> Self:
        return cls(_key_set(jwks), issuer, audience, clock)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims; raises InvalidToken or ExpiredToken."""
        try:
            decoded = jwt.decode(token, self._key_of, [ALGORITHM])
            self._registry().validate(decoded.claims)
        except ExpiredTokenError as error:
            raise ExpiredToken(str(error)) from error
        except (JoseError, ValueError) as error:
            raise InvalidToken(type(error).__name__) from error
        return decoded.claims

    def _key_of(self, token: Any) -> Any:
        key = self._keys.get(token.headers().get("kid"))
        if key is None:
            raise ValueError("signed by a key that is not known here")
        return key

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
        )


def _key_set(text: str) -> KeySet:
    return KeySet.import_key_set(orjson.loads(text))


def access_token(
    signer: Signer, *, user: str, scopes: str, clock: Clock, ids: Ids, seconds: int = 600
) -> str:
    """`scopes` separated by spaces."""
    now = int(clock.now().timestamp())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "scope": scopes}
    return signer.sign({**claims, "jti": ids.uuid7(), "iat": now, "exp": now + seconds})


_bearer = HTTPBearer(auto_error=False)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Scope:
    """Dependency: the caller, when the token has the scope ("" = any valid token)."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(self, request: Request, credentials: _Credentials) -> Caller:
        verifier: Verifier | None = request.app.state.service.verifier
        if verifier is None:
            raise Problem(Slug.UNAVAILABLE, "TOKEN_JWKS_FILE is not set for this service.")
        if credentials is None:
            raise _unauthenticated("Send the access token as `Authorization: Bearer ...`.")
        caller = _caller(verifier, credentials.credentials)
        if self._scope and self._scope not in caller.scopes:
            raise Problem(Slug.FORBIDDEN, f"This needs the scope `{self._scope}`.")
        return caller


def _caller(verifier: Verifier, token: str) -> Caller:
    try:
        claims = verifier.verify(token)
        return Caller(claims["sub"], frozenset(claims.get("scope", "").split()))
    except ExpiredToken as error:
        raise _unauthenticated("The access token has expired.") from error
    except (InvalidToken, KeyError) as error:
        raise _unauthenticated("The access token is not valid.") from error


def _unauthenticated(detail: str) -> Problem:
    return Problem(Slug.UNAUTHENTICATED, detail, headers={"WWW-Authenticate": "Bearer"})


SignedIn = Annotated[Caller, Depends(Scope(""))]
Customer = Annotated[Caller, Depends(Scope("customer"))]
Admin = Annotated[Caller, Depends(Scope("admin"))]
Ops = Annotated[Caller, Depends(Scope("ops"))]
