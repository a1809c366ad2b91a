"""What keeps somebody out of a page, as axe-core finds it."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# WCAG 2.2, levels A and AA, and what axe holds to be good practice beyond.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}


def barriers(page: Page) -> list[str]:
    """A line for each element and the rule that it breaks.

    The script comes over the debugger's connection: no policy of the page is loosened for it.
    """
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [f"{rule['id']}: {_told(node)}" for rule in found for node in rule["nodes"]]


def _told(node: dict[str, Any]) -> str:
    reasons = [check["message"] for kind in ("any", "all", "none") for check in node[kind]]
    return f"{node['html'][:200]} ({'; '.join(reasons)})"
