"""The scenarios, in the order in which they follow each other in one cluster."""

from __future__ import annotations

import asyncio
import random
import signal
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks import audit
from benchmarks.bench import Bench, Record, Window
from benchmarks.load import (
    NAMESPACE,
    NEXT_IMAGE,
    SEVEN,
    WARM_UP,
    burst,
    manifest,
    names,
    paced,
)
from benchmarks.observe import LABEL
from benchmarks.world import Key

from microservice_operator.api.kinds import Kind
from microservice_operator.desired import KINDS

WARM = 10
SYNC = 18.0  # seconds: autoscalers report every 15 that they have no metrics
STORM = 300.0  # status events a second
DRIFTS = 50
REPAIRED_WITHIN = 60.0
AUTOSCALER = KINDS["HorizontalPodAutoscaler"]


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    run: Callable[[Bench], Awaitable[Record]]
    floor: bool = False  # whether it means anything for a client that does not watch


async def warm_up(bench: Bench) -> None:
    keys = [(WARM_UP, name) for name in names(WARM, "w")]

    async def send(name: str) -> None:
        await bench.create(WARM_UP, name)

    await burst((name for _, name in keys), send)
    await _finished(bench, keys, bench.patience)
    await bench.settle(SYNC)


async def create(bench: Bench) -> Record:
    """S1. Run time: first create sent to last converged."""
    window = await bench.window()
    answered: dict[str, float] = {}

    async def send(name: str) -> None:
        answered[name] = await bench.create(NAMESPACE, name)

    await burst(bench.names, send)
    await _wait(bench, window)
    record = await window.close(quiet=SYNC)
    return record | _times(bench, window, answered)


async def update(bench: Bench) -> Record:
    """S3: a new image on all."""
    window = await bench.window()
    kind, answered = bench.contestant.kind, dict[str, float]()

    async def send(name: str) -> None:
        change = {"spec": {"image": NEXT_IMAGE}}
        live = await bench.api.merge(kind.path(NAMESPACE, name), change)
        answered[name] = time.monotonic()
        bench.tell("update", NAMESPACE, name, live["metadata"]["uid"])

    await burst(bench.names, send)
    await bench.feed.until(lambda: _all_have(bench, NEXT_IMAGE), bench.patience)
    await _wait(bench, window)
    record = await window.close()
    return record | _times(bench, window, answered, NEXT_IMAGE)


async def nothing(bench: Bench) -> Record:
    """S4: the same applied again, a label touched, a storm of status events."""
    kind = bench.contestant.kind

    async def again(name: str) -> None:
        image = bench.world.services[NAMESPACE, name].image or ""
        body = manifest(kind, NAMESPACE, name, image)
        await bench.api.apply(kind.path(NAMESPACE, name), body, "load")

    async def touch(name: str) -> None:
        await bench.api.merge(
            kind.path(NAMESPACE, name), {"metadata": {"labels": {"team": "checkout"}}}
        )

    async def stir(number: int) -> None:
        name = bench.names[number % bench.count]
        await bench.api.merge(f"{AUTOSCALER.path(NAMESPACE, name)}/status", _metrics(number))

    # The first takes over the image from the patch of S3; the second must change nothing.
    await burst(bench.names, again)
    await bench.settle()
    parts = {
        "reapply": await _measured(bench, burst(bench.names, again)),
        "touch": await _measured(bench, burst(bench.names, touch)),
        "status": await _measured(bench, paced(STORM, bench.options.storm, stir)),
    }
    return _merged(parts)


async def idle(bench: Bench) -> Record:
    """S5."""
    return await _measured(bench, asyncio.sleep(bench.options.idle))


async def drift(bench: Bench) -> Record:
    """S7: children edited, then deleted, then one edited as often as it is repaired."""
    chosen = random.Random(7)
    targets = [
        (chosen.choice(SEVEN), chosen.choice(bench.names)) for _ in range(min(DRIFTS, bench.count))
    ]
    parts = {
        "edit": await _repairs(bench, targets, _edit),
        "delete": await _repairs(bench, targets, _delete),
        "fight": await _measured(bench, _fight(bench)),
    }
    return _merged(parts)


async def restart(bench: Bench) -> Record:
    """S6: ended politely, then killed; a canary made at each new start."""
    parts = {}
    for sign in (signal.SIGTERM, signal.SIGKILL):
        await asyncio.to_thread(bench.process.stop, sign)
        window = await bench.window()
        bench.process.start()
        window.restarted()
        began, canary = time.monotonic(), f"canary-{sign.name.lower()}"
        await bench.create(NAMESPACE, canary)
        key = (NAMESPACE, canary)
        await _finished(bench, [key], 180.0)
        record = await window.close(quiet=SYNC)
        # What the canary costs is no cost of the restart.
        record["requests"] = window.requests_but_for(canary)
        seen = [at for (k, _), at in bench.world.converged.items() if k == key]
        record["reaction_s"] = round(seen[0] - began, 3) if seen else None
        parts[sign.name] = record
    return _merged(parts)


async def delete(bench: Bench) -> Record:
    """S8: everything goes, nothing comes back."""
    kind = bench.contestant.kind
    window = await bench.window()

    async def send(name: str) -> None:
        await bench.api.request("DELETE", kind.path(NAMESPACE, name))

    present = [name for space, name in bench.world.services if space == NAMESPACE]
    await burst(present, send)
    gone = await bench.feed.until(lambda: bench.world.is_empty(NAMESPACE), bench.patience)
    window.stop()
    if not gone:
        window.void.append("not everything was gone in time")
    record = await window.close()
    made = sum(count for event, count in record["events"].items() if event.startswith("ADDED"))
    return record | {"gone_s": record["seconds"], "recreated": made}


