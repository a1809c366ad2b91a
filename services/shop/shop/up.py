"""`shop up`: the whole shop in one process."""

import asyncio
import socket
import sys
from collections.abc import Sequence

import uvloop

from shop import terminal
from shop.customer import Credentials, ShopError
from shop.installation import ADMIN_EMAIL, Installation
from shop.seed import seed
from shop.services import HOST, Place, embedded
from shopkit import logs, server
from shopkit.app import Service


def up(place: Place, *, seeded: bool, verbose: bool, consumers: bool) -> None:
    """Until Ctrl-C or SIGTERM; without `consumers` it only answers requests."""
    logs.configure("INFO" if verbose else "WARNING")
    for port, option in ((place.port, "--port"), (place.admin_port, "--admin-port")):
        _check_free(port, option)
    keys = Installation.in_folder(place.data)
    admin = Credentials(ADMIN_EMAIL, keys.admin_password)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        services = embedded(place, keys, consumers=consumers)
        runner.run(_run(services, place, admin, seeded=seeded and consumers))
    print("stopped; the next `shop up` goes on where this one ended")


def _check_free(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = f"port {port} cannot be opened ({error.strerror}); choose another: {option}"
            raise SystemExit(message) from error


async def _run(
    services: Sequence[Service], place: Place, admin: Credentials, *, seeded: bool
) -> None:
    serving = asyncio.create_task(server.run(services))
    opening = asyncio.create_task(_open(services, place, admin, seeded=seeded))
    await asyncio.wait([serving, opening], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        opening.cancel()
    await serving


async def _open(
    services: Sequence[Service], place: Place, admin: Credentials, *, seeded: bool
) -> None:
    for service in services:
        await service.settled()
    if seeded:
        await asyncio.to_thread(_seed, place.url, admin)
    print(_welcome(place, admin), flush=True)


def _seed(url: str, admin: Credentials) -> None:
    try:
        added = seed(url, admin, lambda _: None)
    except ShopError as error:
        print(terminal.red(f"seeding failed: {error}"), file=sys.stderr)
    else:
        if added:
            print(f"filled the shelves with {added} products")


def _welcome(place: Place, admin: Credentials) -> str:
    return f"""
  {terminal.bold("The shop is open:")} {terminal.green(place.url)}

  demo admin  {admin.email}  {admin.password}
  data        {place.data}
  metrics     http://{HOST}:{place.admin_port}/orders/metrics
  an order    shop order --url {place.url}

  Ctrl-C closes it; everything is kept for the next start."""
