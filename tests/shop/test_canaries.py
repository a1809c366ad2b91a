"""I10 end to end: secrets typed in on purpose are in no log, span, metric, table or export."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from services.kit.tests.collector import Collector
from tests.shop.dumping import tables
from tests.shop.test_dead_letters import hold_more, waiting_order

from shop.audit import scan
from shop.customer import FINAL, Credentials, Visitor, visiting
from shop.installation import Installation
from shop.testing import RunningShop, running
from shopkit.ids import uuid5

pytestmark = pytest.mark.xdist_group("canaries")
SERVICES = ("auth", "catalog", "orders", "payments", "bank", "storefront")
EXPORTS = ("audit", "audit/facts", "state", "dead-letters", "ledger", "intents", "forgotten")
CARD, WRONG = "4111 1111 1111 1111", "canary: not the password 61c0"
PASSWORD = "canary: the password 9f3b"
PATIENCE = 60.0


@dataclass
class Evidence:
    """`folder`: all that the shop said and kept. `canaries`: what must not be in there."""

    folder: Path
    data: Path
    canaries: list[str]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("canaries")
    with pytest.MonkeyPatch.context() as environment, Collector() as collector:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        environment.setenv("RESEND_FIRST", "3600")
        with running(folder, "--verbose") as shop:
            found = Evidence(folder / "evidence", folder / "data", [])
            found.folder.mkdir()
            live(shop, found)
            keep_metrics(shop, found, "before-the-crash")
            shop.end(signal.SIGKILL)
            keep_log(shop, found, "before-the-crash")
            shop.start()
            with visiting(shop.url) as visitor:
                buy(visitor, found, "tok_ok")
            read_everything(shop, found)
            shop.end(signal.SIGTERM)
            keep_log(shop, found, "after-the-crash")
        (found.folder / "spans.protobuf").write_bytes(b"\n".join(collector.bodies))
    return found


def live(shop: RunningShop, found: Evidence) -> None:
    """All that can happen to a secret in a day."""
    keys = Installation.in_folder(found.data)
    found.canaries += [CARD, CARD.replace(" ", ""), PASSWORD, WRONG]
    found.canaries += [keys.admin_password, keys.bank_secret, keys.webhook_secret]
    found.canaries += [keys.idempotency_key]
    with visiting(shop.url) as visitor:
        order = buy(visitor, found, "tok_ok")
        buy(visitor, found, "tok_declined")
        waiting = buy(visitor, found, "tok_requires_action")
        httpx.post(waiting["action_url"], data={"answer": "approve"})
        ended(visitor, waiting["id"])
        blunders(visitor, shop, found)
        visitor.call("DELETE", "/users/me")
        visitor.sign_in(shop.admin())
        found.canaries.append(visitor.token)
        path = f"/payments/{uuid5(order['id'], 'payment')}/refunds"
        visitor.call("POST", path, {"amount": 100, "reason": "chipped"}, key="refund")
        bury(shop, visitor)


def buy(visitor: Visitor, found: Evidence, card: str) -> dict[str, object]:
    """A new customer's order, at its end or as far as it gets alone."""
    who = Credentials(f"{uuid.uuid4().hex}@shop.example", PASSWORD)
    visitor.register(who, "Kim")
    answer = visitor.send("POST", "/tokens", {"email": who.email, "password": who.password})
    visitor.sign_in(who)
    renewed = visitor.send("POST", "/tokens/refresh")
    cookies = [a.cookies["refresh_token"] for a in (answer, renewed)]
    found.canaries += [visitor.token, renewed.json()["access_token"], *cookies]
    quote = visitor.call("POST", "/quotes", {"lines": [{"sku": "tide-mug", "quantity": 1}]})
    method = {"token": card, "label": card}
    method = visitor.call("POST", "/payment-methods", method, key=str(uuid.uuid4()))
    body = {"quote": quote["quote"], "payment_method_id": method["id"]}
    order = visitor.call("POST", "/orders", body, key=quote["quote_id"])["id"]
    return ended(visitor, order, "PAYMENT_ACTION")


def ended(visitor: Visitor, order_id: str, *states: str) -> dict[str, object]:
    until = time.monotonic() + PATIENCE
    while True:
        order: dict[str, object] = visitor.call("GET", f"/orders/{order_id}")
        if order["state"] in FINAL.union(states):
            return order
        assert time.monotonic() < until, order
        time.sleep(0.1)


def blunders(visitor: Visitor, shop: RunningShop, found: Evidence) -> None:
    """Secrets where they do not belong: each is refused, and the refusal is not told on."""
    mail = f"{uuid.uuid4().hex}@shop.example"
    key = str(uuid.uuid4())
    visitor.send("POST", "/tokens", {"email": mail, "password": WRONG})
    visitor.send("POST", "/tokens", {"email": WRONG, "password": PASSWORD})
    visitor.send("POST", "/users", {"email": mail, "password": PASSWORD, PASSWORD: 1}, key=key)
    visitor.send("POST", "/payment-methods", {"token": CARD, "label": "mine"}, key=key)
    visitor.send("POST", "/payment-methods", {"token": "tok_ok", "label": CARD}, key=key)
    visitor.send("GET", f"/orders?cursor={visitor.token[:300]}")
    visitor.send("GET", f"/orders/{CARD}")
    broken = f'{{"email": "{mail}", "password": "{PASSWORD}"'
    secret = {"Authorization": f"Bearer {found.canaries[5]}x"}
    with httpx.Client(base_url=shop.url) as client:
        client.post("/api/v1/tokens", content=broken)
        client.post("/v1/payment_intents", data={"payment_method": CARD}, headers=secret)
        client.get("/api/v1/orders", headers={"Authorization": f"Bearer {visitor.token}x"})
        client.post("/api/v1/webhooks/bank", content=CARD, headers={"Stripe-Signature": WRONG})


