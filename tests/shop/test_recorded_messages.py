"""Messages as they were on the wire, release by release: today's code understands every one.

`GOLDEN_UPDATE=1 pytest tests/shop/test_recorded_messages.py` records those of this version, before
its release; what was released is never recorded again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from tests.shop.auditing_in_process import must_be_clean
from tests.shop.crashing import JOURNEYS, open_sturdy_shop
from tests.shop.test_contracts import CONTRACTS, FOLDER

from shop.installation import Installation
from shop.services import Place, embedded
from shopkit.app import Service
from shopkit.messages import Message, decode
from shopkit.transport.memory import MemoryBroker

RECORDED = FOLDER.parent / "recorded"
VERSION = "0.1.0"
FILES = sorted(RECORDED.rglob("*.json"))


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    place = Place(0, 0, tmp_path_factory.mktemp("recorded"))
    return {service.name: service for service in embedded(place, Installation.new())}


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recorded_message_is_understood_by_its_receiver_and_keeps_its_contract(
    services: dict[str, Service], path: Path
) -> None:
    kept = json.loads(path.read_text(encoding="utf-8"))
    message = Message.parse(kept["subject"], kept["headers"], kept["data"].encode())
    _, received = services[message.target]._handlers.find(message)
    assert received.body.model_dump(mode="json") == decode(message.data), "nothing was lost"
    jsonschema.validate(decode(message.data), CONTRACTS[message.subject])


def test_every_contract_was_recorded() -> None:
    assert {path.stem for path in FILES if path.parent.name == VERSION} == set(CONTRACTS)


async def test_what_is_sent_today_keeps_its_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On every way that an order, and a user, may go."""
    sent: dict[str, Message] = {}
    publish = MemoryBroker.publish

    def noting(broker: MemoryBroker, message: Message) -> None:
        sent.setdefault(message.subject, message)
        publish(broker, message)

    monkeypatch.setattr(MemoryBroker, "publish", noting)
    async with open_sturdy_shop(tmp_path, monkeypatch) as shop:
        for way in JOURNEYS:
            await way(shop)
        await must_be_clean(shop)
    assert set(sent) == set(CONTRACTS)
    for subject, message in sent.items():
        jsonschema.validate(decode(message.data), CONTRACTS[subject])
    if os.environ.get("GOLDEN_UPDATE"):
        record(sent)
    for path in FILES:
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert set(sent[kept["subject"]].headers()) >= set(kept["headers"]), "no header is missing"


def record(sent: dict[str, Message]) -> None:
    (RECORDED / VERSION).mkdir(parents=True, exist_ok=True)
    for subject, message in sent.items():
        kept = {"subject": subject, "headers": message.headers(), "data": message.data.decode()}
        path = RECORDED / VERSION / f"{subject}.json"
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
