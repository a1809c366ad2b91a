"""No rule of the protocol is there for nothing: without it, something that is looked at is wrong.

The mutants switch each rule off in the services' own code. Where a whole order, or the erasure of a
whole user, shows it, that goes the way that the rule was made for (hard_ways.py, leaving.py); else
the kit's test of that rule does.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa
from services.kit.tests.conftest import Embedded, Real
from services.kit.tests.test_transport import FastForward
from tests.shop import delivery_mutants, erasure_mutants, model_erasure, mutants, payment_mutants
from tests.shop.auditing_in_process import must_be_clean, verdict_on
from tests.shop.crashing import Journey, SturdyShop, open_sturdy_shop
from tests.shop.hard_ways import PATIENT_WORKER
from tests.shop.model import Rule
from tests.shop.mutant import Mutant

from shop.audit.auditing import Scope
from shopkit.auth import Signer
from shopkit.errors import Unavailable
from shopkit.schema import sagas

MUTANTS = [*mutants.MUTANTS, *payment_mutants.MUTANTS, *erasure_mutants.MUTANTS]
WAYS = list(dict.fromkeys(mutant.way for mutant in MUTANTS))
# A healthy shop needs two; then nobody answers any more.
MOST_SENDS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def healthy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SturdyShop]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("healthy")
        async with open_sturdy_shop(folder, patch, **PATIENT_WORKER) as shop:
            yield shop


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__qualname__.partition(".")[0])
async def test_with_every_rule_it_goes_the_hard_way_and_all_is_well(
    healthy: SturdyShop, way: Journey
) -> None:
    await way(healthy)
    healthy.heal()
    await must_be_clean(healthy)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
async def test_without_its_rule_the_same_way_leaves_something_that_shows(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant.switch_off(monkeypatch)
    async with open_sturdy_shop(tmp_path, monkeypatch, **PATIENT_WORKER) as shop:
        found = await findings(shop, mutant.way)
        await shop.kill(*shop.wires.up)
    assert any(re.search(mutant.shows, line, re.DOTALL) for line in found), found


DELIVERY = [
    pytest.param(mutant, marks=pytest.mark.long if mutant.slow else (), id=str(mutant))
    for mutant in delivery_mutants.MUTANTS
]


@pytest.mark.parametrize("mutant", DELIVERY)
async def test_without_its_delivery_rule_the_kits_own_test_of_it_fails(
    mutant: delivery_mutants.Mutant,
    tmp_path: Path,
    keys: Signer,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    given = _arguments(mutant.check, Embedded(tmp_path, keys), request)
    mutant.switch_off(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await mutant.check(**given)


def _arguments(
    check: delivery_mutants.Check, embedded: Embedded, request: pytest.FixtureRequest
) -> dict[str, object]:
    """What pytest would give the check in its own folder, the embedded backend where it may."""
    given: dict[str, object] = {}
    for name in inspect.signature(check).parameters:
        match name:
            case "backend":
                given[name] = embedded
            case "real":
                servers = map(request.getfixturevalue, ("new_postgres", "nats_server"))
                given[name] = Real(*servers, embedded)
            case "clock":
                given[name] = FastForward()
            case "changes":
                given[name] = {"version": 2}
            case _:
                given[name] = request.getfixturevalue(name)
    return given


def test_every_delivery_rule_is_switched_off() -> None:
    in_an_order = {mutant.rule[0] for mutant in MUTANTS if mutant.rule[1:2] == ":"}
    alone = {mutant.rule for mutant in delivery_mutants.MUTANTS}
    assert in_an_order | alone == set("abcdefghi")


@pytest.mark.parametrize("model", [Rule, model_erasure.Rule], ids=["order", "erasure"])
def test_every_rule_of_the_model_is_switched_off_in_the_code(model: type) -> None:
    rules = {text for name, text in vars(model).items() if name.isupper()}
    assert rules <= {mutant.rule for mutant in MUTANTS}


async def findings(shop: SturdyShop, way: Journey) -> list[str]:
    """What the way itself noticed, else what the auditor finds."""
    noticed = await _noticed(shop, way)
    shop.heal()
    verdict = await verdict_on(shop, Scope(settle=0 if noticed else 5))
    broken = [f"{v.invariant} {v.subject} {v.detail}" for v in verdict.violations]
    letters = [f"dead letter {letter}" for letter in verdict.letters]
    return [*noticed, *broken, *verdict.unsettled, *letters]


async def _noticed(shop: SturdyShop, way: Journey) -> list[str]:
    going, stuck = asyncio.ensure_future(way(shop)), asyncio.create_task(_stuck(shop))
    await asyncio.wait([going, stuck], return_when=asyncio.FIRST_COMPLETED)
    for task in (going, stuck):
        task.cancel()
    results = await asyncio.gather(going, stuck, return_exceptions=True)
    return [str(result) for result in results if isinstance(result, str | AssertionError)]


async def _stuck(shop: SturdyShop) -> str:
    """Ends when an order, or the erasure of a user, has sent its command too often."""
    query = sa.select(sagas.c.state).where(sagas.c.attempt >= MOST_SENDS)
    while True:
        for service in ("orders", "auth"):
            with suppress(KeyError, Unavailable):  # it died just now
                for row in await shop.rows(service, query):
                    return f"stuck in {row.state}"
        await asyncio.sleep(0.1)
