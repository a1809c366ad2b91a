"""The cache of built things: named after what went in, whole or absent."""

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.cluster import cache
from e2e.cluster.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache", run=tmp_path / "run", install=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n")
    return folder


def write(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "binary").write_text(text)

    return make


def test_what_was_made_from_the_same_inputs_is_not_made_again(settings: Settings) -> None:
    first = cache.kept(settings, "go/kind", ["v1"], write("one"))
    again = cache.kept(settings, "go/kind", ["v1"], write("two"))
    assert again == first
    assert (again / "binary").read_text() == "one"


def test_other_inputs_make_another_folder(settings: Settings) -> None:
    first = cache.kept(settings, "go/kind", ["v1"], write("one"))
    other = cache.kept(settings, "go/kind", ["v2"], write("two"))
    assert other != first
    assert (other / "binary").read_text() == "two"


def test_a_make_that_broke_off_leaves_nothing_and_is_done_again(settings: Settings) -> None:
    def break_off(folder: Path) -> None:
        (folder / "binary").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.kept(settings, "go/kind", ["v1"], break_off)
    folder = cache.kept(settings, "go/kind", ["v1"], write("whole"))
    assert (folder / "binary").read_text() == "whole"


def test_only_the_two_newest_versions_are_kept(settings: Settings) -> None:
    made = [cache.kept(settings, "go/kind", [f"v{n}"], write(str(n))) for n in range(4)]
    cache.kept(settings, "go/kind-of", ["v1"], write("a neighbour with a longer name"))
    left = [folder for folder in made if folder.exists()]
    assert len(left) == 2
    assert made[-1] in left


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "go.mod").write_text("module y\n"),
    "name": lambda folder: (folder / "go.mod").rename(folder / "go.sum"),
    "mode": lambda folder: (folder / "go.mod").chmod(0o755),
    "addition": lambda folder: (folder / "main.go").touch(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_hash_follows_every_change_of_a_folder(source: Path, change: str) -> None:
    before = cache.digest([source])
    CHANGES[change](source)
    assert cache.digest([source]) != before


def test_the_hash_ignores_what_python_leaves_behind(source: Path) -> None:
    before = cache.digest([source])
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_text("bytes")
    assert cache.digest([source]) == before


def test_two_texts_are_not_the_same_as_their_sum() -> None:
    assert cache.digest(["ab", "c"]) != cache.digest(["a", "bc"])
