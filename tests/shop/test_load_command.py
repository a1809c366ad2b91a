"""`shop load` as typed, on a shop of one process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop.customer import visiting
from shop.load.tally import SERVICE_OF
from shop.testing import PATIENCE, RunningShop, running

pytestmark = pytest.mark.xdist_group("shop-load")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    with running(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


def command(shop: RunningShop, *words: str) -> list[str]:
    where = (f"--url={shop.url}", f"--data={shop.folder / 'data'}")
    return [sys.executable, "-E", "-m", "shop", *words, *where]


def typed(shop: RunningShop, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(shop, *words), capture_output=True, text=True, timeout=PATIENCE)


def loaded(shop: RunningShop, *words: str) -> dict[str, Any]:
    done = typed(shop, "load", *words, "--output=json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_every_order_is_followed_to_its_end_and_the_audit_knows_them_all(
    shop: RunningShop, tmp_path: Path
) -> None:
    record = tmp_path / "orders.jsonl"
    few = ("--rate=4", "--seconds=2", "--customers=4", f"--record={record}")
    figures = loaded(shop, "checkouts", *few)
    orders = figures["orders"]
    assert (figures["arrivals"], figures["failures"]) == (8, {})
    assert (orders["accepted"], orders["ended"], orders["unfinished"]) == (8, {"COMPLETED": 8}, 0)
    assert orders["drained_after_s"] is not None
    order = figures["functions"]["order"]
    assert order["alone_ms"]["p50"] < order["ms"]["p50"] < orders["confirmed_ms"]["p50"]
    assert orders["confirmed_ms"]["p50"] < orders["completed_ms"]["p50"]
    assert len(record.read_text().splitlines()) == 8
    admin = f"--admin-url={shop.admin_url}/{{service}}"
    audit = typed(shop, "audit", admin, f"--record={record}")
    assert audit.returncode == 0, audit.stdout
    assert "I6" in audit.stdout
    # A promise that was not kept would be seen: the same file with one order more.
    lost = {"key": "k", "status": 202, "order_id": "00000000-0000-7000-8000-000000000000"}
    record.write_text(record.read_text() + json.dumps(lost) + "\n")
    assert typed(shop, "audit", admin, f"--record={record}").returncode == 1


def test_everything_a_customer_does_is_tried_and_what_is_missing_is_taken_in(
    shop: RunningShop,
) -> None:
    with visiting(shop.url) as visitor:
        assert visitor.call("GET", "/products/copper-can")["available"] == 0
        figures = loaded(shop, "functions", "--rate=6.5", "--seconds=2", "--restock")
        # 13 orders of 12 products: two of each were needed, and one of the can was sold.
        assert visitor.call("GET", "/products/copper-can")["available"] == 1
    failed = {name: function["failed"] for name, function in figures["functions"].items()}
    assert failed == dict.fromkeys(SERVICE_OF, 0)
    assert figures["orders"]["ended"] == {"COMPLETED": 13}


def test_a_list_that_has_not_changed_is_not_sent_again(shop: RunningShop) -> None:
    for words, unchanged in (((), 0), (("--etag",), 30)):
        figures = loaded(shop, "products", "--rate=50", "--seconds=1", *words)
        products = figures["functions"]["products"]
        assert products["count"] == 50
        # Those sent before the first answer know no tag yet.
        assert unchanged <= products["unchanged"] <= (49 if unchanged else 0)
        assert "orders" not in figures


def test_ctrl_c_ends_the_load_and_shows_what_there_is(shop: RunningShop) -> None:
    words = command(shop, "load", "products", "--rate=20", "--seconds=200", "--output=json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("begin:")
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    figures = json.loads(output)
    assert figures["interrupted"]
    assert figures["arrivals"] < 4000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--rate=1000", "--seconds=5"), "--restock"),
        (("--service=orders=http://10.0.0.1",), "--yes-really-remote"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_what_to_do(
    shop: RunningShop, words: tuple[str, ...], told: str
) -> None:
    done = typed(shop, "load", "--customers=1", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
