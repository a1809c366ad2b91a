"""The failures a pass can meet: values beside the successes, worded by `status`."""

from dataclasses import dataclass


class OperatorError(Exception):
    """Base of what the operator raises on purpose."""


@dataclass(slots=True)
class InvalidSpec(OperatorError):
    """A stored spec breaks a rule: `path` like `.spec.ports[0].port`, `reason` with the fix."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(slots=True)
class ApiError(OperatorError):
    """An answer of the API server other than 2xx, or none (`code` 0: no connection, timeout)."""

    code: int
    reason: str  # metav1.Status reason, such as "AlreadyExists", or the exception's name
    message: str  # the server's sentence
    retry_after: float | None = None  # seconds, from the header
    cause: str = ""  # first metav1.Status cause type, such as "NamespaceTerminating"

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"

    @property
    def untypeable(self) -> bool:
        """The server could not type what we sent: our bug, not a passing fault."""
        return self.code == 500 and "failed to create typed patch object" in self.message

    @property
    def transient(self) -> bool:
        return self.code in (0, 408, 409, 429) or (self.code >= 500 and not self.untypeable)
