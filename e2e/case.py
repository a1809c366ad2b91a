"""One e2e case: a folder of numbered steps against any cluster with the operator in it.

`NN-apply.yaml` server-side applies, `NN-patch.yaml` merge-patches, `NN-delete.yaml` deletes
without waiting (`$cascade`: foreground or orphan), `NN-evict.yaml` evicts the pods of `$selector`
as a drain does, `NN-refused.yaml` must be refused with `$message`, `NN-run.sh` must exit 0.
`NN-expect.yaml` waits until each document is a subset of the live object (`$absent: true`: until
it is gone; `~text`: contained; null: not set; lists: some item matches; `$selector`: all objects
that it finds, `$count` of them). `NN-follows.yaml` holds pairs: `$within` seconds after the first
of a pair holds, the second must. A `99-always` step is taken at the end whatever happened. A
document without a namespace belongs to the case's own, whose name replaces `$namespace`.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from e2e.matching import lacks
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException

Document = dict[str, Any]
MANAGER = "e2e"
POLL = 0.5  # seconds


@dataclass(frozen=True)
class Cluster:
    """The verbs a case needs, over the official client; `tools` holds kubectl and helm."""

    api: dynamic.DynamicClient
    kubeconfig: Path
    tools: tuple[Path, ...] = ()

    @classmethod
    def of(cls, kubeconfig: Path, *tools: Path) -> "Cluster":
        connection = config.new_client_from_config(str(kubeconfig))
        return cls(dynamic.DynamicClient(connection), kubeconfig.resolve(), tools)

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api.client)

    def _at(self, doc: Document) -> Any:
        return self.api.resources.get(api_version=doc["apiVersion"], kind=doc["kind"])

    def get(self, doc: Document) -> Document | None:
        meta = doc["metadata"]
        try:
            live = self._at(doc).get(name=meta["name"], namespace=meta["namespace"])
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return dict(live.to_dict())

    def select(self, doc: Document) -> list[Document]:
        """Objects by `$selector`, where a name is not known before (pods)."""
        found = self._at(doc).get(
            namespace=doc["metadata"]["namespace"], label_selector=doc["$selector"]
        )
        return [dict(item.to_dict()) for item in found.items]

    def apply(self, doc: Document) -> None:
        self.api.server_side_apply(
            self._at(doc),
            body=doc,
            name=doc["metadata"]["name"],
            namespace=doc["metadata"].get("namespace"),
            field_manager=MANAGER,
            force_conflicts=True,
        )

    def patch(self, doc: Document) -> None:
        self._at(doc).patch(
            body=doc,
            name=doc["metadata"]["name"],
            namespace=doc["metadata"]["namespace"],
            content_type="application/merge-patch+json",
        )

    def delete(self, doc: Document) -> None:
        meta = doc["metadata"]
        policy = str(doc.get("$cascade", "background")).capitalize()
        options = client.V1DeleteOptions(propagation_policy=policy)
        self._at(doc).delete(name=meta["name"], namespace=meta["namespace"], body=options)

    def evict(self, namespace: str, pod: str) -> bool:
        """False: a disruption budget does not allow it now."""
        metadata = client.V1ObjectMeta(name=pod, namespace=namespace)
        eviction = client.V1Eviction(metadata=metadata)
        try:
            self.core.create_namespaced_pod_eviction(pod, namespace, eviction)
        except ApiException as error:
            if error.status == 429:
                return False
            raise
        return True


class StepFailed(AssertionError):
    """A step did not hold in time; the message shows what was missing and the live objects."""


@dataclass(frozen=True)
class Case:
    """The steps of one folder, run in the order of their numbers in namespace `namespace`."""

    folder: Path
    namespace: str
    cluster: Cluster
    seconds: float = 90.0
    scratch: Path = Path(tempfile.gettempdir())  # what scripts of one run share

    def run(self) -> None:
        steps = sorted(s for s in self.folder.glob("[0-9][0-9]-*") if s.suffix in (".yaml", ".sh"))
        always = [s for s in steps if s.stem == "99-always"]
        try:
            self.steps([s for s in steps if s not in always])
        finally:
            for step in always:
                self._shell(step) if step.suffix == ".sh" else self._each(step, self.cluster.patch)

    def steps(self, steps: Sequence[Path]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Path) -> None:
        verb = step.stem.split("-")[1]
        effects: dict[str, Callable[[Document], None]] = {
            "apply": self.cluster.apply,
            "patch": self.cluster.patch,
            "delete": self.cluster.delete,
            "evict": self._evict,
            "refused": self._refused,
        }
        whole: dict[str, Callable[[Path], None]] = {
            "expect": self._expect,
            "follows": self._follows,
            "run": self._shell,
        }
        if verb in effects:
            self._each(step, effects[verb])
        else:
            whole[verb](step)

    def _documents(self, step: Path) -> Iterator[Document]:
        for doc in yaml.safe_load_all(step.read_text().replace("$namespace", self.namespace)):
            meta = doc.setdefault("metadata", {})
            meta.setdefault("namespace", self.namespace)
            yield doc

    def _each(self, step: Path, effect: Callable[[Document], None]) -> None:
        for doc in self._documents(step):
            effect(doc)

    def _shell(self, step: Path) -> None:
        """From the repository's root; SCRATCH is a folder that the scripts of a run share."""
        path = os.pathsep.join([*map(str, self.cluster.tools), os.environ["PATH"]])
        names = {"KUBECONFIG": self.cluster.kubeconfig, "NAMESPACE": self.namespace}
        env = os.environ | {"PATH": path, "SCRATCH": str(self.scratch)}
        env |= {name: str(value) for name, value in names.items()}
        done = subprocess.run(
            ["bash", "-eux", step], env=env, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise StepFailed(f"{_named(step)} ended with {done.returncode}:\n{done.stderr[-2000:]}")

    def _refused(self, doc: Document) -> None:
        wanted = doc.pop("$message")
        try:
            self.cluster.apply(doc)
        except ApiException as error:
            if wanted in str(error.body):
                return
            raise StepFailed(f"refused with another message: {error.body}") from error
        raise StepFailed(f"{doc['kind']} {doc['metadata']['name']} was accepted, wanted: {wanted}")

    def _evict(self, doc: Document) -> None:
        """Each as soon as the budget allows it, then until they are gone: what a drain does."""
        pods = [pod["metadata"] for pod in self.cluster.select(doc)]
        for pod in pods:
            self._until(f"{pod['name']} is evicted", partial(self._stays, pod))
        for pod in pods:
            self._until(f"{pod['name']} is gone", partial(self._still, pod))

    def _stays(self, pod: Document) -> list[str]:
        evicted = self.cluster.evict(pod["namespace"], pod["name"])
        return [] if evicted else ["its disruption budget does not allow it"]

    def _still(self, pod: Document) -> list[str]:
        meta = {"name": pod["name"], "namespace": pod["namespace"]}
        live = self.cluster.get({"apiVersion": "v1", "kind": "Pod", "metadata": meta})
        return ["it is still there"] if live and live["metadata"]["uid"] == pod["uid"] else []

    def _until(self, what: str, missing: Callable[[], list[str]]) -> None:
        end = time.monotonic() + self.seconds
        while lines := missing():
            if time.monotonic() > end:
                raise StepFailed("\n".join([f"{what}: not within {self.seconds:.0f} s:", *lines]))
            time.sleep(POLL)

    def _expect(self, step: Path) -> None:
        docs = list(self._documents(step))
        end = time.monotonic() + self.seconds
        while lacking := self._lacking(docs):
            if time.monotonic() > end:
                raise StepFailed(self._report(step, f"within {self.seconds:.0f} s", lacking))
            time.sleep(POLL)

    def _follows(self, step: Path) -> None:
        """Every pair by a clock of its own; prints how long each effect took."""
        docs = list(self._documents(step))
        open_ = [Pair(*pair) for pair in zip(docs[::2], docs[1::2], strict=True)]
        end = time.monotonic() + self.seconds
        while open_ := [pair for pair in open_ if not self._closed(step, pair)]:
            if time.monotonic() > end:
                lacking = self._lacking([pair.first for pair in open_ if pair.seen is None])
                raise StepFailed(self._report(step, f"within {self.seconds:.0f} s", lacking))
            time.sleep(POLL)

    def _closed(self, step: Path, pair: "Pair") -> bool:
        if pair.seen is None:
            if self._missing(pair.first):
                return False
            pair.seen = time.monotonic()
        lacking = self._lacking([pair.second])
        waited = time.monotonic() - pair.seen
        if lacking and waited > pair.within:
            raise StepFailed(self._report(step, f"{pair.within:.0f} s after its cause", lacking))
        if not lacking:
            print(f"{pair.name}: in the status {waited:.1f} s after its cause")
        return not lacking

    def _lacking(self, docs: Sequence[Document]) -> list[tuple[Document, list[str]]]:
        return [(doc, lines) for doc in docs if (lines := self._missing(doc))]

    def _missing(self, doc: Document) -> list[str]:
        where = f"{doc['kind']}/{doc['metadata'].get('name', doc.get('$selector'))}"
        if "$selector" in doc:
            return self._selected(doc, where)
        live = self.cluster.get(doc)
        if doc.get("$absent"):
            return [f"{where}: still there"] if live else []
        return lacks(_wanted(doc), live, where) if live else [f"{where}: not there"]

    def _selected(self, doc: Document, where: str) -> list[str]:
        found = self.cluster.select(doc)
        count = doc.get("$count")
        if len(found) != count if count is not None else not found:
            return [f"{where}: wanted {count or 'some'}, found {len(found)}"]
        want = _wanted(doc)
        return [line for live in found for line in lacks(want, live, where)]

    def _report(self, step: Path, when: str, lacking: Sequence[tuple[Document, list[str]]]) -> str:
        """What is missing, and of the objects that lack it everything but their metadata."""
        lives = [self.cluster.get(doc) for doc, _ in lacking if "name" in doc["metadata"]]
        shown = [
            json.dumps({k: v for k, v in live.items() if k != "metadata"}, indent=1)
            for live in lives
            if live
        ]
        missing = [line for _, lines in lacking for line in lines]
        return "\n".join([f"{_named(step)} did not hold {when}:", *missing, *shown])


@dataclass
class Pair:
    """A cause and its effect; `seen` is when the cause was, on the monotonic clock."""

    first: Document
    second: Document
    seen: float | None = None

    @property
    def within(self) -> float:
        return float(self.second["$within"])

    @property
    def name(self) -> str:
        return str(self.second["metadata"]["name"])


def _wanted(doc: Document) -> Document:
    return {key: value for key, value in doc.items() if not key.startswith("$")}


def _named(step: Path) -> str:
    return f"{step.parent.name}/{step.name}"
