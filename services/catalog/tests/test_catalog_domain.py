import pytest

from catalog.domain import (
    CannotQuote,
    Command,
    Hold,
    InvariantViolation,
    Line,
    Price,
    Reply,
    after,
    merged,
    quote,
    reply,
)

BAD = InvariantViolation
TABLE: list[tuple[Command, Hold | None, object]] = [
    (Command.RESERVE, None, Hold.HELD),
    (Command.RESERVE, Hold.HELD, None),
    (Command.RESERVE, Hold.REJECTED, None),
    (Command.RESERVE, Hold.RELEASED, None),
    (Command.RESERVE, Hold.COMMITTED, None),
    (Command.RELEASE, None, Hold.RELEASED),
    (Command.RELEASE, Hold.HELD, Hold.RELEASED),
    (Command.RELEASE, Hold.REJECTED, None),
    (Command.RELEASE, Hold.RELEASED, None),
    (Command.RELEASE, Hold.COMMITTED, BAD),
    (Command.COMMIT, None, BAD),
    (Command.COMMIT, Hold.HELD, Hold.COMMITTED),
    (Command.COMMIT, Hold.REJECTED, BAD),
    (Command.COMMIT, Hold.RELEASED, BAD),
    (Command.COMMIT, Hold.COMMITTED, None),
]


@pytest.mark.parametrize(("command", "hold", "expected"), TABLE)
def test_every_command_has_an_effect_in_every_state(
    command: Command, hold: Hold | None, expected: object
) -> None:
    if expected is BAD:
        with pytest.raises(InvariantViolation, match=str(command)):
            after(command, hold)
    else:
        assert after(command, hold) is expected


def test_the_table_names_every_pair() -> None:
    pairs = {(command, hold) for command, hold, _ in TABLE}
    assert pairs == {(c, h) for c in Command for h in [None, *Hold]}


@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        (Hold.HELD, Reply.RESERVED),
        (Hold.COMMITTED, Reply.RESERVED),
        (Hold.REJECTED, Reply.REJECTED),
        (Hold.RELEASED, Reply.REJECTED),
    ],
)
def test_a_reserve_is_answered_by_what_the_row_says(hold: Hold, expected: Reply) -> None:
    assert reply(Command.RESERVE, hold) is expected


def test_lines_of_one_sku_become_one_line_in_sku_order() -> None:
    assert merged([Line("b", 1), Line("a", 2), Line("b", 3)]) == (Line("a", 2), Line("b", 4))


def test_a_quote_totals_its_lines() -> None:
    prices = {"a": Price("A", 250, "EUR"), "b": Price("B", 99, "EUR")}
    quoted = quote([Line("b", 1), Line("a", 2)], prices)
    assert (quoted.total, quoted.currency) == (599, "EUR")
    assert [(line.sku, line.unit_price) for line in quoted.lines] == [("a", 250), ("b", 99)]


def test_a_quote_names_what_is_not_for_sale() -> None:
    with pytest.raises(CannotQuote, match="Not for sale: x, y") as caught:
        quote([Line("y", 1), Line("x", 1)], {})
    assert caught.value.skus == ["x", "y"]


def test_two_currencies_are_never_added_up() -> None:
    prices = {"a": Price("A", 1, "EUR"), "b": Price("B", 1, "USD")}
    with pytest.raises(CannotQuote, match="one currency"):
        quote([Line("a", 1), Line("b", 1)], prices)
