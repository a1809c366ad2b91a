"""Errors a client sees: RFC 9457 problem details with a closed list of slugs."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shopkit import traces

MEDIA_TYPE = "application/problem+json"


class Slug(StrEnum):
    """Last part of `urn:shop:problem:<slug>`."""

    VALIDATION = "validation"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    IDEMPOTENCY_KEY_MISSING = "idempotency-key-missing"
    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    IN_PROGRESS = "in-progress"
    QUOTE_EXPIRED = "quote-expired"
    QUOTE_INVALID = "quote-invalid"
    QUOTE_USED = "quote-used"
    ORDER_NOT_CANCELLABLE = "order-not-cancellable"
    REFUND_TOO_LARGE = "refund-too-large"
    PRECONDITION_FAILED = "precondition-failed"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    RATE_LIMITED = "rate-limited"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


STATUS: dict[Slug, int] = {
    Slug.VALIDATION: 422,
    Slug.UNAUTHENTICATED: 401,
    Slug.FORBIDDEN: 403,
    Slug.NOT_FOUND: 404,
    Slug.METHOD_NOT_ALLOWED: 405,
    Slug.IDEMPOTENCY_KEY_MISSING: 400,
    Slug.IDEMPOTENCY_KEY_REUSED: 422,
    Slug.IN_PROGRESS: 409,
    Slug.QUOTE_EXPIRED: 409,
    Slug.QUOTE_INVALID: 422,
    Slug.QUOTE_USED: 409,
    Slug.ORDER_NOT_CANCELLABLE: 409,
    Slug.REFUND_TOO_LARGE: 422,
    Slug.PRECONDITION_FAILED: 412,
    Slug.CONFLICT: 409,
    Slug.TOO_LARGE: 413,
    Slug.RATE_LIMITED: 429,
    Slug.UNAVAILABLE: 503,
    Slug.INTERNAL: 500,
}

# 428: the precondition was not sent at all.
STATUSES = frozenset(STATUS.values()) | {428}

TITLES: dict[Slug, str] = {
    Slug.VALIDATION: "The request is not valid",
    Slug.UNAUTHENTICATED: "Sign in first",
    Slug.FORBIDDEN: "Your account may not do this",
    Slug.NOT_FOUND: "There is no such thing",
    Slug.METHOD_NOT_ALLOWED: "This method is not offered here",
    Slug.IDEMPOTENCY_KEY_MISSING: "An Idempotency-Key header is required",
    Slug.IDEMPOTENCY_KEY_REUSED: "This Idempotency-Key was used for another request",
    Slug.IN_PROGRESS: "The same request is still running",
    Slug.QUOTE_EXPIRED: "The quote has expired",
    Slug.QUOTE_INVALID: "The quote is not valid",
    Slug.QUOTE_USED: "An order exists for this quote",
    Slug.ORDER_NOT_CANCELLABLE: "The order can no longer be cancelled",
    Slug.REFUND_TOO_LARGE: "The refund is larger than what is left of the charge",
    Slug.PRECONDITION_FAILED: "It was changed in between",
    Slug.CONFLICT: "The request conflicts with what exists",
    Slug.TOO_LARGE: "The request is too large",
    Slug.RATE_LIMITED: "Too many requests",
    Slug.UNAVAILABLE: "Not available at the moment",
    Slug.INTERNAL: "Something went wrong on our side",
}

_BY_STATUS = {
    400: Slug.VALIDATION,
    401: Slug.UNAUTHENTICATED,
    403: Slug.FORBIDDEN,
    404: Slug.NOT_FOUND,
}
_BY_STATUS |= {405: Slug.METHOD_NOT_ALLOWED, 409: Slug.CONFLICT, 412: Slug.PRECONDITION_FAILED}
_BY_STATUS |= {413: Slug.TOO_LARGE}
_BY_STATUS |= {429: Slug.RATE_LIMITED, 503: Slug.UNAVAILABLE}


class Problem(Exception):
    """Becomes a problem+json answer; inside a transaction it rolls back."""

    def __init__(
        self,
        slug: Slug,
        detail: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail)
        self.slug, self.detail, self.errors = slug, detail, tuple(errors)
        self.status = status or STATUS[slug]
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"urn:shop:problem:{self.slug}",
            "title": TITLES[self.slug],
            "status": self.status,
            "detail": self.detail,
            "trace_id": traces.trace_id(),
        }
        return body | ({"errors": list(self.errors)} if self.errors else {})

    def response(self) -> Response:
        return Response(orjson.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)


class Unavailable(Exception):
    """Something of our own does not answer in time; the client may try again."""


def install(app: FastAPI) -> None:
    """Every error of the app leaves as problem+json."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Exception, _unexpected)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Pydantic's `input` and `ctx` would send the caller's own password back.
    errors = [{"field": _field(item["loc"]), "message": item["msg"]} for item in error.errors()]
    return Problem(Slug.VALIDATION, "See `errors` for what to change.", errors=errors).response()


def _field(location: Sequence[int | str]) -> str:
    """A key that the client chose may hold half a surrogate pair, which no answer can carry."""
    return ".".join(map(str, location)).encode(errors="replace").decode()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    slug = _BY_STATUS.get(error.status_code, Slug.VALIDATION)
    headers = dict(error.headers or {})
    if error.status_code == 405 and (allowed := methods(request)):
        headers["Allow"] = ", ".join(sorted(allowed))
    return Problem(slug, str(error.detail), status=error.status_code, headers=headers).response()


def methods(request: Request) -> set[str]:
    """What the API offers at this path: the router knows only the first of several routes."""
    paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
    here = (offered for path, offered in paths.items() if _is_at(path, request.url.path))
    return {method.upper() for offered in here for method in offered}


def _is_at(template: str, path: str) -> bool:
    return compile_path(template)[0].match(path) is not None


async def _unavailable(_: Request, error: Exception) -> Response:
    return unavailable(error).response()


def unavailable(error: Exception) -> Problem:
    structlog.get_logger().warning("unavailable", error=type(error).__name__, reason=str(error))
    return Problem(Slug.UNAVAILABLE, "Try again in a moment.", headers={"Retry-After": "1"})


async def _unexpected(_: Request, error: Exception) -> Response:
    structlog.get_logger().error("unexpected_error", error=type(error).__name__, exc_info=error)
    return Problem(Slug.INTERNAL, "The error was recorded; try again later.").response()
