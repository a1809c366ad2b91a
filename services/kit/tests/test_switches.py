"""Fault switches: off unless allowed, and no more than what they say."""

from dataclasses import replace

import pytest
from services.kit.tests.chassis import ORDER, Wire, bench, hold_message
from services.kit.tests.conftest import Embedded
from services.kit.tests.test_delivery import commands, relay
from services.kit.tests.toy import seller

from shopkit.app import World
from shopkit.auth import Signer
from shopkit.switches import Faults, Switches
from shopkit.testing import client_of, token

FAULTS = "/internal/faults"


async def test_without_the_setting_there_are_none(embedded: Embedded, keys: Signer) -> None:
    service = seller.create_app(await embedded.settings("seller"), World())
    ops = f"Bearer {token(keys, ORDER, 'ops')}"
    async with client_of(service.admin, Authorization=ops) as http:
        assert (await http.get(FAULTS)).status_code == 404
        assert (await http.post(f"{FAULTS}/death", json={})).status_code == 404


async def test_with_it_only_ops_may_switch_and_requests_fail_but_never_probes(
    embedded: Embedded, keys: Signer
) -> None:
    settings = (await embedded.settings("seller")).model_copy(update={"shop_faults": True})
    service = seller.create_app(settings, World())
    customer, ops = (f"Bearer {token(keys, ORDER, scope)}" for scope in ("customer", "ops"))
    async with client_of(service.admin, Authorization=customer) as http:
        assert (await http.put(FAULTS, json={"errors": 1})).status_code == 403
        assert (await http.post(f"{FAULTS}/death", json={})).status_code == 403
    async with client_of(service.admin, Authorization=ops) as http:
        assert (await http.put(FAULTS, json={"errors": 2})).status_code == 422
        assert (await http.put(FAULTS, json={"errors": 1})).status_code == 200
        assert (await http.get(FAULTS)).json()["errors"] == 1
    async with client_of(service) as http:
        assert (await http.get("/anything")).status_code == 503
        assert (await http.get("/livez")).status_code == 200


async def test_a_lost_message_is_not_published_and_a_doubled_one_twice(embedded: Embedded) -> None:
    async with bench(embedded) as b:
        for faults, arrive in ((Faults(drop=1), 0), (Faults(duplicate=1), 2), (Faults(), 1)):
            wire = Wire()
            await commands(b.service, 1)
            b.service.switches.now = faults
            await relay(b.chassis, wire).once()
            assert len({m.dedup_id for m in wire.published}) == arrive


async def test_the_copy_of_a_message_changes_nothing(embedded: Embedded) -> None:
    async with bench(embedded, stock=5) as b:
        b.service.switches.now = Faults(duplicate=1)
        for copy in b.service.switches.copies(hold_message()):
            await b.deliver(copy)
        assert await seller.free_stock(b.service) == 4


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="equal to"):
        Faults(drop=share)


def test_what_is_off_draws_no_chance() -> None:
    """So that seeded tests go the same way with and without the switches."""
    world = World()
    message = replace(hold_message(), attempt=3)

    class Never:
        def random(self) -> float:
            raise AssertionError("drawn")

    assert list(Switches(world.clock, Never()).copies(message)) == [message]  # type: ignore[arg-type]
