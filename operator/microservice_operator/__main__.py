"""Start: arguments, settings, logging, event loop; the exit status."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Sequence

import uvloop

from microservice_operator import handlers, logs
from microservice_operator.app import App
from microservice_operator.clock import Clock
from microservice_operator.connection import connect
from microservice_operator.errors import OperatorError
from microservice_operator.settings import (
    VERSION,
    Settings,
    explain,
    read_platform,
    read_settings,
)

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    _parse(arguments)
    try:
        settings = read_settings()
        make = _maker(settings)
        logs.configure(settings.log_level, settings.log_format)
        gc.set_threshold(20_000, 10, 10)  # docs/decisions/0013
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_operate(make, settings))
    except (OperatorError, OSError) as error:  # OSError: a port in use, an unreadable file
        print(f"microservice-operator: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:  # SIGTERM before there was anything to stop
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _maker(settings: Settings) -> Callable[[], App]:
    """All that can be wrong with settings is found before anything starts."""
    platform = read_platform(settings.platform_file)
    connection = connect(
        settings.kubeconfig, settings.kubernetes_service_host, settings.kubernetes_service_port
    )
    return lambda: App(settings, platform, connection, Clock(), _freeze)


async def _operate(make: Callable[[], App], settings: Settings) -> None:
    # As process 1 of a container we would ignore it; kopf takes over once it runs.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    app = make()
    server = app.transport.connection.server
    log.info("microservice-operator %s as %s at %s", VERSION, settings.identity, server)
    await handlers.run(app, settings)
    log.info("stopped")


def _freeze() -> None:
    """What was listed stays for good: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def _parse(arguments: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="microservice-operator",
        description="Keeps the objects of every MicroService in a cluster as it declares them.",
        epilog=f"environment:\n{explain()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
