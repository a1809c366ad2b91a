"""The erasure of one user, explored completely: auth's saga, and what orders and payments keep.

The network is a set: handling a message does not take it away, a loss may take any. The user has
at most one order under way and a charge for it; both end by themselves, which model.py shows.
Orders is asked first, so that no charge can come to payments once payments is asked: that payments
declines one all the same is not load-bearing. A refund after that needs nothing of the user and is
left out. Change this before the saga is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Rule:
    """Names of the promises that can be switched off, to see what each is good for."""

    RESEND = "EraseUser is sent again"
    ANSWER_AGAIN = "a duplicate EraseUser is answered again"
    LOGIN_LOCKED = "the login is locked"
    NO_NEW_ORDERS = "orders takes none from the first EraseUser on"
    NO_NEW_METHODS = "payments takes none from the first EraseUser on"
    WAIT_FOR_ORDERS = "orders answers when no order is open"
    WAIT_FOR_PAYMENTS = "payments answers when no payment is open"
    ORDERS_FIRST = "payments is asked when orders has answered"
    ROW_LAST = "the user's row goes when both have answered"


class World(NamedTuple):
    """`saga`: NONE, ORDERS, PAYMENTS, ERASED. `orders`, `payments`: KNOWN, ERASING, ERASED."""

    saga: str = "NONE"
    session: bool = True  # an access token that is still valid
    orders: str = "KNOWN"
    order: str = "NONE"  # NONE, OPEN (charge not asked), CHARGING, DONE
    payments: str = "KNOWN"
    method: bool = False
    payment: str = "NONE"  # NONE, OPEN, DONE
    signed_in_late: bool = False
    net: frozenset[str] = frozenset()


def reached(without: str = "") -> dict[World, frozenset[World]]:
    """Every state that can come, with those that may follow."""
    found: dict[World, frozenset[World]] = {}
    todo = [World()]
    while todo:
        world = todo.pop()
        if world not in found:
            found[world] = frozenset(_next(world, without))
            todo.extend(found[world])
    return found


def violations(worlds: dict[World, frozenset[World]]) -> set[str]:
    return {wrong for world in worlds for wrong in _wrong(world)}


def stuck(worlds: dict[World, frozenset[World]]) -> int:
    """How many states of a user who wants to go have no way to the end."""
    before: dict[World, set[World]] = {world: set() for world in worlds}
    for world, following in worlds.items():
        for new in following:
            before[new].add(world)
    good = {world for world in worlds if world.saga == "ERASED"}
    todo = list(good)
    while todo:
        fresh = before[todo.pop()] - good
        good |= fresh
        todo.extend(fresh)
    return sum(world.saga != "NONE" for world in worlds if world not in good)


def _wrong(w: World) -> Iterator[str]:
    if w.orders == "ERASED" and w.order in ("OPEN", "CHARGING"):
        yield "orders has forgotten a user with an open order"
    if w.payments == "ERASED" and w.payment == "OPEN":
        yield "payments has forgotten a user with an open payment"
    if w.payments == "ERASED" and w.method:
        yield "a payment method outlives its user"
    if w.saga == "ERASED" and (w.orders, w.payments) != ("ERASED", "ERASED"):
        yield "the user is gone, and a service still knows them"
    if w.signed_in_late:
        yield "somebody signed in to an account that is being deleted"
    if w.saga != "NONE" and w.payments != "KNOWN" and w.order == "CHARGING" and w.payment == "NONE":
        yield "an order under way lost its payment method"


def _next(w: World, without: str) -> Iterator[World]:
    yield from (w._replace(net=w.net - {lost}) for lost in w.net)
    yield from _user(w, without)
    yield from _saga(w, without)
    yield from _order(w)
    yield from _orders(w, without)
    yield from _payments(w, without)


def _user(w: World, without: str) -> Iterator[World]:
    if w.session:
        yield w._replace(session=False)
        if w.saga == "NONE":
            yield _sent(w._replace(saga="ORDERS"), "EraseUser>orders")
            if without == Rule.ORDERS_FIRST:
                yield _sent(w._replace(saga="ORDERS"), "EraseUser>payments")
        if (
            w.order in ("NONE", "DONE")
            and w.method
            and _takes(w.orders, Rule.NO_NEW_ORDERS, without)
        ):
            yield w._replace(order="OPEN", payment="NONE")
        if not w.method and _takes(w.payments, Rule.NO_NEW_METHODS, without):
            yield w._replace(method=True)
    elif w.saga == "NONE" or (without == Rule.LOGIN_LOCKED and w.saga != "ERASED"):
        yield w._replace(session=True, signed_in_late=w.saga != "NONE")


def _takes(row: str, rule: str, without: str) -> bool:
    return row == "KNOWN" or without == rule


def _sent(w: World, *messages: str) -> World:
    return w._replace(net=w.net | set(messages))


def _saga(w: World, without: str) -> Iterator[World]:
    target = {"ORDERS": "orders", "PAYMENTS": "payments"}.get(w.saga)
    if target is None:
        return
    if without != Rule.RESEND:
        yield _sent(w, f"EraseUser>{target}")
        if without == Rule.ORDERS_FIRST:
            yield _sent(w, "EraseUser>payments")
    if f"UserErased<{target}" in w.net:
        new = "ERASED" if w.saga == "PAYMENTS" or without == Rule.ROW_LAST else "PAYMENTS"
        after = w._replace(saga=new)
        yield after if new == "ERASED" else _sent(after, "EraseUser>payments")


def _order(w: World) -> Iterator[World]:
    """From its placing to its end, on the messages of model.py."""
    if w.order == "OPEN":
        yield w._replace(order="CHARGING")
        yield w._replace(order="DONE")  # rejected, or cancelled before it was charged
    if w.order == "CHARGING" and w.payment == "NONE":
        yield w._replace(payment="OPEN") if w.method else w._replace(payment="DONE")
    if w.payment == "OPEN":
        yield w._replace(payment="DONE")
    if w.order == "CHARGING" and w.payment == "DONE":
        yield w._replace(order="DONE")
    if w.order == "DONE" and w.payment == "DONE" and w.payments != "ERASED":  # a merchant's refund
        yield w._replace(payment="OPEN")


def _orders(w: World, without: str) -> Iterator[World]:
    if "EraseUser>orders" not in w.net:
        return
    may_end = w.order in ("NONE", "DONE") or without == Rule.WAIT_FOR_ORDERS
    if w.orders == "ERASED":
        yield _sent(w, "UserErased<orders") if without != Rule.ANSWER_AGAIN else w
    elif may_end:
        yield _sent(w._replace(orders="ERASED"), "UserErased<orders")
    else:
        yield w._replace(orders="ERASING")


def _payments(w: World, without: str) -> Iterator[World]:
    if "EraseUser>payments" not in w.net:
        return
    may_end = w.payment != "OPEN" or without == Rule.WAIT_FOR_PAYMENTS
    if w.payments == "ERASED":
        yield _sent(w, "UserErased<payments") if without != Rule.ANSWER_AGAIN else w
    elif may_end:
        yield _sent(w._replace(payments="ERASED", method=False), "UserErased<payments")
    else:
        yield w._replace(payments="ERASING")
