"""How a command ends: its exit status, and the sentence where it cannot go on."""

from enum import IntEnum

from microservice_operator.errors import OperatorError


class Exit(IntEnum):
    """API: scripts and CI go by these."""

    OK = 0
    NO = 1
    USAGE = 2
    CLUSTER = 3
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done; what was asked is so",
    Exit.NO: "the answer is no: an invalid file, a difference, a restart that did not succeed",
    Exit.USAGE: "used wrongly: arguments, or a file that cannot be read",
    Exit.CLUSTER: "the cluster cannot be reached, refuses, or does not have the object",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}


class Failure(OperatorError):
    """A sentence for the user that names the fix."""

    def __init__(self, message: str, status: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.status = status


def missing_extra(what: str) -> Failure:
    return Failure(f"{what} needs more packages: pip install 'microservice-operator[cli]'")
