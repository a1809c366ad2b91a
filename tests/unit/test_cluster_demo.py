"""The demo's own decisions: tags of our images, values of the charts, other clusters."""

import re
from pathlib import Path

import pytest
import yaml
from e2e.cluster import parts, progress
from e2e.cluster import settings as environment
from e2e.cluster.errors import Problem
from e2e.demo import charts, images, target

DOCKERFILE = """\
FROM python:3.13-slim AS build
COPY --link pyproject.toml \\
     uv.lock ./
COPY services/kit/ services/kit/
FROM python:3.13-slim
COPY --from=build /app /app
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a Dockerfile and what it copies."""
    for name in ("pyproject.toml", "uv.lock", "services/kit/kit.py", "services/auth/auth.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    monkeypatch.setattr(images, "REPOSITORY", tmp_path)
    return tmp_path


def ours(repository: Path) -> images.Ours:
    return images.Ours("tool", repository / "Dockerfile")


def test_a_tag_holds_the_version_and_a_hash(repository: Path) -> None:
    assert re.fullmatch(r"1\.2\.3-[0-9a-f]{12}", images.tag("1.2.3", [ours(repository)]))


@pytest.mark.parametrize("name", ["Dockerfile", "uv.lock", "services/kit/kit.py"])
def test_what_goes_into_an_image_changes_its_tag(repository: Path, name: str) -> None:
    before = images.tag("1", [ours(repository)])
    with (repository / name).open("a") as file:
        file.write("\n# changed\n")
    assert images.tag("1", [ours(repository)]) != before


def test_what_does_not_go_in_leaves_the_tag(repository: Path) -> None:
    before = images.tag("1", [ours(repository)])
    (repository / "services" / "auth" / "auth.py").write_text("changed")
    assert images.tag("1", [ours(repository)]) == before


def test_the_operator_is_told_the_gateway() -> None:
    existing = target.Existing(
        environment.load(),
        Path("kubeconfig"),
        "registry.test/me",
        target.Gateway("edge", "main", "app.kubernetes.io/name=envoy"),
        "http://shop.test/",
    )
    assert charts.operator_values(existing, "1-abc") == [
        "image.repository=registry.test/me/operator",
        "image.tag=1-abc",
        "platform.gateway.name=main",
        "platform.gateway.namespace=edge",
        "platform.gateway.url=http://shop.test",
        "platform.gateway.podLabels.app\\.kubernetes\\.io/name=envoy",
    ]


def test_an_existing_cluster_needs_a_kubeconfig_and_a_registry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLUSTER", "existing")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(Problem, match="needs KUBECONFIG and IMAGE_PREFIX"):
        target.chosen(environment.load())


@pytest.mark.parametrize("part", parts.DATA_STORES)
def test_on_an_existing_cluster_a_data_store_may_run_anywhere(part: parts.Part) -> None:
    text = (parts.MANIFESTS / f"{part.name}.yaml").read_text()
    before, after = (
        list(yaml.safe_load_all(text)),
        list(yaml.safe_load_all(target.on_any_node(text))),
    )
    assert "nodeSelector" in str(before)
    assert "nodeSelector" not in str(after)
    assert [document["kind"] for document in after] == [document["kind"] for document in before]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.25, "0.2 s"), (42.4, "42 s"), (60, "1 min 00 s"), (754, "12 min 34 s")],
)
def test_a_duration_reads_well(seconds: float, shown: str) -> None:
    assert progress.duration(seconds) == shown


def test_a_step_tells_its_usual_time_and_that_it_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "QUIET", 0.0)
    with pytest.raises(Problem):
        fail_half_way()
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["build it (usually 9 min)", "  half way"]
    assert lines[2].startswith("build it: stopped after")


def fail_half_way() -> None:
    with progress.progress.step("build it", "9 min"):
        progress.progress.say("half way")
        raise Problem("no")
