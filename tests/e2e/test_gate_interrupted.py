"""What is killed, restarted or replaced while a run waits at the gate, or goes in or out."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.traffic import Traffic
from runbook.gate import LABEL
from sandbox.environment import CHECKOUT
from sandbox.github_api import Webhook
from sandbox.prefect_server import PrefectServer
from tests.engineer import Engineer
from tests.merge_service import Service
from tests.prefect_wire import Wire
from tests.waiting import AtTheGate, Start
from tests.world import World

pytestmark = pytest.mark.e2e

WATCH = "watch-merges/watch-merges"
STEPS = (
    "write policies",
    "write group and alias",
    "enable auth method",
    "configure auth method",
    "write role",
)


@pytest.fixture
def without_worker(engineer: Engineer) -> Iterator[PrefectServer]:
    """No worker runs but those that the test starts; the session's own comes back at the end."""
    engineer.server.stop_worker()
    yield engineer.server
    engineer.server.start_worker()


@contextlib.contextmanager
def worker(server: PrefectServer, name: str, **options: Any) -> Iterator[None]:
    """A worker of the test's own, which is gone at its end, however that is."""
    server.start_worker(name, **options)
    try:
        yield
    finally:
        server.stop_worker(name)


def each_step_ran_once(waiting: AtTheGate) -> bool:
    """Whether every step that writes to Vault completed once, and none was even started again."""
    return all(Counter(waiting.task_states(step)) == {"Completed": 1} for step in STEPS)


def test_server_worker_and_service_are_restarted_while_it_waits(waiting: AtTheGate, service: Service) -> None:
    service.start(interval=1.0)
    server = waiting.engineer.server
    server.stop_worker()
    server.restart()
    server.start_worker()
    service.stop()
    service.start(interval=1.0)
    waiting.world.sync()

    def merge() -> None:
        waiting.world.merge()
        waiting.world.sync()

    assert waiting.rest(merge) == "Completed", waiting.log()
    assert each_step_ran_once(waiting)


def test_a_run_that_waits_has_no_process(waiting: AtTheGate) -> None:
    def processes() -> list[str]:
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if waiting.id in process.environ().values():
                    found.append(" ".join(process.cmdline()))
        return found

    waiting.eventually(lambda: processes() == [])
    assert waiting.run()["state"]["name"] == "Suspended"


def test_a_run_that_waits_holds_no_slot_of_its_worker(without_worker: PrefectServer, begin: Start) -> None:
    with worker(without_worker, "one-at-a-time", limit=1):
        first = begin()
        assert first.rest() == "Suspended", first.log()
        waits = first.run()["state"]["id"]
        second = begin()
        assert second.rest() == "Suspended", second.log()
        assert first.run()["state"]["id"] == waits, "nothing was taken from the first"


def only_of_pull_requests(service: Service) -> Webhook:
    """So that a merge is announced once: its push to the base branch would have the service look again."""
    return replace(service.webhook, events=("pull_request",))


def test_a_merge_that_is_announced_between_a_runs_look_and_its_suspension_is_not_lost(
    without_worker: PrefectServer, engineer: Engineer, world: World, service: Service, begin: Start
) -> None:
    service.start()
    with (
        Wire(without_worker.port) as wire,
        worker(without_worker, "held", PREFECT_API_URL=wire.api_url),
    ):
        wire.hold(b"/set_state", b'"PAUSED"')
        run = begin(sync_timeout="10m")
        assert wire.struck.wait(180)
        world.github.webhooks.append(only_of_pull_requests(service))
        before = time.monotonic()
        world.merge()
        run.eventually(lambda: service.has_looked_since(before))
        assert run.run()["state"]["name"] == "Running"
        assert "was woken" not in service.log
        wire.release()
        world.sync()
        assert engineer.await_state(run.id, "Completed", "Failed") == "Completed", run.log()
    assert "enable emea/ember was woken: pull request #1 was merged or closed" in service.log
    assert each_step_ran_once(run)


