"""When the service looks next, by a clock of our own."""

from __future__ import annotations

from deployments.merge_service.schedule import AGAIN_SECONDS, EVERYTHING, Schedule, Target

INTERVAL, PAUSE = 60.0, 0.5
APPS, OTHER = Target(repositories=frozenset({"o/apps"})), Target(repositories=frozenset({"o/other"}))
NOBODY: frozenset[str] = frozenset()
EMBER = frozenset({"enable emea/ember"})


def started() -> Schedule:
    """A schedule whose first look, at 0, is over."""
    schedule = Schedule(INTERVAL, PAUSE, 0.0)
    assert schedule.take(0.0) == EVERYTHING
    schedule.looked(EVERYTHING, NOBODY, 0.0)
    return schedule


def test_it_looks_at_everything_at_each_interval() -> None:
    schedule = started()
    assert not schedule.take(59.9)
    assert schedule.next_at() == 60.0
    assert schedule.take(60.0) == EVERYTHING
    assert schedule.next_at() == 120.0


def test_it_looks_where_a_delivery_says_at_once_but_not_without_a_pause() -> None:
    schedule = started()
    schedule.hint(APPS)
    assert not schedule.take(0.4)
    assert schedule.take(0.5) == APPS
    schedule.looked(APPS, NOBODY, 10.0)
    schedule.hint(APPS)
    schedule.hint(OTHER)
    schedule.hint(APPS)
    assert schedule.next_at() == 10.5
    assert schedule.take(10.5) == APPS | OTHER
    assert not schedule.take(11.0)


def test_it_tries_runs_that_could_not_be_woken_for_half_a_minute_and_then_leaves_it_to_the_interval() -> None:
    schedule = started()
    schedule.hint(APPS)
    now, looks = 1.0, 0
    while now < 59.0:
        if target := schedule.take(now):
            assert target == APPS
            looks += 1
            schedule.looked(target, EMBER, now)
        now += 0.1
    assert AGAIN_SECONDS / PAUSE * 0.5 < looks <= AGAIN_SECONDS / PAUSE + 2
    assert schedule.take(60.0) == EVERYTHING
    schedule.looked(EVERYTHING, EMBER, 60.0)
    assert schedule.next_at() == 120.0, "the same run again is no reason to hurry"
    assert schedule.take(120.0) == EVERYTHING
    schedule.looked(EVERYTHING, EMBER | {"enable emea/flint"}, 120.0)
    assert schedule.next_at() == 120.5, "another one is"


def test_it_stops_trying_once_they_are_woken() -> None:
    schedule = started()
    schedule.hint(APPS)
    schedule.looked(schedule.take(1.0), EMBER, 1.0)
    schedule.looked(schedule.take(1.5), NOBODY, 1.5)
    assert schedule.next_at() == 60.0


def test_a_failed_look_is_repeated_ever_later_and_hints_do_not_hurry_it() -> None:
    schedule = started()
    schedule.hint(APPS)
    now, pauses = 1.0, []
    for _ in range(10):
        target = schedule.take(now)
        assert target.repositories == APPS.repositories
        schedule.failed(target, now)
        schedule.hint(APPS)
        pauses.append(schedule.next_at() - now)
        now = schedule.next_at()
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    schedule.looked(schedule.take(now), NOBODY, now)
    schedule.hint(APPS)
    assert schedule.next_at() == now + PAUSE


def test_it_only_looks_regularly_as_long_as_github_asks_to_be_left_alone() -> None:
    schedule = started()
    schedule.stay_away(90.0)
    schedule.hint(APPS)
    assert not schedule.take(59.0)
    target = schedule.take(60.0)
    assert target == EVERYTHING | APPS
    schedule.looked(target, EMBER, 60.0)
    schedule.hint(OTHER)
    assert schedule.next_at() == 90.0, "neither a delivery nor a run that could not be woken hurries it"
    assert schedule.take(90.0).repositories == {"o/apps", "o/other"}
