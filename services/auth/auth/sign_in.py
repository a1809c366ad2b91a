"""Opens and renews sessions: an access token in the body, a refresh token in a cookie."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from fastapi import Request, Response

from auth import accounts, sessions
from auth.domain import Refresh
from auth.login import PasswordCheck
from auth.models import AccessToken
from auth.passwords import Passwords
from auth.sessions import Renewed
from auth.settings import AuthSettings
from shopkit.app import Service
from shopkit.auth import Signer, access_token
from shopkit.db import Tx
from shopkit.errors import Problem, Slug

COOKIE, PATH = "refresh_token", "/api/v1/tokens"


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the routes need."""

    service: Service
    settings: AuthSettings
    signer: Signer
    passwords: Passwords
    check: PasswordCheck

    async def opened(self, user: sa.Row[Any], request: Request) -> Response:
        async with self.service.db.transaction("log_in") as tx:
            token = await sessions.start(tx, user.id, self.settings.refresh_lifetime)
        return self._answer(user, token, request)

    async def renewed(self, presented: str, request: Request) -> Response:
        async with self.service.db.transaction("refresh") as tx:
            outcome = await sessions.renew(tx, presented, self.settings.refresh_lifetime)
            user = await self._owner(tx, outcome)
        if user is None or not isinstance(outcome, Renewed):
            raise self._refused(outcome)
        return self._answer(user, outcome.refresh_token, request)

    async def _owner(self, tx: Tx, outcome: Renewed | Refresh) -> sa.Row[Any] | None:
        """None too when a login crossed the wish to be forgotten."""
        user = await accounts.by_id(tx, outcome.user_id) if isinstance(outcome, Renewed) else None
        return None if user is None or user.erasing_since is not None else user

    def _refused(self, outcome: Renewed | Refresh) -> Problem:
        if outcome is Refresh.REVOKE_SESSION:
            self.service.log.warning("refresh_token_reused")
        return Problem(Slug.UNAUTHENTICATED, "The session has ended; sign in again.")

    def _answer(self, user: sa.Row[Any], refresh: str, request: Request) -> Response:
        seconds = self.settings.access_seconds
        token = access_token(
            self.signer,
            user=user.id,
            scopes=user.scopes,
            clock=self.service.clock,
            ids=self.service.ids,
            seconds=seconds,
        )
        body = AccessToken(access_token=token, expires_in=seconds)
        # A shared computer's disk cache is no place for a token (RFC 6749 5.1).
        headers = {"Cache-Control": "no-store"}
        response = Response(body.model_dump_json(), headers=headers, media_type="application/json")
        age = int(self.settings.refresh_lifetime.total_seconds())
        _set_cookie(response, refresh, age, secure=request.url.scheme == "https")
        return response

    def without_cookie(self, response: Response | None = None) -> Response:
        """A 204 when there is nothing else to say."""
        response = response or Response(status_code=204)
        _set_cookie(response, "", 0, secure=False)
        return response


def _set_cookie(response: Response, value: str, max_age: int, *, secure: bool) -> None:
    response.set_cookie(
        COOKIE, value, max_age=max_age, path=PATH, secure=secure, httponly=True, samesite="strict"
    )
