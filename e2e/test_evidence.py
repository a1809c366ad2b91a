"""A test that failed shows what an engineer needs; a document asks for what it says."""

from pathlib import Path
from typing import Any

import pytest
from e2e.case import Case, Cluster, StepFailed
from e2e.evidence import evidence
from e2e.matching import lacks

CRASHING = """\
apiVersion: microservice.dev/v1alpha1
kind: MicroService
metadata: {name: web}
spec:
  image: microservice.dev/e2e/web:1
  command: [python, -c, "exit('DATABASE_URL is not set')"]
"""
CRASHED = """\
apiVersion: v1
kind: Pod
$selector: microservice.dev/name=web
status: {containerStatuses: [{lastState: {terminated: {exitCode: 1}}}]}
"""
READY = """\
apiVersion: microservice.dev/v1alpha1
kind: MicroService
metadata: {name: web}
status: {conditions: [{type: Ready, status: "True"}]}
"""


@pytest.mark.nodes
@pytest.mark.usefixtures("web_images")
def test_a_failed_step_shows_pods_events_and_the_last_line_that_a_container_wrote(
    namespace: str, cluster: Cluster, tmp_path: Path
) -> None:
    for name, text in (("10-apply", CRASHING), ("20-expect", CRASHED)):
        (tmp_path / f"{name}.yaml").write_text(text)
    Case(tmp_path, namespace, cluster).run()
    never = tmp_path / "30-expect.yaml"
    never.write_text(READY)
    with pytest.raises(StepFailed, match=r"30-expect.yaml did not hold within 1 s:"):
        Case(tmp_path, namespace, cluster, seconds=1).steps([never])
    shown = evidence(cluster, namespace)
    assert "web: generation 1, observed 1, pods 0/1" in shown
    assert "ended: Error, exit code 1: DATABASE_URL is not set" in shown
    assert "Warning BackOff Pod/web-" in shown
    assert "    DATABASE_URL is not set" in shown
    assert "cannot be read" not in shown


@pytest.mark.parametrize(
    ("want", "live", "lacking"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 2}, [".a: wanted 1, found 2"]),
        ({"a": None}, {"a": []}, []),
        ({"a": None}, {"a": 0}, [".a: wanted nothing, found 0"]),
        ({"a": "~ell"}, {"a": "hello"}, []),
        ({"a": "~x"}, {"a": "hello"}, [".a: 'x' is not in 'hello'"]),
        ([{"n": 1}, {"n": 2}], [{"n": 2}, {"n": 1, "m": 3}], []),
        ([{"n": 1}], [{"n": 2}], ["[0].n: wanted 1, found 2"]),
        ([{"n": 1}], [], [": wanted [{'n': 1}], found []"]),
        ([1], None, [": wanted a list, found None"]),
    ],
)
def test_a_document_is_part_of_the_live_object(want: Any, live: Any, lacking: list[str]) -> None:
    assert lacks(want, live) == lacking