def test_a_merge_that_is_announced_while_the_server_is_busy_is_not_lost(
    waiting: AtTheGate, service: Service
) -> None:
    with Wire(waiting.engineer.server.port) as wire:
        service.start(PREFECT_API_URL=wire.api_url)
        waiting.world.github.webhooks.append(only_of_pull_requests(service))
        wire.refuse(b"/resume", b'"run_input"', times=2)  # Prefect's client asks a second time by itself
        waiting.world.merge()
        waiting.world.sync()
        state = waiting.engineer.await_state(waiting.id, "Completed", "Failed")
        assert state == "Completed", waiting.log() + service.log
    assert "(pull request #1 was merged or closed): Prefect answered 503" in service.log
    assert service.log.count("enable emea/ember was woken") == 1
    assert each_step_ran_once(waiting)


def test_the_same_merge_announced_by_all_at_once_goes_on_once(waiting: AtTheGate, service: Service) -> None:
    api, traffic = waiting.engineer.api, Traffic(waiting.world)
    waiting.world.github.webhooks.append(service.webhook)
    service.start(interval=1.0)

    def announce() -> None:
        waiting.world.merge()  # which the service is told by the webhook, and sees when it polls
        watcher = waiting.engineer.start(WATCH)
        assert api.resume(waiting.id) in {"ACCEPT", "ABORT"}
        waiting.world.sync()
        assert waiting.engineer.await_state(watcher, "Completed") == "Completed"

    assert waiting.rest(announce) == "Completed", waiting.log()
    assert each_step_ran_once(waiting)
    written = Counter(line for line in traffic.writes() if line.startswith("Vault"))
    assert written, "Vault was written to"
    assert set(written.values()) == {1}, written


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
    with worker(without_worker, "newer", ENABLEMENT_CHECKOUT=str(newer_code(tmp_path / "newer"))):
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
        assert each_step_ran_once(waiting)
        assert len(waiting.world.pulls()) == 1


@pytest.mark.parametrize("reached", [False, True])
def test_a_worker_killed_while_it_suspends_a_run_loses_nothing(
    without_worker: PrefectServer, world: World, begin: Start, reached: bool
) -> None:
    with Wire(without_worker.port) as wire:
        without_worker.start_worker("doomed", PREFECT_API_URL=wire.api_url)
        wire.once(
            b"/set_state",
            b'"PAUSED"',
            act=lambda: without_worker.kill_worker("doomed"),
            pass_on=reached,
        )
        run = begin()
        assert wire.struck.wait(180)
    without_worker.start_worker("spare")
    world.merge()
    if reached:
        run.go_on()
    else:
        # Nobody executes it and it does not know: the automation for such runs marks it as crashed. A new
        # run takes over; it finds the change where it is.
        assert run.run()["state"]["name"] == "Running"
        world.sync()
        again = begin()
        assert again.rest() == "Completed", again.log()
    assert len(world.pulls()) == 1
    without_worker.stop_worker("spare")


@pytest.mark.usefixtures("automations")
def test_a_run_whose_worker_is_killed_while_it_resumes_it_is_set_free_by_an_automation(
    waiting: AtTheGate, without_worker: PrefectServer
) -> None:
    carried = waiting.run()["empirical_policy"]
    waiting.world.merge()
    waiting.world.sync()
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
    without_worker.start_worker("spare")
    state = waiting.engineer.await_state(waiting.id, "Completed", "Failed")
    assert state == "Completed", waiting.log()
    assert waiting.run()["empirical_policy"]["pause_keys"] == carried["pause_keys"]
    said = [str(state["message"]) for state in waiting.states() if state["name"] == "Scheduled"]
    assert any("Scheduled again by an automation" in message for message in said), said
    assert each_step_ran_once(waiting)
    assert len(waiting.world.pulls()) == 1
    without_worker.stop_worker("spare")


def test_cancel_in_the_ui_ends_it(waiting: AtTheGate) -> None:
    state = {"state": {"type": "CANCELLING"}}
    waiting.engineer.api.request("POST", f"/flow_runs/{waiting.id}/set_state", state)
    assert waiting.engineer.await_state(waiting.id, "Cancelled") == "Cancelled"
    waiting.world.merge()
    assert waiting.look().waiting == 0
