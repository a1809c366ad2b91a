from microservice_operator.errors import ApiError
from microservice_operator.observed import Failed, Outcome, PodFacts, Ref
from microservice_operator.pacing import Pace, retry_after
from microservice_operator.status import Urgency

WEB = Ref("Service", "web")


def failing(*errors: ApiError) -> Outcome:
    return Outcome(failures=tuple(Failed(WEB, "patch", "services", error) for error in errors))


def test_nothing_new_is_not_written() -> None:
    assert Pace("u").status_wait(Urgency.NONE, 0.0) is None


def test_in_progress_waits_a_second_for_the_ready_flip() -> None:
    pace = Pace("u")
    assert pace.status_wait(Urgency.SOON, 100.0) == 1.0
    assert pace.status_wait(Urgency.SOON, 100.75) == 0.25
    assert pace.status_wait(Urgency.NOW, 100.8) == 0.0


def test_a_flip_that_came_in_time_ends_the_wait() -> None:
    pace = Pace("u")
    pace.status_wait(Urgency.SOON, 100.0)
    pace.status_written(100.5)
    assert pace.status_wait(Urgency.SOON, 200.0) == 1.0


def test_counts_alone_are_written_every_fifteen_seconds() -> None:
    pace = Pace("u")
    assert pace.status_wait(Urgency.LATER, 100.0) == 0.0
    pace.status_written(100.0)
    assert pace.status_wait(Urgency.LATER, 104.0) == 11.0
    assert pace.status_wait(Urgency.LATER, 115.0) == 0.0


def pods(phase: str) -> tuple[PodFacts, ...]:
    return (PodFacts("web-1", phase, True, "", False, ()),)


def test_pods_are_looked_at_every_fifteen_seconds_and_rarely_once_the_cause_is_stable() -> None:
    pace, now, looks = Pace("u"), 1000.0, []
    while now < 1000.0 + 3600:
        pace.looked(pods("Pending"), now)
        wait = pace.look_wait(now)
        looks.append(wait)
        now += wait
    assert looks[:19] == [15.0] * 19
    assert looks == sorted(looks)
    assert looks[-1] > 100
    pace.looked(pods("Running"), now)
    assert pace.look_wait(now) == 15.0


def test_the_next_failure_is_looked_at_at_once() -> None:
    pace = Pace("u")
    pace.looked(pods("Pending"), 1000.0)
    pace.healthy()
    assert pace.look_wait(1001.0) == 0.0
    assert pace.pods is None


def test_a_row_of_failures_is_as_old_as_its_first() -> None:
    pace = Pace("u")
    pace.note(failing(ApiError(503, "", "")), "10:00")
    pace.note(failing(ApiError(0, "", "")), "10:05")
    assert pace.failing_since == "10:00"
    pace.note(failing(ApiError(403, "Forbidden", "")), "10:06")
    assert pace.failing_since is None


def test_a_fight_over_one_object_slows_down_that_object_only() -> None:
    pace, other = Pace("u"), Ref("Deployment", "web")
    for second in range(5):
        assert pace.held([WEB], second) == {}
        pace.repaired([WEB], second)
    assert pace.held([WEB, other], 5.0) == {WEB: 9.0}
    assert pace.held([WEB], 200.0) == {}


def test_a_fight_is_news_once_and_again_only_after_it_has_ended() -> None:
    pace = Pace("u")

    def fight(start: float) -> list[Ref]:
        for second in range(5):
            assert pace.news(pace.held([WEB], start + second)) == []
            pace.repaired([WEB], start + second)
        return pace.news(pace.held([WEB], start + 5))

    assert fight(0.0) == [WEB]
    assert pace.news(pace.held([WEB], 6.0)) == []
    assert fight(200.0) == [WEB]


def test_how_soon_a_failed_pass_is_repeated() -> None:
    conflict, busy = ApiError(409, "Conflict", ""), ApiError(429, "", "", retry_after=7.0)
    assert retry_after(Outcome()) is None
    assert retry_after(failing(ApiError(422, "Invalid", ""))) is None
    assert retry_after(failing(conflict)) == 0.0
    assert retry_after(failing(conflict, ApiError(500, "", ""))) == 0.1
    assert retry_after(failing(conflict, busy)) == 7.0
