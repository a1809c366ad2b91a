"""The admin ports of the services, for a person with the scope `ops`."""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from shop.customer import Credentials, ShopError, visiting
from shop.installation import Installation

# Those that keep rows and handle messages.
SERVICES = ("auth", "catalog", "orders", "payments")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Ports:
    """`urls`: service -> where its admin port is; `token` has the scope `ops`."""

    http: httpx.AsyncClient
    urls: Mapping[str, str]
    token: str

    async def get(self, service: str, path: str) -> Any:
        """Raises ShopError for anything but a success."""
        answer = await self.send("GET", service, path)
        if not answer.is_success:
            url, said = answer.request.url, answer.text[:200]
            raise ShopError(f"{service} answers {answer.status_code} at {url}: {said}")
        return answer.json()

    async def send(self, method: str, service: str, path: str) -> httpx.Response:
        """Any answer; raises ShopError when there is none."""
        url = f"{self.urls[service].rstrip('/')}{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return await self.http.request(method, url, headers=headers)
        except httpx.TransportError as error:
            raise ShopError(f"{service} does not answer at {url}: {error}") from error


def read(model: type[M], answer: Any) -> M:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise ShopError(f"an answer that is no {model.__name__}: {error}") from error


@asynccontextmanager
async def opened(options: argparse.Namespace) -> AsyncIterator[Ports]:
    """With the arguments of `shop.access`."""
    async with httpx.AsyncClient(timeout=30) as http:
        yield Ports(http, _urls(options), _token(options))


def _urls(options: argparse.Namespace) -> Mapping[str, str]:
    urls = {name: options.admin_url.replace("{service}", name) for name in SERVICES}
    for pair in options.admin:
        name, _, url = pair.partition("=")
        if name not in urls or not url:
            raise ShopError(f"--admin {pair}: write SERVICE=URL, SERVICE is one of {list(urls)}")
        urls[name] = url
    return urls


def _token(options: argparse.Namespace) -> str:
    who = Credentials(options.admin_email, password(options))
    with visiting(options.url) as visitor:
        visitor.sign_in(who)
        return visitor.token


def password(options: argparse.Namespace) -> str:
    if options.admin_password_file is not None:
        return text(options.admin_password_file)
    if not options.data.is_dir():
        raise ShopError(f"{options.data} is no data folder of a shop; see --admin-password-file")
    return Installation.in_folder(options.data).admin_password


def text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ShopError(f"{path}: {error.strerror}") from error
