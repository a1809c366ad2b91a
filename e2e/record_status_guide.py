"""`python -m e2e.record_status_guide`: docs/guides/reading-status.md, recorded from a real cluster.

Each situation is the beginning of an e2e case; what is shown is what kubectl printed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.case import Case, Cluster
from e2e.conftest import make_web_images
from kubernetes import client

GUIDE = Path("docs/guides/reading-status.md")
CASES = Path(__file__).parent / "cases"
NAMESPACE = "guide"
SHOWN = ("Conditions", "Last Failure", "Problems")  # parts of the status that explain it

INTRODUCTION = """\
# Reading the status of a MicroService

Recorded from a real run by `uv run python -m e2e.record_status_guide`; do not edit by hand.

Three questions, three places:

- *Is it in effect?* `kubectl get msvc`: READY, and REASON when it is not.
- *What is wrong?* `kubectl describe msvc NAME`: the message of the `Ready` condition says what and
  why, that of `Stalled` what to do; `Last Failure` shows the pod, the container, its exit code and
  its last line; `Problems` names the field and the fix.
- *Will it go on by itself?* `Reconciling` is there while work is under way; `Stalled` is there
  when nothing changes without a person. Neither: it is as you asked, or it waits for something
  outside, such as a node.

`Available` says whether anybody serves at all, whichever revision it is. PODS counts those that are
ready against those that are wanted.

Scripts wait with `kubectl wait --for=condition=Ready msvc/NAME`; it waits for the newest generation
of the spec.

Of `describe`, the parts that explain the situation are shown.
"""


@dataclass(frozen=True)
class Situation:
    title: str
    case: str
    until: str  # the name of the last step of the case that is run
    tells: str  # what it means and what to do
    name: str = "web"
    waits: str = "Ready"


SITUATIONS = (
    Situation("Healthy", "apply", "20-expect", "The spec is in effect; there is nothing to do."),
    Situation(
        "Rolling",
        "change-image",
        "35-expect",
        "New pods are on their way while the old ones serve; wait, it goes on by itself.",
    ),
    Situation(
        "Crash loop",
        "crash-loop",
        "20-expect",
        "The container ends by itself, and its last line says why; correct what it names, in the"
        " spec or in the code.",
        waits="Stalled",
    ),
    Situation(
        "Bad image",
        "bad-image",
        "40-expect",
        "The nodes cannot pull the new image while the old pods go on serving; correct"
        " `spec.image`.",
        waits="Stalled",
    ),
    Situation(
        "Unschedulable",
        "unschedulable",
        "20-expect",
        "No node can take the pods, and the scheduler says why; ask for less, relax where they may"
        " run, or add nodes.",
        waits="Stalled",
    ),
    Situation(
        "Quota exceeded",
        "quota",
        "30-expect",
        "The namespace may not have so many pods; ask for fewer, or have the quota raised.",
        waits="Stalled",
    ),
    Situation(
        "Foreign object",
        "foreign-object",
        "30-expect",
        "An object of that name was there before and is never touched; rename the MicroService, or"
        " delete the object if nobody needs it.",
        waits="Stalled",
    ),
    Situation(
        "Refused route",
        "refused-route",
        "20-expect",
        "The pods run, but the Gateway sends them nothing; correct the entry of `spec.routes` that"
        " `Problems` names, or the Gateway.",
    ),
    Situation(
        "Paused",
        "paused",
        "40-expect",
        "The operator keeps its hands off, so the status is that of the last generation it acted on"
        " (`Observed Generation` is behind); remove the annotation `microservice.dev/paused`.",
    ),
    Situation(
        "Suspended",
        "suspend",
        "40-expect",
        "There are no pods because you asked for none, and everything else stays; set"
        " `spec.suspend` to false.",
    ),
)


def main() -> int:
    kubeconfig = Path(os.environ.get("E2E_KUBECONFIG", ".run/demo.kubeconfig"))
    make_web_images()
    cluster = Cluster.of(kubeconfig)
    sections = [section(cluster, situation) for situation in SITUATIONS]
    explained = kubectl(cluster, "explain", "microservice.spec")
    fields = (
        f"## Every field\n\n```console\n$ kubectl explain microservice.spec\n{explained}\n```\n"
    )
    GUIDE.write_text("\n".join([INTRODUCTION, *sections, fields]))
    print(f"{GUIDE} written")
    return 0


def section(cluster: Cluster, situation: Situation) -> str:
    print(f"{situation.title} ...", flush=True)
    fresh_namespace(cluster)
    folder = CASES / situation.case
    steps = [s for s in sorted(folder.glob("*.yaml")) if s.stem <= situation.until]
    Case(folder, NAMESPACE, cluster).steps(steps)
    shown = "\n".join(commands(cluster, situation))
    return f"## {situation.title}\n\n{situation.tells}\n\n```console\n{shown}\n```\n"


def commands(cluster: Cluster, situation: Situation) -> Iterator[str]:
    name, where = situation.name, ("--namespace", NAMESPACE)
    for words in (["get", "msvc", name], ["get", "msvc", name, "-o", "wide"]):
        yield f"$ kubectl {' '.join(words)}"
        yield kubectl(cluster, *words, *where)
    yield f"$ kubectl describe msvc {name}"
    yield relevant(kubectl(cluster, "describe", "msvc", name, *where))
    wait = ["wait", f"--for=condition={situation.waits}", f"msvc/{name}", "--timeout=1s"]
    yield f"$ kubectl {' '.join(wait)}"
    yield kubectl(cluster, *wait, *where, fails=True)


def relevant(described: str) -> str:
    """Generations, annotations, the explaining parts of the status, and the events."""
    parts = dict(re.findall(r"^(\S[^:\n]*):((?:.*\n?)(?:\s.*\n?)*)", described, re.MULTILINE))
    generations = re.findall(r"^ +(?:Observed )?Generation: +\d+$", parts["Metadata"], re.MULTILINE)
    status = re.split(r"^(?=  \S)", parts["Status"], flags=re.MULTILINE)
    explaining = [p for p in status if p.strip().startswith((*SHOWN, "Observed Generation"))]
    return "\n".join(
        [
            f"Annotations:{parts['Annotations'].rstrip()}",
            *generations,
            "Status:",
            *(part.rstrip() for part in explaining),
            f"Events:{parts['Events'].rstrip()}",
        ]
    )


def kubectl(cluster: Cluster, *words: str, fails: bool = False) -> str:
    """What it prints; with `fails`, also where it ends with an error."""
    command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), *words]
    done = subprocess.run(command, check=not fails, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip()


def fresh_namespace(cluster: Cluster) -> None:
    """The last situation's is deleted, and its end awaited."""
    kubectl(cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    metadata = client.V1ObjectMeta(name=NAMESPACE)
    cluster.core.create_namespace(client.V1Namespace(metadata=metadata))


if __name__ == "__main__":
    sys.exit(main())
