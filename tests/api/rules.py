"""Faults as data: which requests or events are hit, and what happens to them instead."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from random import Random
from typing import Any

import yaml
from tests.api.seen import Seen


@dataclass(frozen=True, slots=True)
class Delay:
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """In place of the server; without a body, as a metav1.Status."""

    code: int
    reason: str = "Injected"
    message: str = "injected"
    headers: dict[str, str] = field(default_factory=dict)
    cause: str = ""
    body: Any = None

    @property
    def status(self) -> Any:
        if self.body is not None:
            return self.body
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.code}
        details = {"causes": [{"reason": self.cause}]} if self.cause else {}
        return {**said, "reason": self.reason, "message": self.message, "details": details}


@dataclass(frozen=True, slots=True)
class DropBefore:
    """The connection breaks before the server has heard of it."""


@dataclass(frozen=True, slots=True)
class DropAfter:
    """The server did it, and the reply is lost."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A request or an event that waits for `release`, `use` or `clear`."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """Watches that are open now, or that reach this event, say nothing more and stay open."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Watches that are open now, or that reach this event, break."""


@dataclass(frozen=True, slots=True)
class Expire:
    """Watches that are open now, or that reach this event, end with an ERROR event."""

    code: int = 410


@dataclass(frozen=True, slots=True)
class DropEvent:
    """The event is lost, the watch goes on."""


@dataclass(frozen=True, slots=True)
class KillBefore:
    """SIGKILL for whoever asks, before the server has heard of it."""


@dataclass(frozen=True, slots=True)
class KillAfter:
    """SIGKILL for whoever asks, once the server has done it."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A share of the requests is answered with one of the codes, as the seed will have it."""

    seed: int
    share: float
    codes: tuple[int, ...]

    def draw(self, count: int) -> Answer | None:
        dice = Random(f"{self.seed}/{count}")
        return Answer(dice.choice(self.codes)) if dice.random() < self.share else None


Action = (
    Delay | Answer | DropBefore | DropAfter | Hold | Freeze | Cut | Expire | DropEvent
    | KillBefore | KillAfter | Mix
)  # fmt: skip
ON_OPEN_WATCHES = (Freeze, Cut, Expire)
ACTIONS = {action.__name__: action for action in Action.__args__}


@dataclass(frozen=True, slots=True)
class Rule:
    """`method` is that of HTTP, or WATCH (GET is then none), or WRITE: all that changes something
    but Lease and reviews. `path` is a regex to find in the path, of an event in that of its object.
    With `event` (a type, or * for all) the rule is about events of watches, else about requests.
    `nth` counts from 1 what the rule is about; `times` limits how often it acts."""

    action: Action
    method: str = "*"
    path: str = ""
    event: str | None = None
    nth: int | None = None
    times: int | None = None
    who: str = ""  # name of the process; "" for all

    def concerns(self, seen: Seen) -> bool:
        by = self.who in ("", seen.who)
        return by and self._method(seen) and bool(re.search(self.path, seen.path))

    def concerns_event(self, seen: Seen, type_: str, path: str) -> bool:
        by = self.who in ("", seen.who) and self.event in ("*", type_)
        return by and bool(re.search(self.path, path))

    def _method(self, seen: Seen) -> bool:
        match self.method:
            case "*":
                return True
            case "WATCH":
                return seen.watch
            case "WRITE":
                return seen.mutating
            case _:
                return self.method == seen.method and not seen.watch


class Rules:
    """Rules with their counters. The first that acts is the one that counts."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self._met = [0] * len(self.rules)
        self._acted = [0] * len(self.rules)

    def for_request(self, seen: Seen) -> Action | None:
        return self._first(
            number
            for number, rule in enumerate(self.rules)
            if rule.event is None
            and not isinstance(rule.action, ON_OPEN_WATCHES)
            and rule.concerns(seen)
        )

    def for_event(self, seen: Seen, type_: str, path: str) -> Action | None:
        return self._first(
            number
            for number, rule in enumerate(self.rules)
            if rule.event is not None and rule.concerns_event(seen, type_, path)
        )

    def for_open_watch(self, seen: Seen) -> Action | None:
        return self._first(
            number
            for number, rule in enumerate(self.rules)
            if rule.event is None
            and isinstance(rule.action, ON_OPEN_WATCHES)
            and rule.concerns(seen)
        )

    def acted(self, number: int = 0) -> int:
        """How often the rule at this place has acted."""
        return self._acted[number]

    def _first(self, concerned: Iterator[int]) -> Action | None:
        return next((action for number in concerned if (action := self._act(number))), None)

    def _act(self, number: int) -> Action | None:
        rule = self.rules[number]
        self._met[number] += 1
        late = rule.nth is not None and self._met[number] < rule.nth
        times = 1 if rule.nth is not None and rule.times is None else rule.times
        if late or (times is not None and self._acted[number] >= times):
            return None
        drawn = rule.action
        action = drawn.draw(self._met[number]) if isinstance(drawn, Mix) else drawn
        self._acted[number] += action is not None
        return action


def mix(
    seed: int, share: float = 0.3, codes: tuple[int, ...] = (500, 503, 504), **about: Any
) -> Rule:
    return Rule(Mix(seed, share, codes), **about)


def dump(rules: Iterable[Rule]) -> str:
    """YAML, for a file of tests/api/regressions."""
    return yaml.safe_dump([_dumped(rule) for rule in rules], sort_keys=False)


def load(text: str) -> list[Rule]:
    return [_loaded(raw) for raw in yaml.safe_load(text)]


def _dumped(rule: Rule) -> dict[str, Any]:
    action = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(rule.action).items()}
    about = {f.name: getattr(rule, f.name) for f in fields(rule) if f.name != "action"}
    defaults = {f.name: f.default for f in fields(rule)}
    return {type(rule.action).__name__: action} | {
        key: value for key, value in about.items() if value != defaults[key]
    }


def _loaded(raw: dict[str, Any]) -> Rule:
    (name,) = raw.keys() & ACTIONS.keys()
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in raw[name].items()}
    about = {key: value for key, value in raw.items() if key != name}
    return Rule(ACTIONS[name](**arguments), **about)
