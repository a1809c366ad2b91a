"""The entry points `msvc` and `kubectl-msvc`: arguments, errors, the exit status."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from microservice_operator.settings import VERSION
from msvc.commands import parser
from msvc.exits import Exit, Failure
from msvc.paint import Paint


def main(arguments: Sequence[str] | None = None) -> int:
    prog = "kubectl msvc" if Path(sys.argv[0]).name.startswith("kubectl-") else "msvc"
    options = parser(prog, VERSION).parse_args(arguments)
    try:
        status = options.command.run(options)
        sys.stdout.flush()
        return int(status)
    except Failure as failure:
        print(f"{Paint.of(sys.stderr).red(f'{prog}:')} {failure}", file=sys.stderr)
        return int(failure.status)
    except BrokenPipeError:  # `| head`: nobody wants the rest, not even the flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.OK)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return int(Exit.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
