"""Where the operator works: in the whole cluster, or in some namespaces only."""

from dataclasses import dataclass

EVERYWHERE = ""  # as in Kubernetes: the namespace of a list of all namespaces


@dataclass(frozen=True, slots=True)
class Reach:
    """The listed `namespaces`; with none of them, the whole cluster."""

    namespaces: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """What is listed, watched and asked for rights one by one."""
        return self.namespaces or (EVERYWHERE,)

    def part(self, namespace: str) -> str:
        """The part that an object of this namespace belongs to."""
        return namespace if self.namespaces else EVERYWHERE


WHOLE_CLUSTER = Reach()
