"""The bank's page in the customer's browser: 3-D Secure."""

import base64
import hashlib
from html import escape
from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from bank import forms, store
from bank.api import Operations
from bank.domain import Intent, IntentStatus

router = APIRouter(prefix="/bank/3ds")
IntentId = Annotated[str, Path(pattern="^pi_[0-9a-f]{32}$")]

STYLE = """
:root { color: #1d2733; background: #e9eef4; font: 1.06rem/1.55 system-ui, sans-serif }
body { margin: 0; padding: 0 1rem }
main { max-width: 25rem; margin: 12vh auto 2rem; padding: 2rem; background: #fff;
  border-radius: 14px; border-top: 6px solid #1f4e79; box-shadow: 0 14px 40px -18px #1d273366 }
h1 { margin: 0 0 1.5rem; font-size: 1.05rem; letter-spacing: .02em; color: #1f4e79 }
.amount { margin: 0 0 1.5rem; font-size: 2.2rem; font-weight: 650; line-height: 1.1 }
form { display: flex; gap: .75rem }
button { flex: 1; font: inherit; font-weight: 600; padding: .8rem 1rem; border-radius: 10px;
  border: 1px solid #1f4e79; background: #fff; color: #1f4e79; cursor: pointer }
button[value=approve] { background: #1f4e79; color: #fff }
a { color: #1f4e79 }
:focus-visible { outline: 3px solid #c4661f; outline-offset: 3px }
small { display: block; margin-top: 1.5rem; color: #55626f }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Test bank: confirm the payment</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Test bank</h1>
{content}
<small>A simulated bank: no money moves.</small>
</main>
</body>
</html>
"""
QUESTION = """<p>Do you want to pay Alder &amp; Ash</p>
<p class="amount">{amount} {currency}?</p>
<form method="post">
<button name="answer" value="approve">Approve</button>
<button name="answer" value="refuse">Refuse</button>
</form>"""
ANSWERED = """<p>There is nothing to confirm: this payment is {status}.</p>
<p><a href="{back}">Back to the shop</a></p>"""


@router.get("/{intent_id}", response_class=HTMLResponse)
async def ask(intent_id: IntentId, request: Request) -> Response:
    async with request.app.state.db.read() as tx:
        intent = await store.intent(tx, intent_id)
    return HTMLResponse(_page(intent, _back(request, intent)), headers=HEADERS)


@router.post(
    "/{intent_id}",
    status_code=303,
    response_class=RedirectResponse,
    openapi_extra=forms.ANSWER,
)
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
    return PAGE.format(style=STYLE, content=content)
