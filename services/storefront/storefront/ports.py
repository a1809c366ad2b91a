"""The services' admin ports, with the token of whoever asks."""

from collections.abc import Mapping
from typing import Any

import httpx

from shopkit.client import BreakerOpen, Unreachable
from shopkit.errors import Problem, Slug
from shopkit.http import Client

SERVICES = ("auth", "catalog", "orders", "payments")


class Ports:
    """`token` is the caller's Authorization header: the services decide what it may do."""

    def __init__(self, clients: Mapping[str, Client], token: str) -> None:
        self._clients, self._token = clients, token

    async def get(self, service: str, path: str) -> Any:
        """Raises the Problem that the service answered, or 503."""
        answer = await self.send("GET", service, path)
        if not answer.is_success:
            raise Problem(Slug.UNAVAILABLE, f"{service} answers {answer.status_code}.")
        return answer.json()

    async def send(self, method: str, service: str, path: str, json: Any = None) -> httpx.Response:
        headers = {"Authorization": self._token, "Content-Type": "application/json"}
        try:
            return await self._clients[service].call(
                method, path, operation="admin", json=json, headers=headers
            )
        except (Unreachable, BreakerOpen) as error:
            raise Problem(Slug.UNAVAILABLE, f"{service} does not answer.") from error