def bury(shop: RunningShop, admin: Visitor) -> None:
    """A message of a paid order that catalog cannot handle."""
    with visiting(shop.url) as visitor:
        order = waiting_order(visitor)
    hold_more(shop, -1)
    httpx.post(order["action_url"], data={"answer": "approve"})
    until = time.monotonic() + PATIENCE
    while '"CommitStock"' not in export(shop, admin.token, "catalog", "dead-letters"):
        assert time.monotonic() < until
        time.sleep(0.1)


def export(shop: RunningShop, token: str, service: str, what: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{shop.admin_url}/{service}/internal/{what}"
    return httpx.get(url, headers=headers, timeout=30).text


def read_everything(shop: RunningShop, found: Evidence) -> None:
    with visiting(shop.url) as admin:
        admin.sign_in(shop.admin())
        found.canaries.append(admin.token)
    keep_metrics(shop, found, "after-the-crash")
    for service in SERVICES:
        for what in EXPORTS:
            name = f"export-{service}-{what.replace('/', '-')}.json"
            (found.folder / name).write_text(export(shop, admin.token, service, what))
    for name, rows in tables(found.data).items():
        (found.folder / f"table-{name}.txt").write_text("\n".join(map(repr, rows)))


def keep_metrics(shop: RunningShop, found: Evidence, name: str) -> None:
    for service in SERVICES:
        page = httpx.get(f"{shop.admin_url}/{service}/metrics").text
        (found.folder / f"metrics-{service}-{name}.txt").write_text(page)


def keep_log(shop: RunningShop, found: Evidence, name: str) -> None:
    """Without the line that tells the person at the terminal the password of the demo's admin."""
    lines = (line for line in shop.output().splitlines() if "demo admin" not in line)
    (found.folder / f"log-{name}.txt").write_text("\n".join(lines))


def test_the_evidence_is_of_every_kind(evidence: Evidence) -> None:
    """Else the scan would prove nothing."""
    text = {file.name: file.read_bytes() for file in evidence.folder.iterdir()}
    assert b'"event":"started"' in text["log-before-the-crash.txt"]
    assert b'"event":"started"' in text["log-after-the-crash.txt"]
    assert b"POST /api/v1/orders" in text["spans.protobuf"]
    assert b'outcome="refused"' in text["metrics-auth-before-the-crash.txt"]
    assert b"COMPLETED" in text["table-orders.orders.txt"]
    assert b"tok_ok" in text["table-payments.payment_methods.txt"]
    assert b"CommitStock" in text["export-catalog-dead-letters.json"]
    assert b"charge" in text["export-payments-ledger.json"]
    assert len(set(evidence.canaries)) >= 20


def test_no_canary_is_anywhere(evidence: Evidence, tmp_path: Path) -> None:
    canaries = tmp_path / "canaries"
    canaries.write_text("\n".join(evidence.canaries))
    with running(evidence.data.parent) as shop:
        where = ("--url", shop.url, "--admin-url", f"{shop.admin_url}/{{service}}")
        places = ("--scan", str(evidence.folder), "--scan", str(evidence.data))
        command = [sys.executable, "-E", "-m", "shop", "audit", "-o", "json", "--settle", "0"]
        command += [*where, *places, "--data", str(evidence.data), "--canaries", str(canaries)]
        audited = subprocess.run(command, capture_output=True, text=True, timeout=120)
    verdict = json.loads(audited.stdout)
    assert "I10" in verdict["checked"]
    assert [v for v in verdict["violations"] if v["invariant"] == "I10"] == []


KINDS = ("log-", "spans", "metrics-", "export-", "table-")


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_canary_is_found_in_every_kind_of_place(
    evidence: Evidence, tmp_path: Path, kind: str
) -> None:
    for number, file in enumerate(sorted(evidence.folder.glob(f"{kind}*"))):
        copy = tmp_path / file.name
        shutil.copy(file, copy)
        assert list(scan.scan([copy], evidence.canaries)) == []
        canary = evidence.canaries[number % len(evidence.canaries)]
        half = copy.read_bytes()[: file.stat().st_size // 2]
        copy.write_bytes(half + canary.encode() + file.read_bytes()[len(half) :])
        assert [v.subject for v in scan.scan([copy], evidence.canaries)], (file.name, canary)


@pytest.mark.parametrize("service", ["auth", "catalog", "orders", "payments", "bank"])
def test_a_canary_in_a_row_is_found_in_the_database_file(
    evidence: Evidence, tmp_path: Path, service: str
) -> None:
    for file in evidence.data.glob(f"{service}.db*"):
        shutil.copy(file, tmp_path / file.name)
    for canary in set(evidence.canaries):
        with closing(sqlite3.connect(tmp_path / f"{service}.db")) as database:
            database.execute("CREATE TABLE IF NOT EXISTS planted (text)")
            database.execute("INSERT INTO planted VALUES (?)", (f"x{canary}x",))
            database.commit()
        found = list(scan.scan([tmp_path], [canary]))
        assert found, canary
