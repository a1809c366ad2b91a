"""Everything secret of the shop: made once, kept as long as the cluster."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass

import yaml
from e2e.cluster import command
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.demo.target import Target, asked, kubectl

SHOP = "shop"
PLATFORM = "platform"
# The operator's pods pass the strictest standard, and so must the shop.
PROFILES = {SHOP: "restricted", PLATFORM: "restricted"}


@dataclass(frozen=True)
class Admin:
    email: str
    password: str


def ensure(target: Target) -> None:
    kubectl(target, "apply", "--server-side", "-f", "-", given=_namespaces())
    if _exists(target, SHOP, "shop-admin"):
        return
    if _exists(target, PLATFORM, "postgres-admin") and _has_data(target):
        raise Problem(
            "the databases are there, but the shop's Secrets with their passwords are gone",
            remedy="kubectl delete namespace shop platform, then run this again",
        )
    with progress.step("make the Secrets", "2 s"):
        kubectl(target, "apply", "--server-side", "-f", "-", given=_made())


def admin(target: Target) -> Admin:
    text = asked(target, "get", "secret", "shop-admin", "-n", SHOP, "-o", "json")
    if not text:
        raise Problem("the Secret shop-admin is missing", remedy="run `make demo`")
    data = {
        key: base64.b64decode(value).decode() for key, value in json.loads(text)["data"].items()
    }
    return Admin(data["email"], data["password"])


def _made() -> str:
    return command.output(sys.executable, "-m", "shop", "secrets")


def _exists(target: Target, namespace: str, name: str) -> bool:
    return bool(asked(target, "get", "secret", name, "-n", namespace, "-o", "name"))


def _has_data(target: Target) -> bool:
    return bool(asked(target, "get", "pvc", "-n", PLATFORM, "-o", "name"))


def _namespaces() -> str:
    return yaml.safe_dump_all(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {"pod-security.kubernetes.io/enforce": profile},
            },
        }
        for name, profile in PROFILES.items()
    )
