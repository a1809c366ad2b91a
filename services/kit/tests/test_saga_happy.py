from services.kit.tests.toy import buyer
from services.kit.tests.toy.world import Backend, toys

ID = "0197f0c2-0000-7000-8000-000000000001"


async def test_a_saga_runs_to_its_end_over_two_services(backend: Backend) -> None:
    async with toys(backend) as toy:
        await buyer.buy(toy.buyer, ID)
        await toy.reaches(ID, "DONE")
        assert toy.bank.charged == {ID}
