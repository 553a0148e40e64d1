"""What becomes of a run at the gate when worker, server and service end, or their code is replaced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook.gate import LABEL
from sandbox.environment import CHECKOUT
from sandbox.prefect_server import PrefectServer
from tests.e2e.flow_processes import flow_processes, worker
from tests.engineer import Engineer
from tests.merge_service import Service
from tests.prefect_wire import Wire
from tests.waiting import AtTheGate, Start

pytestmark = pytest.mark.e2e


@pytest.fixture
def without_worker(engineer: Engineer) -> Iterator[PrefectServer]:
    """No worker runs but those that the test starts; the session's own comes back at the end."""
    engineer.server.stop_worker()
    yield engineer.server
    engineer.server.start_worker()


def test_server_worker_and_service_are_restarted_while_it_waits_without_a_process(
    start: Start, service: Service
) -> None:
    service.start()  # it looks once, and then only when it is told to
    waiting = start(sync_timeout="10m")
    server = waiting.engineer.server
    waiting.eventually(lambda: flow_processes(server, waiting.id) == [])
    server.stop_worker()
    server.restart()
    server.start_worker()
    service.stop()
    service.start()
    assert waiting.run()["state"]["name"] == "Suspended"
    waiting.world.github.webhooks.append(service.webhook)
    assert waiting.rest(waiting.land) == "Completed", waiting.log()
    assert {delivery.status for delivery in waiting.world.github.deliveries} == {202}
    assert "enable emea/ember was woken: " in service.log
    assert waiting.each_step_ran_once()


def newer_code(folder: Path) -> Path:
    """A checkout of a version that keeps more of a waiting run than this one."""
    shutil.copytree(
        CHECKOUT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "bench")
    )
    module = folder / "runbook" / "gate.py"
    field = "    passed: bool = False\n"
    text = module.read_text()
    assert text.count(field) == 1
    module.write_text(text.replace(field, f'{field}    written_by: str = "the newer version"\n'))
    return folder


def record_of(waiting: AtTheGate) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(waiting.run()["labels"][LABEL])
    return found


def test_newer_code_takes_over_a_run_that_waits_whether_or_not_it_can_read_its_record(
    waiting: AtTheGate, without_worker: PrefectServer, tmp_path: Path
) -> None:
    older = record_of(waiting)
    checkout = str(newer_code(tmp_path / "newer"))
    # With one slot, which a run that waits does not hold.
    with worker(without_worker, "newer", limit=1, ENABLEMENT_CHECKOUT=checkout):
        waiting.push_to_base(lambda text: f"{text}# said by somebody\n")
        assert waiting.woken() == "Suspended", waiting.log()
        newer = record_of(waiting)
        assert newer["written_by"] == "the newer version"
        assert newer["since"] == older["since"], "it has waited as long as before"
        assert waiting.look().woken == (), "the watcher of the older version reads what the newer one kept"
        # As by a version that keeps something else altogether.
        waiting.engineer.api.request("PATCH", f"/flow_runs/{waiting.id}/labels", {LABEL: "{}"})
        waiting.world.merge()
        waiting.go_on()
        assert waiting.said("Resumed: it has no record that this version can read"), waiting.log()
        assert waiting.each_step_ran_once()
        assert len(waiting.world.pulls()) == 1


@pytest.mark.usefixtures("automations")
def test_a_run_whose_worker_is_killed_while_it_resumes_it_is_set_free_by_an_automation(
    waiting: AtTheGate, without_worker: PrefectServer
) -> None:
    carried = waiting.run()["empirical_policy"]
    waiting.land()
    with Wire(without_worker.port) as wire:
        without_worker.start_worker("doomed", PREFECT_API_URL=wire.api_url)
        wire.once(
            b"/set_state",
            b'"PENDING"',
            act=lambda: without_worker.kill_worker("doomed"),
            pass_on=True,
        )
        assert waiting.look().woken == ("enable emea/ember",)
        assert wire.struck.wait(180)
    # Prefect by itself leaves it so for ever: no worker takes a run that is Pending.
    assert waiting.run()["state"]["type"] == "PENDING"
    with worker(without_worker, "spare"):
        state = waiting.engineer.await_state(waiting.id, "Completed", "Failed")
        assert state == "Completed", waiting.log()
    assert waiting.run()["empirical_policy"]["pause_keys"] == carried["pause_keys"]
    said = [str(state["message"]) for state in waiting.states() if state["name"] == "Scheduled"]
    assert any("Scheduled again by an automation" in message for message in said), said
    assert waiting.each_step_ran_once()
    assert len(waiting.world.pulls()) == 1


def test_cancel_in_the_ui_ends_it(waiting: AtTheGate) -> None:
    state = {"state": {"type": "CANCELLING"}}
    waiting.engineer.api.request("POST", f"/flow_runs/{waiting.id}/set_state", state)
    assert waiting.engineer.await_state(waiting.id, "Cancelled") == "Cancelled"
    waiting.world.merge()
    assert waiting.look().waiting == 0
