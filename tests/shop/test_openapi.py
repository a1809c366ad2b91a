"""Every OpenAPI file against the running shop: requests made from the file, answers held to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from shop.openapi import FOLDER

if TYPE_CHECKING:
    from tests.shop.exercising import Exercised

pytestmark = pytest.mark.xdist_group("openapi")
FEW, MANY = 2, 50
# Right requests are refused all the same: no such session, secret, letter or state is at hand, and
# the fault switches are off.
NEVER_GRANTED = {
    "POST /api/v1/tokens",
    "POST /api/v1/tokens/refresh",
    "POST /api/v1/users/me/password",
    "POST /api/v1/orders/{order_id}/cancel",
    "POST /api/v1/webhooks/bank",
    "POST /v1/payment_intents/{intent_id}/cancel",
    "POST /v1/payment_intents/{intent_id}/confirm",
    "POST /ops/api/dead-letters/{service}/{consumer}/{message_id}/replay",
    "GET /ops/api/faults/{service}",
    "PUT /ops/api/faults/{service}",
    "POST /ops/api/faults/{service}/death",
}


def operations() -> list[tuple[str, str]]:
    return [
        (path.stem, f"{method.upper()} {route}")
        for path in sorted(FOLDER.glob("*.json"))
        for route, methods in json.loads(path.read_text(encoding="utf-8"))["paths"].items()
        for method in methods
    ]


@pytest.fixture(scope="module")
def exercised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exercised]:
    # Schemathesis takes a second to import; only who runs these tests waits for it.
    from tests.shop.exercising import exercised_shop

    with exercised_shop(tmp_path_factory.mktemp("exercised")) as exercised:
        yield exercised


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize(("service", "operation"), operations())
def test_every_answer_is_as_the_file_says(
    service: str, operation: str, examples: int, exercised: Exercised
) -> None:
    """No 5xx; status, content type and body as described; errors as problem+json; what the file
    allows is taken, and the rest refused, such as a request without the token that it needs."""
    from tests.shop.exercising import exercise

    if service == "auth":
        exercised.spoil_another_account()
    exercised.answers.clear()
    exercise(service, operation, examples, lambda case: exercised.call(service, case))
    granted = [status for status in exercised.answers if status < 400]
    assert bool(granted) == (operation not in NEVER_GRANTED), sorted(exercised.answers)
