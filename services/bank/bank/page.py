"""The bank's page in the customer's browser: 3-D Secure."""

from html import escape
from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bank import store
from bank.api import Operations
from bank.domain import Intent, IntentStatus

router = APIRouter(prefix="/bank/3ds")
IntentId = Annotated[str, Path(pattern="^pi_[0-9a-f]{32}$")]

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Test bank: confirm the payment</title>
<style>
 body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 30rem; margin: 4rem auto }}
 button {{ font: inherit; padding: .5rem 1.5rem; margin-right: 1rem }}
</style>
</head>
<body>
<h1>Test bank</h1>
{content}
</body>
</html>
"""
QUESTION = """<p>Do you want to pay <strong>{amount} {currency}</strong>?</p>
<form method="post">
<button name="answer" value="approve">Approve</button>
<button name="answer" value="refuse">Refuse</button>
</form>"""
ANSWERED = """<p>There is nothing to confirm: this payment is {status}.</p>
<p><a href="{back}">Back to the shop</a></p>"""


@router.get("/{intent_id}")
async def ask(intent_id: IntentId, request: Request) -> Response:
    async with request.app.state.db.read() as tx:
        intent = await store.intent(tx, intent_id)
    return HTMLResponse(_page(intent, _back(request, intent)), headers=HEADERS)


@router.post("/{intent_id}")
async def decide(intent_id: IntentId, request: Request, bank: Operations) -> Response:
    answer = _answer(await request.body())
    intent = await bank.authenticate(intent_id, approved=answer == "approve")
    return RedirectResponse(_back(request, intent), 303, HEADERS)


def _answer(body: bytes) -> Literal["approve", "refuse"]:
    """Anything but the approving button is a refusal."""
    given = parse_qs(body.decode(errors="replace")).get("answer", [""])
    return "approve" if given == ["approve"] else "refuse"


def _back(request: Request, intent: Intent) -> str:
    return intent.return_url or f"{request.app.state.settings.public_url}/"


def _page(intent: Intent, back: str) -> str:
    if intent.status is IntentStatus.REQUIRES_ACTION:
        amount = f"{intent.amount // 100}.{intent.amount % 100:02}"
        content = QUESTION.format(amount=amount, currency=escape(intent.currency.upper()))
    else:
        status = intent.status.replace("_", " ")
        content = ANSWERED.format(status=escape(status), back=escape(back))
    return PAGE.format(content=content)
