"""Render the charts with the real helm."""

import os
import subprocess
from functools import cache

import pytest
import yaml

from tests.chart.rendered import Helm, Manifest, Render, Template, chart, find_helm


@pytest.fixture(scope="session")
def helm() -> Helm:
    """`helm(*args)` runs it and returns the finished process."""
    binary = find_helm()
    if binary is None and not os.environ.get("CI"):
        pytest.skip("no helm on PATH or in the tool cache; `make demo` builds one")
    assert binary, "no helm on PATH or in the tool cache"

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([binary, *args], capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def template(helm: Helm) -> Template:
    """`template("shop", "--set", "x=y")`: the rendered text of a chart."""

    @cache
    def run(name: str, *args: str) -> str:
        done = helm("template", name, str(chart(name)), "--namespace", f"{name}-home", *args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def render(template: Template) -> Render:
    """The same as objects."""

    def run(name: str, *args: str) -> list[Manifest]:
        return [each for each in yaml.safe_load_all(template(name, *args)) if each]

    return run