ALL = {
    scenario.name: scenario
    for scenario in (
        Scenario("S1", "burst of new services", create, floor=True),
        Scenario("S3", "new image on all", update, floor=True),
        Scenario("S4", "changes that change nothing", nothing),
        Scenario("S5", "idle", idle),
        Scenario("S7", "drift", drift),
        Scenario("S6", "restart", restart),
        Scenario("S8", "delete all", delete),
    )
}


async def _wait(bench: Bench, window: Window) -> None:
    """Until all are as wanted, and say so; what is late voids the run."""
    if not await _finished(bench, bench.keys, bench.patience):
        late = sum(not bench.world.has_converged(key) for key in bench.keys)
        late = late or sum(bench.world.ready_at(key) is None for key in bench.keys)
        window.void.append(f"{late} of {bench.count} were not done in {bench.patience:.0f} s")
    window.stop()


async def _finished(bench: Bench, keys: Sequence[Key], seconds: float) -> bool:
    world = bench.world

    def done() -> bool:
        converged = all(world.has_converged(key) for key in keys)
        return converged and (not bench.contestant.operates or world.are_ready(keys))

    return await bench.feed.until(done, seconds)


def _all_have(bench: Bench, image: str) -> bool:
    services = bench.world.services
    return all(key in services and services[key].image == image for key in bench.keys)


def _times(
    bench: Bench, window: Window, answered: dict[str, float], image: str | None = None
) -> Record:
    world = bench.world
    wanted = {key: image or world.services[key].image or "" for key in bench.keys}
    converged = {key: world.converged.get((key, wanted[key])) for key in bench.keys}
    ready = [world.ready_at(key) for key in bench.keys] if bench.contestant.operates else []
    delays = [at - answered[key[1]] for key, at in converged.items() if at is not None]
    return {
        "converged_s": _last(list(converged.values()), window.began),
        "ready_s": _last(ready, window.began),
        "latency_ms": _spread([max(0.0, delay) for delay in delays]),
    }


def _last(times: Sequence[float | None], began: float) -> float | None:
    known = [at for at in times if at is not None]
    return round(max(known) - began, 3) if known and len(known) == len(times) else None


def _spread(seconds: Sequence[float]) -> Record:
    if len(seconds) < 2:
        return {}
    parts = statistics.quantiles(seconds, n=100, method="inclusive")
    picked = {"p50": parts[49], "p99": parts[98], "max": max(seconds)}
    return {name: round(value * 1000, 1) for name, value in picked.items()}


async def _measured(bench: Bench, act: Awaitable[object]) -> Record:
    window = await bench.window()
    await act
    window.stop()
    return await window.close()


async def _repairs(
    bench: Bench,
    targets: Sequence[tuple[Kind, str]],
    harm: Callable[[Bench, Kind, str], Awaitable[Callable[[], bool]]],
) -> Record:
    """One after the other, each until it is repaired."""
    window = await bench.window()
    delays = []
    for kind, name in targets:
        repaired = await harm(bench, kind, name)
        answered = time.monotonic()
        if await bench.feed.until(repaired, REPAIRED_WITHIN):
            delays.append(max(0.0, bench.world.children[NAMESPACE, name][kind.kind].at - answered))
        else:
            window.void.append(f"{kind.kind} {name} was not repaired")
    window.stop()
    return await window.close() | {"latency_ms": _spread(delays), "acts": len(targets)}


async def _edit(bench: Bench, kind: Kind, name: str) -> Callable[[], bool]:
    """Now and whenever it is asked: was the label put back since?"""
    change = {"metadata": {"labels": {LABEL: "drifted"}}}
    live = await bench.api.merge(kind.path(NAMESPACE, name), change)
    version = int(live["metadata"]["resourceVersion"])

    def repaired() -> bool:
        seen = bench.world.children.get((NAMESPACE, name), {}).get(kind.kind)
        return seen is not None and seen.version > version and seen.label == name

    return repaired


async def _delete(bench: Bench, kind: Kind, name: str) -> Callable[[], bool]:
    uid = bench.world.children[NAMESPACE, name][kind.kind].uid
    # As a controller would: in the foreground a Deployment would wait for its pods first.
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    await bench.api.request("DELETE", kind.path(NAMESPACE, name), options)

    def repaired() -> bool:
        seen = bench.world.children.get((NAMESPACE, name), {}).get(kind.kind)
        return seen is not None and seen.uid != uid

    return repaired


async def _fight(bench: Bench) -> None:
    until = time.monotonic() + bench.options.fight
    while time.monotonic() < until:
        repaired = await _edit(bench, KINDS["Service"], bench.names[0])
        await bench.feed.until(repaired, REPAIRED_WITHIN)


def _metrics(number: int) -> Record:
    current = {"averageUtilization": number % 70 + 1, "averageValue": f"{number % 70 + 1}m"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "current": current}}
    return {"status": {"currentMetrics": [metric]}}


def _merged(parts: dict[str, Record]) -> Record:
    """The sums, and the parts beside them."""
    every = list(parts.values())
    requests: dict[str, int] = {}
    for part in every:
        for words, count in part["requests"].items():
            requests[words] = requests.get(words, 0) + count
    reasons = [f"{name}: {part['void']}" for name, part in parts.items() if part["void"]]
    sums = {
        key: round(sum(part[key] for part in every), 3)
        for key in ("revisions", "seconds", "cpu_operator_s", "cpu_apiserver_s")
    }
    return {
        "requests": dict(sorted(requests.items())),
        **sums,
        "rss_peak_mb": max(part["rss_peak_mb"] for part in every),
        "rss_mb": every[-1]["rss_mb"],
        "steal": max(part["steal"] for part in every),
        "writes": audit.writes(requests),
        "parts": parts,
        "void": "; ".join(reasons) or None,
    }
