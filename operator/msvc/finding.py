"""Finding: what is wrong with a file, and where."""

from dataclasses import dataclass

from msvc.documents import Place


@dataclass(frozen=True, slots=True)
class Finding:
    place: Place
    message: str  # never a value of the file: it may be secret

    @property
    def path(self) -> str:
        """Such as `.spec.ports[0].port`."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place)
        return "".join(steps) or "."
