"""The loop goes on, whatever a look does, and says how it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.merge_service.schedule import EVERYTHING, Target
from deployments.merge_service.service import MergeService
from deployments.merge_service.settings import Settings
from runbook.errors import Unreachable
from tests.deployments.merge_service.conftest import SECONDS, Found, Log, Looks, Sender, eventually
from tests.deployments.merge_service.payloads import REPOSITORY, push

APPS = Target(repositories=frozenset({REPOSITORY}))
DOWN = Unreachable("GitHub", "repository o/apps", "no answer", "Look again later.")


@contextmanager
def serving(settings: Settings, looks: Looks, log: Log) -> Iterator[MergeService]:
    with MergeService(settings, looks, log.logger) as service:
        yield service


def health(service: MergeService) -> httpx.Response:
    return httpx.get(f"{service.url}/healthz", timeout=SECONDS, trust_env=False)


def failing_until(number: int, error: Exception) -> Callable[[int, str | None], Found]:
    def finds(look: int, _repository: str | None) -> Found:
        if look < number:
            raise error
        return Found(waiting=3)

    return finds


@pytest.mark.parametrize(
    "error",
    [DOWN, httpx.ConnectError("All connection attempts failed"), RuntimeError("a fault of our own")],
    ids=lambda error: type(error).__name__,
)
def test_a_look_that_fails_is_said_once_and_made_up_for(
    connected: None, settings: Settings, log: Log, error: Exception
) -> None:
    looks = Looks(failing_until(4, error))
    with serving(settings, looks, log) as service:
        assert looks.wait_for(4) == [None] * 4
        eventually(lambda: health(service).status_code == 200, lambda: health(service).text)
        assert health(service).json()["waiting"] == 3
    assert log.text.count(str(error)) <= 2  # the line, and the traceback of a fault
    assert log.text.count("WARNING look:") == 1
    assert "look: well again." in log.text
    assert ("report it" in log.text) is isinstance(error, RuntimeError)


def test_a_run_that_cannot_be_woken_yet_is_tried_again(connected: None, settings: Settings, log: Log) -> None:
    def finds(number: int, repository: str | None) -> Found:
        return Found(again=("enable emea/ember",)) if repository and number < 6 else Found()

    looks = Looks(finds)
    with serving(settings, looks, log) as service:
        looks.wait_for(1)
        service.loop.hint(APPS)
        assert looks.wait_for(6) == [None, *[REPOSITORY] * 5]


def test_a_long_look_makes_room_for_a_delivery_and_is_taken_up_again(
    connected: None, settings: Settings, log: Log
) -> None:
    other = "operate-first/other"
    wanted: list[bool] = []

    def finds(number: int, repository: str | None) -> Found:
        if number == 2:
            wanted.append(looks.is_wanted_elsewhere())
            service.loop.hint(Target(repositories=frozenset({other})))
            wanted.append(looks.is_wanted_elsewhere())
            return Found(unfinished=True)
        return Found()

    looks = Looks(finds)
    with serving(settings, looks, log) as service:
        looks.wait_for(1)
        assert not looks.is_wanted_elsewhere(), "the regular look ends in any case"
        service.loop.hint(APPS)
        assert looks.wait_for(4) == [None, REPOSITORY, *sorted([REPOSITORY, other])]
    assert wanted == [False, True]


def test_it_stays_away_from_github_as_long_as_it_is_asked_to(
    connected: None, settings: Settings, log: Log
) -> None:
    looks = Looks()
    until = looks.not_before = time.monotonic() + 1.5
    with serving(settings, looks, log) as service:
        looks.wait_for(1)
        service.loop.hint(APPS)
        looks.wait_for(2)
        assert looks.at[1] >= until
        assert "GitHub asks to be left alone" in log.text


def test_what_cannot_be_read_is_told_without_its_details(
    connected: None, settings: Settings, log: Log
) -> None:
    looks = Looks(lambda _number, _repository: Found(waiting=1, problems=(DOWN,)))
    with serving(settings, looks, log) as service:
        eventually(lambda: health(service).status_code == 200, lambda: health(service).text)
        assert health(service).json()["problems"] == ["GitHub, repository o/apps"]
        for _ in range(3):
            service.loop.hint(EVERYTHING)
            looks.wait_for(len(looks.asked) + 1)
    assert log.text.count("no answer") == 1


def test_it_is_not_healthy_before_a_look_has_succeeded(connected: None, settings: Settings, log: Log) -> None:
    looks = Looks(failing_until(10**9, DOWN))
    with serving(replace(settings, pause=5.0), looks, log) as service:
        looks.wait_for(1)
        answer = health(service)
        assert (answer.status_code, answer.json()["reason"]) == (503, "no look has succeeded yet")
        assert answer.json()["status"] == "failing"
        assert "no answer" not in answer.text


def test_without_a_prefect_server_it_runs_and_takes_deliveries_for_everything(
    settings: Settings, log: Log
) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
        looks = Looks()
        with serving(settings, looks, log) as service:
            looks.wait_for(1)
            sender = Sender(service.url, looks)
            assert sender.send("push", push("refs/heads/master")).json() == {"message": "looking"}
            assert looks.wait_for(2) == [None, None]
    assert "WARNING repositories: ConnectError" in log.text
    assert "WARNING stuck runs: ConnectError" in log.text


def test_it_ends_at_once_while_nothing_is_under_way(connected: None, settings: Settings, log: Log) -> None:
    looks = Looks()
    with serving(settings, looks, log) as service:
        looks.wait_for(1)
        eventually(lambda: health(service).status_code == 200, lambda: health(service).text)
    assert not service.is_alive()
    assert service.loop.health().reason == "the loop has ended"
    assert "left unfinished" not in log.text
