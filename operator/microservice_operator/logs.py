"""Log lines: plain for people, JSON for collectors."""

import logging
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


class Plain(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")


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
