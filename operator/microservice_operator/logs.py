"""Log lines: plain for people, JSON for collectors."""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

QUIET = {
    "kopf": logging.WARNING,  # below that, a line for every event
    "kopf._core.reactor.observation": logging.ERROR,  # it warns of our CRD again and again
    "aiohttp.access": logging.WARNING,  # every probe
    "asyncio": logging.WARNING,
}


# Line ends of any sort, and what could move the cursor of a terminal or turn its text around.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


class Plain(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """One line: what others chose, such as the name of an owner, must not look like ours."""
        return CONTROL.sub(_escaped, super().formatMessage(record))


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure(level: str, style: Literal["auto", "plain", "json"]) -> None:
    plain = sys.stderr.isatty() if style == "auto" else style == "plain"
    handler = logging.StreamHandler()
    handler.setFormatter(Plain() if plain else Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelName(level)))
