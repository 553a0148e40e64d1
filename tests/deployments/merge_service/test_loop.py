"""The loop goes on, whatever a look does, and says how it is."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from change.gate.watch import Round
from runbook.errors import Unreachable
from sandbox.prefect_server import PrefectServer
from tests.deployments.merge_service.conftest import NOTHING, Log, Looks, Sender, serving
from tests.deployments.merge_service.payloads import REPOSITORY, push
from tests.eventually import eventually
from tests.prefect_wire import TOO_LARGE, Wire

DOWN = Unreachable("GitHub", "repository o/apps", "no answer", "Look again later.")


def failing_until(number: int, error: Exception) -> Callable[[int, str | None], Round]:
    def finds(look: int, _repository: str | None) -> Round:
        if look < number:
            raise error
        return Round(waiting=3)

    return finds


@pytest.mark.parametrize(
    "error",
    [httpx.ConnectError("All connection attempts failed"), RuntimeError("a fault of our own")],
    ids=lambda error: type(error).__name__,
)
def test_a_look_that_fails_is_said_and_made_up_for(connected: None, log: Log, error: Exception) -> None:
    looks = Looks(failing_until(4, error))
    with serving(looks, log) as service:
        assert looks.wait_for(4) == [None] * 4
        eventually(lambda: service.health.status_code == 200, lambda: service.health.text)
        assert service.health.json()["waiting"] == 3
    assert f"WARNING check failed: {type(error).__name__}: {error}" in log.text
    assert ("Traceback" in log.text) is isinstance(error, RuntimeError)


def test_runs_are_woken_although_the_list_of_repositories_is_refused(
    prefect_harness: PrefectServer, log: Log
) -> None:
    looks = Looks(lambda _number, _repository: Round(waiting=3))
    with Wire(prefect_harness.port) as wire, temporary_settings({PREFECT_API_URL: wire.api_url}):
        wire.refuse(b"/block_", times=20, answer=TOO_LARGE)
        with serving(looks, log) as service:
            assert looks.wait_for(1) == [None]
            eventually(lambda: service.health.status_code == 200, lambda: service.health.text)
    assert wire.struck.is_set()
    assert "WARNING repositories not read: " in log.text


def test_a_run_that_cannot_be_woken_yet_is_tried_again(connected: None, log: Log) -> None:
    def finds(number: int, repository: str | None) -> Round:
        return Round(waiting=1, again=("enable emea/ember",)) if repository and number < 6 else NOTHING

    looks = Looks(finds)
    with serving(looks, log) as service:
        looks.wait_for(1)
        service.loop.hint([REPOSITORY])
        assert looks.wait_for(6) == [None, *[REPOSITORY] * 5]


def test_a_long_look_makes_room_for_a_delivery_and_is_taken_up_again(connected: None, log: Log) -> None:
    other = "operate-first/other"
    wanted: list[bool] = []

    def finds(number: int, repository: str | None) -> Round:
        if number == 2:
            wanted.append(looks.is_wanted_elsewhere())
            service.loop.hint([other])
            wanted.append(looks.is_wanted_elsewhere())
            return Round(waiting=1, unfinished=True)
        return NOTHING

    looks = Looks(finds)
    with serving(looks, log) as service:
        looks.wait_for(1)
        assert not looks.is_wanted_elsewhere(), "the regular look ends in any case"
        service.loop.hint([REPOSITORY])
        assert looks.wait_for(4) == [None, REPOSITORY, *sorted([REPOSITORY, other])]
    assert wanted == [False, True]


def test_what_cannot_be_read_is_told_without_its_details(connected: None, log: Log) -> None:
    looks = Looks(lambda _number, _repository: Round(waiting=1, problems=(DOWN,)))
    with serving(looks, log) as service:
        eventually(lambda: service.health.status_code == 200, lambda: service.health.text)
        assert service.health.json()["problems"] == ["GitHub, repository o/apps"]
        assert "no answer" in log.text
        assert "no answer" not in service.health.text


def test_without_a_prefect_server_it_runs_answers_and_is_not_healthy(connected: None, log: Log) -> None:
    looks = Looks()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}), serving(looks, log) as service:
        eventually(lambda: "WARNING check failed: ConnectError" in log.text, lambda: log.text)
        assert Sender(service.url, looks).send("push", push("refs/heads/master")).status_code == 202
        health = service.health
        assert (health.status_code, health.json()["status"]) == (503, "failing")
        assert health.json()["reason"] == "no check has succeeded yet"
        assert looks.asked == []


def test_a_burst_of_deliveries_is_one_look(connected: None, log: Log) -> None:
    with serving(Looks(), log, pause=1.0) as service:
        service.looks.wait_for(1)
        for _ in range(20):
            service.loop.hint([REPOSITORY])
        assert service.looks.wait_for(2) == [None, REPOSITORY]
        eventually(lambda: service.health.status_code == 200, lambda: service.health.text)
    assert service.loop.health()["reason"] == "the loop has ended"
    assert len(service.looks.asked) == 2
