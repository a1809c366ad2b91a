"""`reach.py allowed|refused HOST PORT ...`: exits 0 once every connection is as it should be.

Refused is only a connection that nobody answers: a name that does not resolve, or a port that
nothing listens on, is neither, and tried again."""

import socket
import sys
import time

TIMEOUT, PATIENCE = 1.5, 60.0  # seconds
ROW = {"allowed": 1, "refused": 3}  # of so many tries, one after the other


def verdict(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), TIMEOUT).close()
    except TimeoutError:
        return "refused"
    except OSError as error:
        return repr(error)
    return "allowed"


def reach(want: str, host: str, port: int) -> None:
    end, row, found = time.monotonic() + PATIENCE, 0, ""
    while row < ROW[want]:
        found = verdict(host, port)
        row = row + 1 if found == want else 0
        if time.monotonic() > end:
            sys.exit(f"{host}:{port}: wanted {want}, found {found}")
        time.sleep(0.2)
    print(f"{host}:{port}: {want}")


for at in range(1, len(sys.argv), 3):
    reach(sys.argv[at], sys.argv[at + 1], int(sys.argv[at + 2]))
