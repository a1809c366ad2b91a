"""One e2e case: a folder of numbered YAML steps against any cluster with the operator in it.

`NN-apply.yaml` server-side applies, `NN-patch.yaml` merge-patches, `NN-delete.yaml` deletes
without waiting, `NN-refused.yaml` must be refused with `$message`. `NN-expect.yaml` waits until
each document is a subset of the live object (`$absent: true`: until it is gone; `~text`:
contained; null: not set; lists: some item matches). `99-always.yaml` is patched at the end
whatever happened. A document without a namespace belongs to the case's own, whose name replaces
`$namespace`.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config, dynamic
from kubernetes.client.exceptions import ApiException

Document = dict[str, Any]
MANAGER = "e2e"


def lacks(want: Any, live: Any, path: str = "") -> list[str]:
    """Where `live` is not a superset of `want`, in words."""
    if isinstance(want, Mapping):
        if not isinstance(live, Mapping):
            return [f"{path}: wanted an object, found {live!r}"]
        return [line for k, v in want.items() for line in _entry(k, v, live, path)]
    if isinstance(want, list):
        return _list(want, live, path)
    if isinstance(want, str) and want.startswith("~"):
        return [] if want[1:] in str(live) else [f"{path}: {want[1:]!r} is not in {live!r}"]
    return [] if want == live else [f"{path}: wanted {want!r}, found {live!r}"]


def _entry(key: str, want: Any, live: Mapping[str, Any], path: str) -> list[str]:
    if want is None:
        return (
            [] if live.get(key) is None else [f"{path}.{key}: wanted nothing, found {live[key]!r}"]
        )
    return lacks(want, live.get(key), f"{path}.{key}")


def _list(want: list[Any], live: Any, path: str) -> list[str]:
    if not isinstance(live, list):
        return [f"{path}: wanted a list, found {live!r}"]
    tries = ([lacks(w, item, f"{path}[{i}]") for item in live] for i, w in enumerate(want))
    return [
        min(t, key=len, default=[f"{path}: wanted {want!r}, found {live!r}"])[0]
        for t in tries
        if all(t)
    ]


@dataclass(frozen=True)
class Cluster:
    """The verbs a case needs, over the official client."""

    api: dynamic.DynamicClient

    @classmethod
    def of(cls, kubeconfig: Path) -> "Cluster":
        return cls(dynamic.DynamicClient(config.new_client_from_config(str(kubeconfig))))

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
        self._at(doc).delete(
            name=meta["name"], namespace=meta["namespace"], body=client.V1DeleteOptions()
        )


class StepFailed(AssertionError):
    """A step did not hold in time; the message shows what was missing and the live objects."""


@dataclass(frozen=True)
class Case:
    """The steps of one folder, run in the order of their numbers in namespace `namespace`."""

    folder: Path
    namespace: str
    cluster: Cluster
    seconds: float = 90.0

    def run(self) -> None:
        steps = sorted(self.folder.glob("[0-9][0-9]-*.yaml"))
        always = [s for s in steps if s.stem == "99-always"]
        try:
            self.steps([s for s in steps if s not in always])
        finally:
            for step in always:
                self._each(step, self.cluster.patch)

    def steps(self, steps: Sequence[Path]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Path) -> None:
        verb = step.stem.split("-")[1]
        effects = {
            "apply": self.cluster.apply,
            "patch": self.cluster.patch,
            "delete": self.cluster.delete,
        }
        if verb in effects:
            self._each(step, effects[verb])
        elif verb == "refused":
            self._each(step, self._refused)
        else:
            self._expect(step)

    def _documents(self, step: Path) -> Iterator[Document]:
        for doc in yaml.safe_load_all(step.read_text().replace("$namespace", self.namespace)):
            meta = doc.setdefault("metadata", {})
            meta.setdefault("namespace", self.namespace)
            yield doc

    def _each(self, step: Path, effect: Callable[[Document], None]) -> None:
        for doc in self._documents(step):
            effect(doc)

    def _refused(self, doc: Document) -> None:
        wanted = doc.pop("$message")
        try:
            self.cluster.apply(doc)
        except ApiException as error:
            if wanted in str(error.body):
                return
            raise StepFailed(f"refused with another message: {error.body}") from error
        raise StepFailed(f"{doc['kind']} {doc['metadata']['name']} was accepted, wanted: {wanted}")

    def _expect(self, step: Path) -> None:
        docs = list(self._documents(step))
        seconds = self.seconds
        end = time.monotonic() + seconds
        while missing := [line for doc in docs for line in self._missing(doc)]:
            if time.monotonic() > end:
                raise StepFailed(self._report(step, seconds, missing, docs))
            time.sleep(0.5)

    def _missing(self, doc: Document) -> list[str]:
        where = f"{doc['kind']}/{doc['metadata'].get('name', doc.get('$selector'))}"
        if "$selector" in doc:
            return self._selected(doc, where)
        live = self.cluster.get(doc)
        if doc.get("$absent"):
            return [f"{where}: still there"] if live else []
        return lacks(doc, live, where) if live else [f"{where}: not there"]

    def _selected(self, doc: Document, where: str) -> list[str]:
        found = self.cluster.select(doc)
        if "$count" in doc and len(found) != doc["$count"]:
            return [f"{where}: wanted {doc['$count']}, found {len(found)}"]
        want = {k: v for k, v in doc.items() if not k.startswith("$") and k != "metadata"}
        return [line for live in found for line in lacks(want, live, where)]

    def _report(self, step: Path, seconds: float, missing: list[str], docs: list[Document]) -> str:
        lives = [self.cluster.get(doc) for doc in docs if "name" in doc["metadata"]]
        shown = [
            json.dumps({k: v for k, v in live.items() if k != "metadata"}, indent=1)
            for live in lives
            if live
        ]
        return "\n".join(
            [
                f"{step.parent.name}/{step.name} did not hold within {seconds:.0f} s:",
                *missing,
                *shown,
            ]
        )
