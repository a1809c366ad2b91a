"""The rule of the table of images: present in the engine, else cached, else pulled, else built."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from e2e.cluster import images, oci, parts
from e2e.cluster.image import Image
from e2e.cluster.settings import Settings

# An engine in a folder: an image is a file named after it, which holds its label. It pulls what
# stands in `registry`, and notes every call.
DOCKER = """#!/bin/sh
here=$(dirname "$0")/engine
echo "$*" >>"$here/calls"
name() { echo "$1" | tr '/:' '__'; }
case "$1 $2" in
  "image inspect") cat "$here/$(name "$3")" 2>/dev/null ;;
  "pull "*)
    grep -qx "$2" "$here/registry" || { cat "$here/refusal"; exit 1; }
    echo 'sha256:pulled null' >"$here/$(name "$2")"; echo pulled ;;
  "save "*) cp "$here/$(name "$2")" "$4" ;;
  "load -i") cp "$3" "$here/loaded" ;;
esac
"""
REFERENCE = "example.test/tool:1"


class Engine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "engine"
        self.folder.mkdir(parents=True)
        self.serves()
        self.refuses("no such host")
        script = folder / "docker"
        script.write_text(DOCKER)
        script.chmod(0o755)

    def serves(self, *references: str) -> None:
        (self.folder / "registry").write_text("".join(f"{name}\n" for name in references))

    def refuses(self, reason: str) -> None:
        (self.folder / "refusal").write_text(f"Error response from daemon: {reason}\n")

    def holds(self, reference: str, labels: str) -> None:
        (self.folder / reference.replace("/", "_").replace(":", "_")).write_text(
            f"sha256:1 {labels}\n"
        )

    def pulls(self) -> list[str]:
        calls = (self.folder / "calls").read_text().splitlines()
        return [line.split()[1] for line in calls if line.startswith("pull")]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(oci, "_silent_registries", set())
    return Engine(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", run=tmp_path / "run", install=False)


def image(engine: Engine, reference: str = REFERENCE, source: str = "1") -> Image:
    """One whose local build puts it into the engine with the label it was given."""

    def make(_: Settings, name: str, changes: Sequence[str]) -> None:
        key, value = changes[0].removeprefix("LABEL ").split("=")
        engine.holds(name, f'{{"{key}": "{value}"}}')

    return Image("tool", reference, [source], make, "1 s")


def test_an_image_that_is_present_is_taken_as_it_is(engine: Engine, settings: Settings) -> None:
    engine.holds(REFERENCE, "null")
    engine.serves(REFERENCE)
    assert images.ensure(settings, image(engine)) == REFERENCE
    assert engine.pulls() == []


def test_a_missing_image_is_pulled(engine: Engine, settings: Settings) -> None:
    engine.serves(REFERENCE)
    images.ensure(settings, image(engine))
    found = oci.present(REFERENCE)
    assert found is not None
    assert found.identity == "sha256:pulled"


def test_what_cannot_be_pulled_is_built_and_kept(engine: Engine, settings: Settings) -> None:
    wanted = image(engine)
    images.ensure(settings, wanted)
    found = oci.present(REFERENCE)
    assert found is not None
    assert found.inputs == wanted.digest
    assert (settings.cache / "images" / f"tool-{wanted.digest}" / "image.tar").exists()


def test_an_engine_that_lost_its_images_gets_them_from_the_cache(
    engine: Engine, settings: Settings
) -> None:
    images.ensure(settings, image(engine))
    (engine.folder / "example.test_tool_1").unlink()
    images.ensure(settings, image(engine))
    assert (engine.folder / "loaded").exists()
    assert len(engine.pulls()) == 1


def test_an_image_of_ours_from_other_inputs_is_made_again(
    engine: Engine, settings: Settings
) -> None:
    images.ensure(settings, image(engine, source="1"))
    changed = image(engine, source="2")
    images.ensure(settings, changed)
    found = oci.present(REFERENCE)
    assert found is not None
    assert found.inputs == changed.digest


def test_a_registry_that_does_not_answer_is_asked_once(engine: Engine, settings: Settings) -> None:
    for name in ("tool", "other"):
        images.ensure(settings, image(engine, f"example.test/{name}:1"))
    assert engine.pulls() == ["example.test/tool:1"]


def test_a_registry_that_lacks_one_image_is_asked_for_the_next(
    engine: Engine, settings: Settings
) -> None:
    engine.refuses("manifest for it not found")
    for name in ("tool", "other"):
        images.ensure(settings, image(engine, f"example.test/{name}:1"))
    assert engine.pulls() == ["example.test/tool:1", "example.test/other:1"]


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("traefik:v3", "docker.io"),
        ("kindest/node:v1", "docker.io"),
        ("registry.k8s.io/pause:3", "registry.k8s.io"),
        ("localhost:5000/a/b:1", "localhost:5000"),
    ],
)
def test_the_registry_of_a_reference(reference: str, name: str) -> None:
    assert oci.registry(reference) == name


@pytest.mark.parametrize("part", [*parts.WITH_THE_CLUSTER, *parts.DATA_STORES])
def test_a_manifest_names_the_image_that_the_table_provides(part: parts.Part) -> None:
    text = (parts.MANIFESTS / f"{part.name}.yaml").read_text()
    reference = part.image.built
    usual = reference if "/" in reference else f"docker.io/library/{reference}"
    assert f"image: {usual}\n" in text
