"""The lights of /ops: never green for what nobody looked at."""

import pytest

from shopkit.audit import Report, Violation
from storefront import lights
from storefront.join.facts import Facts, Order
from storefront.lights import Colour

SOLD = Order(order_id="o1", state="COMPLETED", total=500, currency="EUR", lines={"tea": 1})


def report(*violations: Violation) -> Report:
    return Report(
        service="catalog", consumers=True, open=(), dead_letters=(), violations=violations
    )


def colours(
    *violations: Violation, facts: Facts | None = None, at_rest: bool = True
) -> dict[str, Colour]:
    shown = lights.of_audit([report(*violations)], facts or Facts(), at_rest=at_rest)
    return {light.name: light.colour for light in shown}


def test_before_the_first_look_all_are_grey() -> None:
    assert {light.colour for light in lights.unchecked()} == {Colour.GREY}
    assert [light.name for light in lights.unchecked()] == [f"I{n}" for n in range(1, 11)]


def test_what_needs_files_or_a_record_stays_grey() -> None:
    found = colours()
    assert {name for name, colour in found.items() if colour is Colour.GREY} == {"I6", "I10"}
    assert {found[name] for name in found if name not in ("I6", "I10")} == {Colour.GREEN}


def test_while_work_is_under_way_what_holds_at_rest_only_is_grey() -> None:
    found = colours(facts=Facts(orders={"o1": SOLD}), at_rest=False)
    assert (found["I1"], found["I2"], found["I3"], found["I5"]) == (
        Colour.GREEN,
        Colour.GREY,
        Colour.GREY,
        Colour.GREY,
    )


@pytest.mark.parametrize("at_rest", [True, False])
def test_what_a_service_finds_is_red_at_any_time(at_rest: bool) -> None:
    broken = Violation(invariant="I5", subject="c1", detail="sums to 1")
    assert colours(broken, at_rest=at_rest)["I5"] is Colour.RED


def test_what_only_the_join_shows_is_red_and_says_which_order() -> None:
    shown = lights.of_audit([report()], Facts(orders={"o1": SOLD}), at_rest=True)
    (light,) = [light for light in shown if light.name == "I2"]
    assert light.colour is Colour.RED
    assert light.said.startswith("o1: COMPLETED, but")
