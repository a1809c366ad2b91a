"""A log line is one line, whatever others have put into it."""

import logging
from typing import Any

import orjson
import pytest

from microservice_operator.logs import Json, Plain

HOSTILE = "a\nb\r\u2028c\x1b[31m\u202ed\x00"


def record(message: str, error: Any = None) -> logging.LogRecord:
    return logging.LogRecord("here", logging.INFO, "", 1, "%s", (message,), error)


def test_a_plain_line_cannot_be_ended_coloured_or_turned_around_by_what_it_quotes() -> None:
    line = Plain().format(record(HOSTILE))
    assert line.endswith(r"INFO    a\nb\r\u2028c\x1b[31m\u202ed\x00")
    assert len(line.splitlines()) == 1


def test_other_languages_stay_readable() -> None:
    assert Plain().format(record("日本語 é 🚀")).endswith("日本語 é 🚀")


def test_a_trace_keeps_its_lines() -> None:
    error = ValueError("x")
    line = Plain().format(record("a bug", (ValueError, error, None)))
    assert line.splitlines()[-1] == "ValueError: x"


@pytest.mark.parametrize("message", [HOSTILE, "plain"])
def test_a_json_line_is_one_line_and_holds_the_message_as_it_was(message: str) -> None:
    line = Json().format(record(message))
    assert len(line.split("\n")) == 1
    assert orjson.loads(line)["message"] == message
