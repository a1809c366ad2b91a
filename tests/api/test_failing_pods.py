"""Real pods that fail: what the status says of them."""

import pytest
from tests.api.operator_process import Process
from tests.api.world import SERVE, World

from microservice_operator.api.kinds import MICROSERVICE

pytestmark = pytest.mark.api


def test_an_image_that_cannot_be_pulled_is_named_and_the_old_pod_serves_on(
    world: World, operator: Process, image: str
) -> None:
    world.create()
    world.until_ready()
    world.change(image="registry.invalid/web:404")
    failed = world.until(
        lambda: (c := world.condition("Ready")) and c["reason"] == "ImagePullFailed" and c, 60
    )
    assert "registry.invalid/web:404" in failed["message"]
    assert world.condition("Available")["status"] == "True"
    world.change(image=image)
    world.until_ready()


def test_a_crash_loop_is_told_with_exit_code_and_last_words(
    world: World, operator: Process
) -> None:
    words = "echo 'KeyError: DB_HOST' > /dev/termination-log; exit 3"
    world.create(command=["sh", "-c", words])
    failed = world.until(
        lambda: (c := world.condition("Ready")) and c["reason"] == "CrashLoopBackOff" and c, 90
    )
    assert "KeyError: DB_HOST" in failed["message"]
    failure = world.get(MICROSERVICE)["status"]["lastFailure"]
    assert (failure["exitCode"], failure["container"]) == (3, "web")
    world.change(command=["sh", "-c", SERVE])
    world.until_ready()
