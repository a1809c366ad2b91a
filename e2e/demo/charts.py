"""Operator and shop, from their charts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from e2e.cluster import command, tools
from e2e.cluster.errors import Problem
from e2e.cluster.progress import progress
from e2e.cluster.settings import REPOSITORY
from e2e.demo import images
from e2e.demo.target import Target, asked, kubectl

CHARTS = REPOSITORY / "charts"
OPERATOR = "microservice-operator"  # chart, release and namespace
SHOP = "shop"  # chart and namespace
READY_WITHIN = 300  # seconds; a machine that builds beside it is slow


def app_version(chart: str) -> str:
    return str(yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())["appVersion"])


def helm(target: Target, *words: str, log: Path | None = None) -> str:
    """Standard output, or with `log` nothing: it goes to that file."""
    tool = tools.path(target.settings, tools.HELM)
    env = {"KUBECONFIG": str(target.kubeconfig)}
    return (
        command.run(tool, *words, env=env, log=log)
        if log
        else command.output(tool, *words, env=env)
    )


def tag_of(chart: str) -> str:
    return images.tag(app_version(chart), images.OF_CHART[chart])


def build(target: Target, chart: str, tag: str) -> list[str]:
    """The references of the chart's images, which the engine now holds."""
    prefix, ours = target.image_prefix, images.OF_CHART[chart]
    return images.build(target.settings, ours, prefix=prefix, tag=tag)


def install_operator(target: Target) -> None:
    tag = tag_of(OPERATOR)
    target.deliver(build(target, OPERATOR, tag))
    words = ("upgrade", "--install", OPERATOR, str(CHARTS / OPERATOR), "--namespace", OPERATOR)
    values = [word for value in operator_values(target, tag) for word in ("--set", value)]
    log = target.settings.run / "logs" / "operator.log"
    log.unlink(missing_ok=True)
    with progress.step("helm upgrade --install", "20 s"):
        _forget_what_broke_off(target)
        options = ("--create-namespace", "--wait", f"--timeout={READY_WITHIN}s")
        try:
            helm(target, *words, *options, *values, log=log)
        except command.CommandFailed as failed:
            raise Problem(
                f"the operator did not become ready\n{_last_words(target)}",
                log=log,
                remedy=f"kubectl -n {OPERATOR} describe pods, and run this again",
            ) from failed


def _last_words(target: Target) -> str:
    """State and last lines of the operator's pods."""
    pods = asked(target, "get", "pods", "-n", OPERATOR)
    every = ("-l", f"app.kubernetes.io/name={OPERATOR}", "--tail=5", "--prefix")
    return f"{pods}\n{asked(target, 'logs', '-n', OPERATOR, *every)}".strip()


def _forget_what_broke_off(target: Target) -> None:
    """A killed helm leaves a pending release, which every later one refuses to touch."""
    pending = "status in (pending-install,pending-upgrade,pending-rollback)"
    selector = f"owner=helm,name={OPERATOR},{pending}"
    asked(target, "delete", "secret", "-n", OPERATOR, "-l", selector)


def operator_values(target: Target, tag: str) -> list[str]:
    gateway = target.gateway
    labels = [pair.split("=", 1) for pair in gateway.pods.split(",") if pair]
    return [
        f"image.repository={target.image_prefix}/operator",
        f"image.tag={tag}",
        f"platform.gateway.name={gateway.name}",
        f"platform.gateway.namespace={gateway.namespace}",
        f"platform.gateway.url={target.gateway_url()}",
        *(f"platform.gateway.podLabels.{_escaped(key)}={value}" for key, value in labels),
    ]


def _escaped(key: str) -> str:
    return key.replace(".", "\\.")


def install_shop(target: Target) -> None:
    tag = tag_of(SHOP)
    target.deliver(build(target, SHOP, tag))
    with progress.step("apply the MicroServices", "2 s"):
        words = ("template", SHOP, str(CHARTS / SHOP), "--namespace", SHOP)
        values = [word for value in shop_values(target, tag) for word in value]
        manifest = helm(target, *words, *values)
        # Whoever has changed a field by hand meanwhile: the demo puts everything back.
        apply = ("apply", "--server-side", "--force-conflicts", "-n", SHOP, "-f", "-")
        kubectl(target, *apply, given=manifest)
    with progress.step("wait until every MicroService is Ready", "30 s"):
        _wait_until_ready(target)


def shop_values(target: Target, tag: str) -> list[Sequence[str]]:
    anywhere = [("--set-json", "bank.nodeSelector=null")] if target.bank_anywhere else []
    return [
        ("--set", f"image.registry={target.image_prefix}/shop"),
        ("--set", f"image.tag={tag}"),
        ("--set", f"publicUrl={target.gateway_url()}"),
        *anywhere,
    ]


def _wait_until_ready(target: Target) -> None:
    condition = ("--for=condition=Ready", "microservices", "--all", "-n", SHOP)
    try:
        kubectl(target, "wait", *condition, f"--timeout={READY_WITHIN}s", timeout=READY_WITHIN + 60)
    except command.CommandFailed as failed:
        raise Problem(
            f"not every MicroService became Ready\n{_state(target)}",
            remedy="kubectl describe microservice NAME -n shop, and run `make demo` again",
        ) from failed


def _state(target: Target) -> str:
    services = asked(target, "get", "microservices", "-n", SHOP, "-o", "wide")
    pods = asked(target, "get", "pods", "-n", SHOP)
    return f"{services}\n\n{pods}"


def described(target: Target, name: str) -> str:
    """The status part of `kubectl describe microservice`."""
    text = asked(target, "describe", "microservice", name, "-n", SHOP)
    found = re.search(r"^Status:.*?(?=^Events:|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[0].rstrip() if found else text
