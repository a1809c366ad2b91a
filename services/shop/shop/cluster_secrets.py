"""`shop secrets`: everything secret of one installation, made once, as Kubernetes objects."""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shop import nats_conf
from shopkit.auth import Signer, new_keys

SERVICES = ("auth", "catalog", "orders", "payments")
ADMIN_EMAIL = "admin@shop.example"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where the shop runs, and where its database and broker do."""

    shop: str = "shop"
    platform: str = "platform"


def secret_list(names: Namespaces) -> dict[str, Any]:
    """A v1 List; every call makes new values."""
    database = {service: _password() for service in SERVICES}
    broker = {service: _password() for service in SERVICES}
    items = [
        *_connections(names, database, broker),
        *_shop(names),
        *_platform(names, database, broker),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _password() -> str:
    """Letters, digits, `-` and `_` only: safe in URLs, SQL and nats.conf without quoting."""
    return secrets.token_urlsafe(24)


def _secret(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/managed-by": "shop-secrets"}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque"}
    return {**body, "metadata": metadata, "stringData": dict(data)}


def _connections(
    names: Namespaces, database: Mapping[str, str], broker: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    host = f"{names.platform}.svc.cluster.local"
    for service in SERVICES:
        url = f"postgresql+asyncpg://{service}:{database[service]}@postgres.{host}:5432/{service}"
        yield _secret(names.shop, f"{service}-db", {"url": url})
        url = f"nats://{service}:{broker[service]}@nats.{host}:4222"
        yield _secret(names.shop, f"{service}-nats", {"url": url})


def _shop(names: Namespaces) -> Iterator[dict[str, Any]]:
    for purpose in ("token", "quote"):
        keys = new_keys()
        yield _secret(names.shop, f"{purpose}-keys", {"keys.json": keys})
        public = Signer.from_json(keys).jwks_json()
        yield _secret(names.shop, f"{purpose}-jwks", {"jwks.json": public})
    yield _secret(names.shop, "idempotency", {"key": _password()})
    yield _secret(names.shop, "bank-api", {"secret": _password(), "webhook": _password()})
    yield _secret(names.shop, "shop-admin", {"email": ADMIN_EMAIL, "password": _password()})


def _platform(
    names: Namespaces, database: Mapping[str, str], broker: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    yield _secret(names.platform, "postgres-admin", {"password": _password()})
    yield _secret(names.platform, "postgres-init", {"init.sql": init_sql(database)})
    yield _secret(names.platform, "nats-config", {"nats.conf": nats_conf.render(broker)})


def init_sql(passwords: Mapping[str, str]) -> str:
    """One role and one database a service; none can look into another's."""
    return "\n".join(line for item in passwords.items() for line in _database(*item))


def _database(service: str, password: str) -> Iterable[str]:
    return (
        f"CREATE ROLE {service} LOGIN PASSWORD '{password}';",
        f"CREATE DATABASE {service} OWNER {service};",
        f"REVOKE ALL ON DATABASE {service} FROM PUBLIC;",
        "",
    )
