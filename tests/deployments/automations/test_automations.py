"""The command that makes the automations, against a real Prefect server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import Automation, AutomationCore

from deployments.automations.__main__ import main
from deployments.automations.files import read_automations
from deployments.sandbox.prefect_server import PrefectServer
from flows.watch_merges import watch_merges

CRASH = "Crash runs without heartbeat"
LOOK = "Look for landed changes on an event"


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
    assert main([]) == 0
    assert capsys.readouterr().out == f"created {CRASH!r}\ncreated {LOOK!r}\n"
    first = automations()
    assert set(first) == {CRASH, LOOK}
    assert first[LOOK].actions[0].deployment_id == deployment
    assert main([]) == 0
    assert capsys.readouterr().out == f"unchanged {CRASH!r}\nunchanged {LOOK!r}\n"
    assert automations() == first


def test_what_differs_is_updated_and_a_paused_one_stays_paused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main([])
    before = automations()[CRASH]
    with get_client(sync_client=True) as client:
        client.pause_automation(before.id)
    capsys.readouterr()
    assert main(["--silence", "200"]) == 0
    assert capsys.readouterr().out == f"updated {CRASH!r}\nunchanged {LOOK!r}\n"
    after = automations()[CRASH]
    assert (after.id, after.enabled, after.trigger.within.total_seconds()) == (before.id, False, 200.0)


def test_a_waiting_run_and_every_end_of_a_run_is_expected() -> None:
    crash = next(read_automations(lambda name: uuid4()))
    automation = AutomationCore.model_validate(crash)
    names = {name.removeprefix("prefect.flow-run.") for name in crash["trigger"]["expect"]}
    assert {"heartbeat", "Suspended", "Paused", "AwaitingRetry"} <= names
    assert {kind.value.title() for kind in StateType} - {"Running"} <= names
    assert automation.actions[0].state is StateType.CRASHED  # type: ignore[union-attr]
    assert crash["trigger"]["match_related"]["prefect.resource.name"] == ["enable-cluster", "watch-merges"]


def test_a_window_that_prefect_does_not_take_is_refused(
    automations: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--silence", "9"]) == 1
    assert "give 10 seconds or more" in capsys.readouterr().err
    assert automations() == {}


def test_without_the_deployment_nothing_is_made_and_that_is_said(
    automations: Any, deployment: UUID, capsys: pytest.CaptureFixture[str]
) -> None:
    with get_client(sync_client=True) as client:
        client.delete_deployment(deployment)
    assert main([]) == 1
    assert "Run `prefect --no-prompt deploy --all` first" in capsys.readouterr().err
    assert automations() == {}


@pytest.mark.long
def test_prefects_own_command_takes_what_is_printed(
    automations: Any, prefect_harness: PrefectServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--print"]) == 0
    file = tmp_path / "automations.yaml"
    file.write_text(capsys.readouterr().out)
    assert len(yaml.safe_load(file.read_text())["automations"]) == 2
    prefect = os.fspath(Path(sys.executable).with_name("prefect"))
    done = subprocess.run(
        [prefect, "automation", "create", "--from-file", str(file)],
        env=prefect_harness.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert main([]) == 0
    assert capsys.readouterr().out == f"unchanged {CRASH!r}\nunchanged {LOOK!r}\n"
