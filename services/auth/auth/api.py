"""HTTP: users, tokens and the public keys."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Request, Response

from auth import accounts, erasure, sessions
from auth.domain import CUSTOMER
from auth.limiter import PerAddress
from auth.models import (
    Accepted,
    AccessToken,
    Login,
    PasswordChange,
    Profile,
    Registration,
    Rename,
)
from auth.sign_in import SignIn
from auth.tables import users
from shopkit.auth import SignedIn
from shopkit.db import Tx
from shopkit.engine import SagaEngine
from shopkit.errors import Problem, Slug
from shopkit.http import Db
from shopkit.idempotency import Answer, Idempotent

router = APIRouter(prefix="/api/v1")
keys_router = APIRouter()


async def _sign_in(request: Request) -> SignIn:
    sign_in: SignIn = request.app.state.sign_in
    return sign_in


async def _engine(request: Request) -> SagaEngine:
    engine: SagaEngine = request.app.state.erasure
    return engine


UsesSignIn = Annotated[SignIn, Depends(_sign_in)]
RefreshCookie = Annotated[str, Cookie(alias="refresh_token", include_in_schema=False)]


@router.post("/users", status_code=202, response_model=Accepted, dependencies=[PerAddress])
async def register(body: Registration, idem: Idempotent, sign_in: UsesSignIn) -> Response:
    """The same answer whether the address has an account or not."""
    password_hash = await sign_in.passwords.hash(body.password.get_secret_value())

    async def work(tx: Tx) -> Answer:
        await accounts.add(
            tx, email=body.email, name=body.name, password_hash=password_hash, scopes=CUSTOMER
        )
        return Answer(202, Accepted())

    return await idem.run("register", work)


@router.post("/tokens", response_model=AccessToken, dependencies=[PerAddress])
async def log_in(body: Login, request: Request, sign_in: UsesSignIn) -> Response:
    """After 5 wrong passwords in 15 minutes: 429 with Retry-After."""
    user = await sign_in.check.user(body.email, body.password.get_secret_value())
    return await sign_in.opened(user, request)


@router.post("/tokens/refresh", response_model=AccessToken)
async def refresh(
    request: Request, sign_in: UsesSignIn, refresh_token: RefreshCookie = ""
) -> Response:
    """A new access token and the next refresh cookie; an old cookie ends the session."""
    return await sign_in.renewed(refresh_token, request)


@router.delete("/tokens/current", status_code=204)
async def log_out(
    caller: SignedIn, db: Db, sign_in: UsesSignIn, refresh_token: RefreshCookie = ""
) -> Response:
    async with db.transaction("log_out") as tx:
        await sessions.end(tx, caller.id, refresh_token)
    return sign_in.without_cookie()


@router.delete("/tokens", status_code=204)
async def log_out_everywhere(caller: SignedIn, db: Db, sign_in: UsesSignIn) -> Response:
    async with db.transaction("log_out_everywhere") as tx:
        await sessions.end_all(tx, caller.id)
    return sign_in.without_cookie()


@router.get("/users/me")
async def me(caller: SignedIn, db: Db) -> Profile:
    async with db.read() as tx:
        return await _profile(tx, caller.id)


@router.patch("/users/me")
async def rename(body: Rename, caller: SignedIn, db: Db) -> Profile:
    async with db.transaction("rename") as tx:
        await tx.execute(users.update().where(users.c.id == caller.id).values(name=body.name))
        return await _profile(tx, caller.id)


async def _profile(tx: Tx, user_id: str) -> Profile:
    user = await accounts.by_id(tx, user_id)
    if user is None:
        raise _no_account()
    return Profile(id=user.id, email=user.email, name=user.name, scopes=user.scopes.split())


def _no_account() -> Problem:
    return Problem(Slug.UNAUTHENTICATED, "This account no longer exists.")


@router.delete("/users/me", status_code=202, response_model=Accepted)
async def erase(
    caller: SignedIn, db: Db, sign_in: UsesSignIn, engine: Annotated[SagaEngine, Depends(_engine)]
) -> Response:
    """Nobody can sign in from now on; everything is forgotten once no order or payment is open."""
    async with db.transaction("ask_to_erase") as tx:
        if not await erasure.ask(tx, engine, caller.id):
            raise _no_account()
    body = Accepted().model_dump_json()
    return sign_in.without_cookie(Response(body, 202, media_type="application/json"))


@router.post("/users/me/password", status_code=204)
async def change_password(
    body: PasswordChange, caller: SignedIn, db: Db, sign_in: UsesSignIn
) -> Response:
    """Ends every session, this one included: sign in again with the new password."""
    async with db.read() as tx:
        profile = await _profile(tx, caller.id)
    await _confirm(sign_in, profile.email, body.current_password.get_secret_value())
    password_hash = await sign_in.passwords.hash(body.new_password.get_secret_value())
    async with db.transaction("change_password") as tx:
        change = users.update().where(users.c.id == caller.id)
        await tx.execute(change.values(password_hash=password_hash))
        await sessions.end_all(tx, caller.id)
    return sign_in.without_cookie()


async def _confirm(sign_in: SignIn, email: str, password: str) -> None:
    """A wrong current password is not a lost session: 422, so that no client drops its token."""
    try:
        await sign_in.check.user(email, password)
    except Problem as problem:
        if problem.slug is not Slug.UNAUTHENTICATED:
            raise
        wrong = {"field": "body.current_password", "message": "The current password is wrong."}
        raise Problem(Slug.VALIDATION, wrong["message"], errors=[wrong]) from None


@keys_router.get("/.well-known/jwks.json")
async def jwks(sign_in: UsesSignIn) -> Response:
    """The public keys of access tokens, for outsiders; services have theirs mounted."""
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(sign_in.signer.jwks_json(), headers=headers, media_type="application/json")
