"""`python -m e2e.record_status_guide`: docs/guides/reading-status.md, recorded from a real cluster.

Each situation is the beginning of an e2e case; what is shown is what kubectl printed.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from e2e.case import Case, Cluster
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

GUIDE = Path("docs/guides/reading-status.md")
CASES = Path(__file__).parent / "cases"
NAMESPACE = "guide"

INTRODUCTION = """\
# Reading the status of a MicroService

Recorded from a real run by `uv run python -m e2e.record_status_guide`; do not edit by hand.

Three questions, three places:

- *Is it in effect?* `kubectl get msvc`: READY, and REASON when it is not.
- *What is wrong?* `kubectl describe msvc NAME`: the message of the `Ready` condition says what and
  why, `Last Failure` shows the container, its exit code and its last line, `Problems` names the
  field and the fix.
- *Will it go on by itself?* `Reconciling` is there while work is under way; `Stalled` is there
  when nothing changes without a person. Neither: it is as you asked, or it waits for something
  outside, such as a node.

Scripts wait with `kubectl wait --for=condition=Ready msvc/NAME`.
"""


@dataclass(frozen=True)
class Situation:
    title: str
    case: str
    until: str  # the name of the last step of the case that is run
    hint: str


SITUATIONS = (
    Situation("Healthy", "apply", "20-expect", "Everything is as the spec says."),
    Situation(
        "The image cannot be pulled",
        "bad-image",
        "40-expect",
        "The old pods go on serving (Available is True). Correct `spec.image`.",
    ),
    Situation(
        "The container crashes",
        "crash-loop",
        "20-expect",
        "The last line that the container wrote is in the status; no log access is needed.",
    ),
    Situation(
        "An object with the same name belongs to somebody else",
        "foreign-object",
        "30-expect",
        "It is never touched. Rename one of the two, or delete the other one.",
    ),
    Situation(
        "Suspended", "suspend", "40-expect", "No pods; everything else stays. Set suspend to false."
    ),
)


def main() -> int:
    kubeconfig = Path(os.environ.get("E2E_KUBECONFIG", ".run/demo.kubeconfig"))
    sections = [section(kubeconfig, situation) for situation in SITUATIONS]
    explained = kubectl(kubeconfig, "explain", "microservice.spec")
    fields = (
        f"## Every field\n\n```console\n$ kubectl explain microservice.spec\n{explained}\n```\n"
    )
    GUIDE.write_text("\n".join([INTRODUCTION, *sections, fields]))
    print(f"{GUIDE} written")
    return 0


def section(kubeconfig: Path, situation: Situation) -> str:
    print(f"{situation.title} ...", flush=True)
    with_namespace(kubeconfig)
    steps = sorted(s for s in (CASES / situation.case).glob("*.yaml") if s.stem <= situation.until)
    Case(CASES / situation.case, NAMESPACE, Cluster.of(kubeconfig)).steps(steps)
    shown = "\n".join(commands(kubeconfig))
    return f"## {situation.title}\n\n{situation.hint}\n\n```console\n{shown}\n```\n"


def commands(kubeconfig: Path) -> Iterator[str]:
    for words in (["get", "msvc", "-o", "wide"], ["describe", "msvc", "web"]):
        yield f"$ kubectl {' '.join(words)}"
        yield kubectl(kubeconfig, *words, "--namespace", NAMESPACE)


def kubectl(kubeconfig: Path, *words: str) -> str:
    command = ["kubectl", "--kubeconfig", str(kubeconfig), *words]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return "\n".join(line.rstrip() for line in printed.splitlines()).strip()


def with_namespace(kubeconfig: Path) -> None:
    """A fresh namespace of that name: the last situation's is deleted, and its end awaited."""
    core = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
    remove = ["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait"]
    kubectl(kubeconfig, *remove)
    try:
        metadata = client.V1ObjectMeta(name=NAMESPACE)
        core.create_namespace(client.V1Namespace(metadata=metadata))
    except ApiException as error:
        sys.exit(f"the namespace {NAMESPACE} cannot be made: {error.reason}")


if __name__ == "__main__":
    sys.exit(main())
