"""Dead letters of all services, over their admin ports."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from shop.admin import Ports, read
from shop.customer import ShopError
from shopkit.letters import Letter, Opened

_PATH = "/internal/dead-letters"


@dataclass(frozen=True)
class Kept:
    """A dead letter and the service that keeps it."""

    service: str
    letter: Letter

    @property
    def path(self) -> str:
        return f"{_PATH}/{self.letter.consumer}/{self.letter.message_id}"


async def kept(ports: Ports, service: str | None = None) -> Sequence[Kept]:
    """The worst first; raises ShopError for a service that there is not."""
    if service is not None and service not in ports.urls:
        raise ShopError(f"there is no service {service}; it is one of {', '.join(ports.urls)}")
    names = ports.urls if service is None else (service,)
    found = [Kept(name, letter) for name in names async for letter in _of(ports, name)]
    return sorted(found, key=lambda one: one.letter.count, reverse=True)


async def _of(ports: Ports, service: str) -> AsyncIterator[Letter]:
    cursor = ""
    while cursor is not None:
        page = await ports.get(service, f"{_PATH}{'?cursor=' if cursor else ''}{cursor}")
        for item in page["items"]:
            yield read(Letter, item)
        cursor = page["next_cursor"]


async def find(ports: Ports, start: str, service: str | None = None) -> Kept:
    """The one whose id starts so; raises ShopError for none and for several."""
    found = [one for one in await kept(ports, service) if one.letter.message_id.startswith(start)]
    if not found:
        raise ShopError(f"no dead letter has the id {start}; see `shop dlq list`")
    if len(found) > 1:
        ids = ", ".join(one.letter.message_id for one in found)
        raise ShopError(f"{start} may be any of {ids}")
    return found[0]


async def opened(ports: Ports, one: Kept) -> Opened:
    return read(Opened, await ports.get(one.service, one.path))


async def replay(ports: Ports, one: Kept) -> str:
    """The reason why it could not be handled, or ""; one that is gone by now was handled."""
    answer = await ports.send("POST", one.service, f"{one.path}/replay")
    if answer.is_success or answer.status_code == 404:
        return ""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{one.service} answers {answer.status_code}: {answer.text[:200]}"
