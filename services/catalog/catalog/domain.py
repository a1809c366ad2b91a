"""What is for sale: quotes, reservations and their replies. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# The bank takes amounts of nine digits, in minor units.
MOST_OF_AN_ORDER = 999_999_999


class Hold(StrEnum):
    """The states of an order's reservation; one row per order, for ever."""

    HELD = "HELD"
    REJECTED = "REJECTED"
    RELEASED = "RELEASED"
    COMMITTED = "COMMITTED"


class Command(StrEnum):
    RESERVE = "ReserveStock"
    RELEASE = "ReleaseStock"
    COMMIT = "CommitStock"


class Reply(StrEnum):
    RESERVED = "StockReserved"
    REJECTED = "StockRejected"
    RELEASED = "StockReleased"
    COMMITTED = "StockCommitted"


class Reason(StrEnum):
    """Why a reservation was refused."""

    OUT_OF_STOCK = "out-of-stock"
    UNKNOWN_PRODUCT = "unknown-product"
    RELEASED = "released"


class InvariantViolation(Exception):
    """A command that a correct saga never sends; it must reach the dead letters."""


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int


@dataclass(frozen=True)
class Movement:
    """One change of a stock row: what is on the shelf, and what of it is promised."""

    sku: str
    on_hand: int
    held: int


@dataclass(frozen=True)
class Price:
    title: str
    amount: int
    currency: str


@dataclass(frozen=True)
class QuotedLine:
    sku: str
    title: str
    quantity: int
    unit_price: int


@dataclass(frozen=True)
class Quote:
    lines: tuple[QuotedLine, ...]
    total: int
    currency: str


class CannotQuote(Exception):
    """`skus` are not for sale."""

    def __init__(self, message: str, skus: Sequence[str]) -> None:
        super().__init__(message)
        self.skus = skus


def merged(lines: Iterable[Line]) -> tuple[Line, ...]:
    """One line per SKU, in SKU order: rows are always locked in the same order."""
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
    return tuple(Line(sku, quantities[sku]) for sku in sorted(quantities))


def quote(lines: Iterable[Line], prices: Mapping[str, Price]) -> Quote:
    """Prices come from the database; the client never sends one."""
    lines = merged(lines)
    if unknown := [line.sku for line in lines if line.sku not in prices]:
        raise CannotQuote(f"Not for sale: {', '.join(unknown)}.", unknown)
    if len(currencies := {prices[line.sku].currency for line in lines}) != 1:
        skus = [line.sku for line in lines]
        raise CannotQuote("The products are not priced in one currency.", skus)
    quoted = tuple(_quoted(line, prices[line.sku]) for line in lines)
    total = sum(line.quantity * line.unit_price for line in quoted)
    if total > MOST_OF_AN_ORDER:
        raise CannotQuote("This is too much for one order.", [line.sku for line in lines])
    return Quote(quoted, total, currencies.pop())


def _quoted(line: Line, price: Price) -> QuotedLine:
    return QuotedLine(line.sku, price.title, line.quantity, price.amount)


def after(command: Command, hold: Hold | None) -> Hold | None:
    """The state a command asks for when the row says `hold`; None leaves it as it is.

    A release that comes first leaves a tombstone, so a late reserve cannot take stock.
    """
    match command, hold:
        case Command.RESERVE, None:
            return Hold.HELD
        case Command.RESERVE, _:
            return None
        case Command.RELEASE, None | Hold.HELD:
            return Hold.RELEASED
        case Command.RELEASE, Hold.REJECTED | Hold.RELEASED:
            return None
        case Command.COMMIT, Hold.HELD:
            return Hold.COMMITTED
        case Command.COMMIT, Hold.COMMITTED:
            return None
        case _:
            raise InvariantViolation(f"{command} for a reservation that is {hold or 'missing'}")


def reply(command: Command, hold: Hold) -> Reply:
    """The answer to a command, derived from the row: a duplicate is answered again."""
    match command:
        case Command.RESERVE if hold in (Hold.HELD, Hold.COMMITTED):
            return Reply.RESERVED
        case Command.RESERVE:
            return Reply.REJECTED
        case Command.RELEASE:
            return Reply.RELEASED
        case Command.COMMIT:
            return Reply.COMMITTED


def held(line: Line) -> Movement:
    return Movement(line.sku, on_hand=0, held=line.quantity)


def released(line: Line) -> Movement:
    return Movement(line.sku, on_hand=0, held=-line.quantity)


def committed(line: Line) -> Movement:
    return Movement(line.sku, on_hand=-line.quantity, held=-line.quantity)
