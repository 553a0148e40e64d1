"""The command that makes the automations, against a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import Automation

from deployments.automations.__main__ import main, read_automations
from flows.watch_merges import watch_merges
from sandbox.prefect_server import PrefectServer

CRASH = "Crash runs without heartbeat"
STUCK = "Schedule stuck runs again"
LOOK = "Look for landed changes on an event"
UNCHANGED = f"unchanged {CRASH!r}\nunchanged {STUCK!r}\nunchanged {LOOK!r}\n"


@pytest.fixture
def deployment(prefect_harness: PrefectServer) -> UUID:
    """The deployment that an automation runs, as `prefect deploy` names it."""
    with get_client(sync_client=True) as client:
        flow = client.create_flow(watch_merges)
        return client.create_deployment(flow, name="watch-merges")


@pytest.fixture
def automations(deployment: UUID) -> Iterator[Any]:
    def found() -> dict[str, Automation]:
        with get_client(sync_client=True) as client:
            return {one.name: one for one in client.read_automations()}

    yield found
    with get_client(sync_client=True) as client:
        for one in found().values():
            client.delete_automation(one.id)


def test_they_are_created_once_and_then_left_alone(
    automations: Any, deployment: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    assert capsys.readouterr().out == f"created {CRASH!r}\ncreated {STUCK!r}\ncreated {LOOK!r}\n"
    first = automations()
    assert set(first) == {CRASH, STUCK, LOOK}
    assert first[LOOK].actions[0].deployment_id == deployment
    main([])
    assert capsys.readouterr().out == UNCHANGED
    assert automations() == first


def test_what_differs_is_updated_and_a_paused_one_stays_paused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    before = automations()[CRASH]
    with get_client(sync_client=True) as client:
        client.pause_automation(before.id)
    capsys.readouterr()
    main(["--silence", "200", "--pending", "300"])
    assert capsys.readouterr().out == f"updated {CRASH!r}\nupdated {STUCK!r}\nunchanged {LOOK!r}\n"
    after = automations()[CRASH]
    assert (after.id, after.enabled, after.trigger.within.total_seconds()) == (before.id, False, 200.0)
    assert automations()[STUCK].trigger.within.total_seconds() == 300.0


def test_a_waiting_run_and_every_end_of_a_run_is_expected() -> None:
    crash = next(read_automations(lambda name: uuid4(), {}))
    trigger: Any = crash.trigger
    names = {name.removeprefix("prefect.flow-run.") for name in trigger.expect}
    assert {"heartbeat", "Suspended", "Paused", "AwaitingRetry"} <= names
    assert {kind.value.title() for kind in StateType} - {"Running"} <= names
    assert trigger.match_related["prefect.resource.name"] == [
        "enable-cluster",
        "enable-namespace",
        "watch-merges",
    ]


def test_a_window_that_prefect_does_not_take_is_refused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--silence", "9"])
    assert "give 10 seconds or more" in capsys.readouterr().err
    assert automations() == {}


def test_without_the_deployment_nothing_is_made_and_that_is_said(automations: Any, deployment: UUID) -> None:
    with get_client(sync_client=True) as client:
        client.delete_deployment(deployment)
    with pytest.raises(SystemExit, match="Run `prefect --no-prompt deploy --all` first"):
        main([])
    assert automations() == {}
