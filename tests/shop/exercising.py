"""Requests made by schemathesis from an OpenAPI file, sent to a running shop with real ids in."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation.hypothesis.builder import (
    HypothesisTestConfig,
    HypothesisTestMode,
    create_test,
)
from schemathesis.schemas import BaseSchema

from shop.customer import Credentials, Json, Visitor, visiting
from shop.installation import Installation
from shop.openapi import FOLDER
from shop.testing import RunningShop, running
from shopkit.auth import Signer
from shopkit.ids import uuid5
from shopkit.testing import token

PASSWORD = "a long enough password"
SKU = "tide-mug"
FEW = 2

# Well formed is not yet right: where a schema cannot say all, and what is answered then.
MEANING = {
    "GET /api/v1/products": "422",  # the cursor of no page
    "GET /api/v1/orders": "422",
    "POST /api/v1/quotes": "422",  # not for sale
    "POST /api/v1/orders": "422",  # not catalog's signature
    "POST /api/v1/stock/{sku}/adjust": "422",  # `lost`, and a positive number
    "PATCH /api/v1/products/{sku}": "412",  # the ETag of no version
    "POST /api/v1/payment-methods": "422",  # a card number as its name
    "POST /api/v1/payments/{payment_id}/refunds": "422",  # more than is left
    "POST /api/v1/users/me/password": "422",  # not the password
    "POST /v1/payment_intents/{intent_id}/confirm": "400",  # not in this state, not our URL
    "POST /v1/payment_intents/{intent_id}/cancel": "400",
    "POST /v1/refunds": "400",  # more than is left
}
_USUAL = ["2xx", "3xx", "401", "403", "404", "409", "429", "5xx"]


@cache
def schema(service: str) -> BaseSchema:
    return schemathesis.openapi.from_path(FOLDER / f"{service}.json", config=_config())


def _config() -> schemathesis.Config:
    lacking = {"missing_required_header": {"expected-statuses": ["400", "401", "422", "428"]}}
    operations = [_may_refuse(label, status) for label, status in MEANING.items()]
    return schemathesis.Config.from_dict({"checks": lacking, "operations": operations})


def _may_refuse(label: str, status: str) -> dict[str, object]:
    check = {"positive_data_acceptance": {"expected-statuses": [*_USUAL, status]}}
    return {"include-name": label, "checks": check}


def exercise(
    service: str, label: str, examples: int, call: Callable[[schemathesis.Case], None]
) -> None:
    """Random requests, right and wrong ones, up to ten for each of `examples`, the same in every
    run; with many also the bounds of every field, and methods that are not offered."""
    operation = schema(service).find_operation_by_label(label)
    assert operation is not None
    config = HypothesisTestConfig(
        project=operation.schema.config,
        modes=list(HypothesisTestMode) if examples > FEW else [HypothesisTestMode.FUZZING],
        settings=settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

    def test(case: schemathesis.Case) -> None:
        call(case)

    create_test(operation=operation, test_func=test, config=config)()


@dataclass
class Exercised:
    """A shop in which everything that a path can name exists once."""

    shop: RunningShop
    keys: Installation
    visitor: Visitor
    known: dict[str, str] = field(default_factory=dict)
    bearers: dict[str, str] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)

    def call(self, service: str, case: schemathesis.Case) -> None:
        if case.meta is None or case.meta.generation.mode.is_positive:
            self._make_real(case)
        headers = {"Authorization": f"Bearer {self.bearers.get(service, self.bearers['all'])}"}
        answer = case.call_and_validate(base_url=self.shop.url, headers=headers)
        self.answers.append(answer.status_code)

    def _make_real(self, case: schemathesis.Case) -> None:
        """What exists instead of what was made up: else every answer would be a 404."""
        if "method_id" in case.path_parameters:  # the last one may have been deleted
            self.known["method_id"] = self._new_method()
        for there in (case.path_parameters, case.query, case.body):
            if isinstance(there, dict):
                there.update({name: self.known[name] for name in there if name in self.known})
        if "idempotency-key" in case.headers:
            case.headers["idempotency-key"] = str(uuid.uuid4())
        if case.operation.label == "POST /api/v1/quotes":
            case.body["lines"] = [line | {"sku": SKU} for line in case.body["lines"]]
        if case.operation.label == "POST /api/v1/orders" and len(case.body["quote"]) % 2:
            case.body["quote"] = self._quote()["quote"]

    def _quote(self) -> Json:
        lines = [{"sku": SKU, "quantity": 1}]
        quote: Json = self.visitor.call("POST", "/quotes", {"lines": lines})
        return quote

    def _new_method(self) -> str:
        card = {"token": "tok_ok", "label": "Test card"}
        made = self.visitor.call("POST", "/payment-methods", card, key=str(uuid.uuid4()))
        return str(made["id"])

    def fill(self) -> None:
        """One customer, order, payment, refund and payment method."""
        self.bearers["all"] = self._bearer(self.new_account(self.visitor))
        self.bearers["bank"] = self.keys.bank_secret
        self.visitor.carry(self.bearers["all"])
        method = self._new_method()
        body = {"quote": self._quote()["quote"], "payment_method_id": method}
        order = self.visitor.call("POST", "/orders", body, key="order")["id"]
        while "COMPLETED" not in "".join(self.visitor.events(order)):
            pass
        self.known |= {"sku": SKU, "order_id": order, "method_id": method}
        self.known["payment_id"] = uuid5(order, "payment")
        self._fill_the_bank()

    def _fill_the_bank(self) -> None:
        secret = {"Authorization": f"Bearer {self.keys.bank_secret}"}
        with httpx.Client(base_url=self.shop.url, headers=secret) as bank:
            intent = bank.get("/v1/payment_intents").json()["data"][0]["id"]
            form = {"payment_intent": intent, "amount": "1"}
            refund = bank.post("/v1/refunds", data=form).json()["id"]
        self.known |= {"intent_id": intent, "payment_intent": intent, "refund_id": refund}

    def spoil_another_account(self) -> None:
        """What is sent to auth may change the password, or delete the account."""
        with visiting(self.shop.url) as visitor:
            self.bearers["auth"] = self._bearer(self.new_account(visitor))

    def new_account(self, visitor: Visitor) -> str:
        who = Credentials(f"{uuid.uuid4().hex}@shop.example", PASSWORD)
        visitor.register(who, "Kim")
        visitor.sign_in(who)
        return str(visitor.call("GET", "/users/me")["id"])

    def _bearer(self, user: str) -> str:
        signer = Signer.from_json(self.keys.token_keys)
        return token(signer, user, "customer admin ops", seconds=36_000)


@contextmanager
def exercised_shop(folder: Path) -> Iterator[Exercised]:
    """Nothing that is sent may end in an error that nobody thought of, whatever was answered."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RATE_LIMIT", "1000000")
        with running(folder) as shop, visiting(shop.url) as visitor:
            exercised = Exercised(shop, Installation.in_folder(folder / "data"), visitor)
            exercised.fill()
            yield exercised
            assert "unexpected_error" not in shop.output()
