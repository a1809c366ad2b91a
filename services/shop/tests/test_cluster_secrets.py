"""`shop secrets`: what a new cluster gets."""

import base64
import json
import re
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from shop.cluster_secrets import SERVICES, Namespaces, init_sql, secret_list
from shopkit.auth import Signer
from shopkit.testing import ServerProcess, until

CONTRACT = {
    ("shop", f"{service}-{what}"): {"url"} for service in SERVICES for what in ("db", "nats")
} | {
    ("shop", "token-keys"): {"keys.json"},
    ("shop", "token-jwks"): {"jwks.json"},
    ("shop", "quote-keys"): {"keys.json"},
    ("shop", "quote-jwks"): {"jwks.json"},
    ("shop", "idempotency"): {"key"},
    ("shop", "bank-api"): {"secret", "webhook"},
    ("shop", "shop-admin"): {"email", "password"},
    ("platform", "postgres-admin"): {"password"},
    ("platform", "postgres-init"): {"init.sql"},
    ("platform", "nats-config"): {"nats.conf"},
}


def data(document: dict[str, Any], name: str) -> dict[str, str]:
    found = next(item for item in document["items"] if item["metadata"]["name"] == name)
    content: dict[str, str] = found["stringData"]
    return content


def test_the_command_prints_one_list_with_every_secret_of_the_contract() -> None:
    command = [sys.executable, "-m", "shop", "secrets"]
    out = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    document = json.loads(out)
    assert (document["apiVersion"], document["kind"]) == ("v1", "List")
    made = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): set(item["stringData"])
        for item in document["items"]
    }
    assert made == CONTRACT


def test_the_namespaces_can_be_chosen() -> None:
    document = secret_list(Namespaces("a", "b"))
    assert {item["metadata"]["namespace"] for item in document["items"]} == {"a", "b"}
    assert "@postgres.b.svc.cluster.local:5432/orders" in data(document, "orders-db")["url"]
    assert data(document, "orders-nats")["url"].endswith("@nats.b.svc.cluster.local:4222")


def test_two_installations_share_no_secret() -> None:
    first, second = secret_list(Namespaces()), secret_list(Namespaces())
    for name in (item["metadata"]["name"] for item in first["items"]):
        shared = set(data(first, name).values()) & set(data(second, name).values())
        assert shared <= {"admin@shop.example"}


def test_what_a_service_connects_with_is_what_the_servers_are_told() -> None:
    document = secret_list(Namespaces())
    sql, conf = (
        data(document, "postgres-init")["init.sql"],
        data(document, "nats-config")["nats.conf"],
    )
    for service in SERVICES:
        database = re.match(r".*://(\w+):([\w-]+)@", data(document, f"{service}-db")["url"])
        broker = re.match(r".*://(\w+):([\w-]+)@", data(document, f"{service}-nats")["url"])
        assert database
        assert broker
        assert f"CREATE ROLE {database[1]} LOGIN PASSWORD '{database[2]}';" in sql
        assert f'user: {broker[1]}, password: "{broker[2]}"' in conf


@pytest.mark.parametrize("purpose", ["token", "quote"])
def test_the_public_keys_belong_to_the_private_ones_and_hold_nothing_private(purpose: str) -> None:
    document = secret_list(Namespaces())
    keys = data(document, f"{purpose}-keys")["keys.json"]
    public = data(document, f"{purpose}-jwks")["jwks.json"]
    assert Signer.from_json(keys).jwks_json() == public
    private = json.loads(keys)["keys"][0]["d"]
    assert len(base64.urlsafe_b64decode(private + "=")) == 32
    assert private not in public


async def superuser(port: int) -> asyncpg.Connection:
    """The port is open before the server lets anybody in."""
    found: list[asyncpg.Connection] = []

    async def connects() -> bool:
        try:
            found.append(
                await asyncpg.connect(
                    host="127.0.0.1", port=port, user="postgres", database="postgres"
                )
            )
        except asyncpg.CannotConnectNowError:
            return False
        return True

    await until(connects, 10)
    return found[0]


async def test_each_role_owns_its_database_and_can_enter_no_other(
    postgres_server: ServerProcess,
) -> None:
    passwords = {"alpha": "pw-a", "beta": "pw-b"}
    admin = await superuser(postgres_server.port)
    for statement in init_sql(passwords).splitlines():
        if statement:
            await admin.execute(statement)
    await admin.close()
    where = {"host": "127.0.0.1", "port": postgres_server.port, "user": "alpha"}
    mine = await asyncpg.connect(**where, database="alpha")
    await mine.execute("CREATE TABLE t (id int)")
    await mine.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    await mine.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(**where, database="beta")
