"""The pictures of the documentation are there, small, and taken by the tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000


def test_the_readme_shows_every_picture_and_each_is_there() -> None:
    shown = re.findall(r"\(docs/images/([^)]+)\)", (ROOT / "README.md").read_text())
    assert sorted(shown) == sorted(path.name for path in IMAGES.iterdir())


def test_every_picture_is_taken_by_a_test_of_the_browser() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_browser*.py"))
    taken = re.findall(r'illustrate\(\w+, "([^"]+)"', tests)
    assert sorted(f"{name}.webp" for name in taken) == sorted(p.name for p in IMAGES.iterdir())
    assert len(taken) >= 3


def test_every_picture_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in IMAGES.iterdir()}
    assert not {name: size for name, size in sizes.items() if size > MOST_BYTES}
