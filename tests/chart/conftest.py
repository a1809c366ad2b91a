"""Render the charts with the real helm."""

import subprocess
from functools import cache

import pytest
from e2e.cluster import settings, tools
from jsonschema import Draft202012Validator
from tests.chart.rendered import (
    Helm,
    Manifest,
    Render,
    Template,
    chart,
    closed,
    load_all,
    load_crd,
)


@pytest.fixture(scope="session")
def helm() -> Helm:
    """`helm(*args)` runs it and returns the finished process; it is built where it is missing."""
    binary = tools.path(settings.load(), tools.HELM)

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
    """The same as objects, to be read only."""

    @cache
    def run(name: str, *args: str) -> list[Manifest]:
        return load_all(template(name, *args))

    return run


@pytest.fixture(scope="session")
def schema() -> Draft202012Validator:
    """That of `spec` in the CRD; an unknown field is an error."""
    (version,) = load_crd()["spec"]["versions"]
    return Draft202012Validator(closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"]))
