"""The auditor's eyes: the admin ports of the services, and nothing else."""

from collections.abc import Sequence

from pydantic import ValidationError

from shop.admin import SERVICES, Ports, read
from shop.customer import ShopError
from shopkit.audit import Report
from storefront.join import reading
from storefront.join.facts import Facts


async def reports(ports: Ports) -> Sequence[Report]:
    names = [name for name in SERVICES if name in ports.urls]
    return [read(Report, await ports.get(name, "/internal/audit")) for name in names]


async def facts(ports: Ports) -> Facts:
    try:
        return await reading.facts(ports.get)
    except ValidationError as error:
        raise ShopError(f"an answer that is no {error.title}: {error}") from error
