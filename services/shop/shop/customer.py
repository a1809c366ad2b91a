"""A customer of the shop, over HTTP alone: what the page does, without a browser."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

API = "/api/v1"
FINAL = frozenset({"COMPLETED", "CANCELLED", "REJECTED"})
Json = dict[str, Any]
Headers = Mapping[str, str]


class ShopError(Exception):
    """The shop said no, or does not answer; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Credentials:
    email: str
    password: str


class Visitor:
    """Calls the shop at one address; signed in, and with a `token`, after `sign_in`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._headers: dict[str, str] = {}
        self.token = ""

    def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        key: str = "",
        headers: Headers | None = None,
    ) -> Any:
        """Raises ShopError for anything but a success; returns the JSON body, if any."""
        response = self.send(method, path, body, key=key, headers=headers)
        if response.is_error:
            raise ShopError(f"{method} {path}: {_said(response)}")
        return response.json() if response.content else None

    def send(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        key: str = "",
        headers: Headers | None = None,
    ) -> httpx.Response:
        """Any answer; raises ShopError when there is none."""
        sent = {**self._headers, **(headers or {}), **({"Idempotency-Key": key} if key else {})}
        try:
            return self._client.request(method, f"{API}{path}", json=body, headers=sent)
        except httpx.TransportError as error:
            raise ShopError(
                f"The shop at {self._client.base_url} does not answer: {error}"
            ) from error

    def register(self, who: Credentials, name: str) -> None:
        body = {"email": who.email, "password": who.password, "name": name}
        self.call("POST", "/users", body, key=str(uuid.uuid4()))

    def sign_in(self, who: Credentials) -> None:
        answer = self.call("POST", "/tokens", {"email": who.email, "password": who.password})
        self.carry(str(answer["access_token"]))

    def carry(self, token: str) -> None:
        """Signed in with a token from elsewhere: each service may have its own address."""
        self.token = token
        self._headers = {"Authorization": f"Bearer {token}"}

    def events(self, order_id: str) -> Iterator[str]:
        """The data of each server-sent event until the server ends the stream."""
        path = f"{API}/orders/{order_id}/events"
        headers = self._headers | {"Accept": "text/event-stream"}
        try:
            with self._client.stream("GET", path, headers=headers, timeout=30) as response:
                for line in response.iter_lines():
                    if line.startswith("data:"):
                        yield line.removeprefix("data:").strip()
        except httpx.TransportError:
            return


def _said(response: httpx.Response) -> str:
    """The problem's own words; a proxy may answer something else."""
    try:
        problem = response.json()
        return f"{response.status_code} {problem['title']}. {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason_phrase}"


@contextmanager
def visiting(url: str) -> Iterator[Visitor]:
    """A visitor of the shop at `url`."""
    with httpx.Client(base_url=url.rstrip("/"), timeout=10) as client:
        yield Visitor(client)
