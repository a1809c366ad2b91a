"""From the names and numbers of spec.ports to those of the container."""

from collections.abc import Iterator
from typing import Any

from microservice_operator.api.spec import Port, Spec


def number(spec: Spec, name: str) -> int:
    """The container's port behind a name; the spec's rules promise that it exists."""
    return next(port.container_port for port in spec.ports if port.name == name)


def routed(spec: Spec, name: str | None) -> Port:
    """The port a route leads to: the first if it names none."""
    return next(port for port in spec.ports if name in (port.name, None))


def container_ports(ports: tuple[Port, ...]) -> list[dict[str, Any]]:
    """Service ports with one target share a container port: two would be refused."""
    return list(_distinct(ports))


def _distinct(ports: tuple[Port, ...]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[int, str]] = set()
    for port in ports:
        target = port.container_port, port.protocol
        if target not in seen:
            yield {
                "name": port.name,
                "containerPort": port.container_port,
                "protocol": port.protocol,
            }
        seen.add(target)
