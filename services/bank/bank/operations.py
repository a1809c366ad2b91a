"""What the bank does, each inside one transaction with the answer that its key will always get."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from fastapi import Request, Response

from bank import answers, domain, store
from bank.answers import Answer, answer
from bank.domain import Intent, Refund, Refusal, Token
from bank.settings import BankSettings
from bank.webhooks import Webhooks
from bank.wire import (
    Json,
    amount_of,
    currency_of,
    error_json,
    intent_json,
    metadata_of,
    parse_form,
    refund_json,
    required,
)
from shopkit.app import Service
from shopkit.db import Tx

Form = Mapping[str, str]
Work = Callable[[Tx, Form], Awaitable[Answer]]


class Bank:
    def __init__(self, service: Service, settings: BankSettings, webhooks: Webhooks) -> None:
        self._service, self._settings, self._webhooks = service, settings, webhooks

    async def run(self, request: Request, step: str, work: Work) -> Response:
        form = parse_form(await request.body())
        key = request.headers.get("Idempotency-Key")
        async with self._service.db.transaction(step) as tx:
            result = await self._once(tx, request, form, key, work)
        # The money has moved; only the answer is late.
        await self._service.clock.sleep(result.hang)
        return result.response()

    async def _once(
        self, tx: Tx, request: Request, form: Form, key: str | None, work: Work
    ) -> Answer:
        if key is None:
            return await self._attempt(tx, form, work)
        print = answers.fingerprint(request.method, request.url.path, form)
        if (known := await answers.stored(tx, key, print)) is not None:
            return known
        result = await self._attempt(tx, form, work)
        await answers.store(tx, key, print, result)
        return result

    async def _attempt(self, tx: Tx, form: Form, work: Work) -> Answer:
        """A refusal is an answer like any other."""
        try:
            async with tx.savepoint():
                return await work(tx, form)
        except Refusal as refusal:
            return self.refused(refusal)

    def refused(self, refusal: Refusal) -> Answer:
        body = error_json(refusal, public_url=self._settings.public_url)
        return answer(body, status=refusal.status)

    def shown(self, intent: Intent) -> Json:
        return intent_json(intent, public_url=self._settings.public_url)

    async def create(self, tx: Tx, form: Form) -> Answer:
        intent = Intent(
            id=_new_id(tx, "pi"),
            amount=amount_of(form),
            currency=currency_of(form),
            payment_method=domain.parse_token(required(form, "payment_method")),
            created=_now(tx),
            metadata=metadata_of(form),
        )
        await store.add_intent(tx, intent)
        return answer(self.shown(intent))

    def confirm(self, intent_id: str) -> Work:
        async def work(tx: Tx, form: Form) -> Answer:
            intent = await store.intent(tx, intent_id)
            asked = replace(intent, return_url=self._return_url(form))
            confirmed = domain.confirm(asked)
            await self._changed(tx, confirmed)
            return self._confirmed(confirmed)

        return work

    def cancel(self, intent_id: str) -> Work:
        async def work(tx: Tx, _: Form) -> Answer:
            cancelled = domain.cancel(await store.intent(tx, intent_id))
            await self._changed(tx, cancelled)
            return answer(self.shown(cancelled))

        return work

    async def refund(self, tx: Tx, form: Form) -> Answer:
        intent = await store.intent(tx, required(form, "payment_intent"))
        earlier = await store.refunds_of(tx, intent.id)
        rest = str(domain.refundable(intent, earlier))
        wanted = Refund(
            id=_new_id(tx, "re"),
            payment_intent=intent.id,
            amount=amount_of({"amount": rest, **form}),
            currency=intent.currency,
            created=_now(tx),
            metadata=metadata_of(form),
        )
        refund = domain.refund(intent, earlier, wanted)
        await store.add_refund(tx, intent, refund)
        await self._webhooks.announce(tx, refund)
        return answer(refund_json(refund))

    async def authenticate(self, intent_id: str, *, approved: bool) -> Intent:
        """The customer's click on the bank's page; a second click changes nothing."""
        async with self._service.db.transaction("authenticate") as tx:
            intent = await store.intent(tx, intent_id)
            if intent.status is not domain.IntentStatus.REQUIRES_ACTION:
                return intent
            decided = domain.authenticate(intent, approved=approved)
            await self._changed(tx, decided)
            return decided

    async def forget_keys(self) -> None:
        async with self._service.db.transaction("forget_keys") as tx:
            await answers.forget(tx, hours=self._settings.key_hours)

    async def _changed(self, tx: Tx, intent: Intent) -> None:
        await store.save_intent(tx, intent)
        await self._webhooks.announce(tx, intent)

    def _confirmed(self, intent: Intent) -> Answer:
        """What the token was made for: the right result, told late, wrongly or not at all."""
        if intent.decline_code is not None:
            refusal = Refusal(402, intent.decline_code, "Your card was declined.", intent=intent)
            return self.refused(refusal)
        match intent.payment_method:
            case Token.TIMEOUT_AFTER_CHARGE:
                return answer(self.shown(intent), hang=self._settings.hang_seconds)
            case Token.ERROR_AFTER_CHARGE:
                return answer({"error": {"type": "api_error", "message": "Oops."}}, status=500)
            case _:
                return answer(self.shown(intent))

    def _return_url(self, form: Form) -> str | None:
        """Only back to the shop: the bank's page must not send customers anywhere else."""
        url = form.get("return_url")
        if url is not None and not _below(url, self._settings.public_url):
            message = f"return_url must be below {self._settings.public_url}."
            raise Refusal(400, "url_invalid", message, param="return_url")
        return url


def _new_id(tx: Tx, prefix: str) -> str:
    return f"{prefix}_{tx.ids.uuid7().replace('-', '')}"


def _now(tx: Tx) -> int:
    return int(tx.clock.now().timestamp())


def _below(url: str, public_url: str) -> bool:
    try:
        return _origin(url) == _origin(public_url)
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str]:
    """Raises ValueError for what is no URL, such as half an IPv6 address."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
