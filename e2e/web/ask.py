"""`ask.py URL [TEXT [SECONDS]]`: asks again and again; ends at the first request that fails.

A request fails if nobody answers it for SECONDS (0: at the first try), or if the answer is not
TEXT. The pod is ready after 20 answers, and remains so while no request has failed."""

import sys
import time
import urllib.request
from itertools import count
from pathlib import Path

TIMEOUT, PAUSE, PATIENCE = 5.0, 0.05, 90.0  # seconds; the last: for the first answer
STEADY = 20  # answers


def answer(url: str, seconds: float) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
                return str(response.read().decode())
        except OSError as error:
            if time.monotonic() >= end:
                sys.exit(f"nobody answered {url} for {seconds:.0f} s: {error!r}")
            time.sleep(PAUSE)


def main(url: str, text: str = "", seconds: str = "0") -> None:
    answer(url, PATIENCE)
    for number in count(1):
        found = answer(url, float(seconds))
        if text not in found:
            sys.exit(f"request {number} was answered by somebody else: {found[:80]!r}")
        if number == STEADY:
            Path("/tmp/steady").touch()
        time.sleep(PAUSE)


main(*sys.argv[1:])
