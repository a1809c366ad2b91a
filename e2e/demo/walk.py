"""The parts of the demo, in their order, and what is shown at the end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from e2e.cluster import tools
from e2e.cluster.errors import Problem
from e2e.cluster.progress import duration, progress
from e2e.demo import charts, secrets
from e2e.demo import orders as customer
from e2e.demo.target import Target, asked


@dataclass(frozen=True)
class Part:
    title: str
    usual: str  # with everything cached
    run: Callable[[Target], None]


def _cluster(target: Target) -> None:
    target.prepare()


def _stores(target: Target) -> None:
    secrets.ensure(target)
    target.install_data_stores()


def _shop(target: Target) -> None:
    charts.install_shop(target)
    customer.wait_for_routes(target.gateway_url())
    customer.fill_shelves(target.gateway_url(), secrets.admin(target))


def _order(target: Target) -> None:
    customer.buy(target.gateway_url())


def _decline(target: Target) -> None:
    customer.be_declined(target.gateway_url())


INSTALL: Sequence[Part] = (
    Part("cluster and gateway", "1 min; the first time up to 15 min", _cluster),
    Part("operator", "40 s", charts.install_operator),
    Part("PostgreSQL and NATS", "30 s", _stores),
    Part("shop", "1 min", _shop),
)
ORDERS: Sequence[Part] = (
    Part("an order", "5 s", _order),
    Part("an order whose card is declined", "5 s", _decline),
)


def run(target: Target, *, orders: bool = True) -> None:
    wanted = [*INSTALL, *(ORDERS if orders else ())]
    times: list[tuple[str, float]] = []
    for number, part in enumerate(wanted, 1):
        began = time.monotonic()
        title = f"[{number}/{len(wanted)}] {part.title}"
        try:
            with progress.step(title, part.usual):
                part.run(target)
        except Problem as problem:
            problem.message = f"{title} failed: {problem.message}"
            raise
        times.append((part.title, time.monotonic() - began))
    if orders:
        _show(target, times)


def _show(target: Target, times: Sequence[tuple[str, float]]) -> None:
    print(f"\n$ kubectl get microservices -n shop\n{_services(target)}")
    print(f"\n$ kubectl describe microservice orders -n shop\n{_described(target)}")
    print("\ntimes")
    for title, seconds in times:
        print(f"  {title:34}{duration(seconds):>14}")
    print(f"  {'together':34}{duration(sum(seconds for _, seconds in times)):>14}")
    print(_next_steps(target))


def _services(target: Target) -> str:
    return asked(target, "get", "microservices", "-n", "shop")


def _described(target: Target, lines: int = 60) -> str:
    text = charts.described(target, "orders").splitlines()
    return "\n".join(text[:lines] + (["  …"] if len(text) > lines else []))


def _kubectl(target: Target) -> str:
    """Where the machine's own is missing or too old."""
    ours = tools.path(target.settings, tools.KUBECTL)
    return "" if shutil.which("kubectl") == str(ours) else f" PATH={ours.parent}:$PATH"


def _next_steps(target: Target) -> str:
    url = target.gateway_url()
    return f"""
The shop is open: {url}

What to try next
  export KUBECONFIG={target.kubeconfig}{_kubectl(target)}
  kubectl get microservices -n shop --watch             # in a second terminal
  kubectl explain microservice.spec
  kubectl -n shop patch microservice catalog --type merge -p '{{"spec": {{"suspend": true}}}}'
  kubectl -n shop delete deployment payments            # it comes back
  .venv/bin/shop order --url {url} --card tok_declined
Remove everything
  make down"""
