"""What is killed, restarted or replaced while a run waits at the gate, or goes in or out."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.sandbox.environment import CHECKOUT
from deployments.sandbox.github_api import Webhook
from deployments.sandbox.prefect_server import PrefectServer
from tests.e2e.conftest import Engineer
from tests.e2e.merge_service import SECRET, Service
from tests.e2e.prefect_wire import Wire
from tests.e2e.waiting import AtTheGate
from tests.traffic import Traffic
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
def waiting(engineer: Engineer, world: World, tmp_path: Path) -> AtTheGate:
    (tmp_path / "people").mkdir()
    made = AtTheGate(engineer, world, tmp_path / "people")
    assert made.rest() == "Suspended", made.log()
    return made


@pytest.fixture
def without_worker(engineer: Engineer) -> Iterator[PrefectServer]:
    """No worker runs but those that the test starts; the session's own comes back at the end."""
    engineer.server.stop_worker()
    yield engineer.server
    engineer.server.start_worker()


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


def test_the_same_merge_announced_by_all_at_once_goes_on_once(waiting: AtTheGate, service: Service) -> None:
    api, traffic = waiting.engineer.api, Traffic(waiting.world)
    waiting.world.github.webhooks.append(Webhook(f"{service.url}/webhook", SECRET))
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


def test_newer_code_takes_over_a_run_that_waits(
    waiting: AtTheGate, without_worker: PrefectServer, tmp_path: Path
) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(
        CHECKOUT, newer, ignore=shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "bench")
    )
    step = newer / "tasks" / "policies.py"
    marked = step.read_text().replace("    log_changes(changes)\n", "    log_changes(changes)  # newer\n", 1)
    assert "# newer" in marked
    step.write_text(marked)
    without_worker.start_worker("newer", ENABLEMENT_CHECKOUT=str(newer))
    waiting.world.merge()
    waiting.go_on()
    assert each_step_ran_once(waiting)
    without_worker.stop_worker("newer")


@pytest.mark.parametrize("reached", [False, True])
def test_a_worker_killed_while_it_suspends_a_run_loses_nothing(
    without_worker: PrefectServer, engineer: Engineer, world: World, tmp_path: Path, reached: bool
) -> None:
    with Wire(without_worker.port) as wire:
        without_worker.start_worker("doomed", PREFECT_API_URL=wire.api_url)
        wire.once(
            b"/set_state",
            b'"PAUSED"',
            act=lambda: without_worker.kill_worker("doomed"),
            pass_on=reached,
        )
        (tmp_path / "people").mkdir()
        run = AtTheGate(engineer, world, tmp_path / "people")
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
        again = AtTheGate(engineer, world, tmp_path / "people")
        assert again.rest() == "Completed", again.log()
    assert len(world.pulls()) == 1
    without_worker.stop_worker("spare")


def test_a_run_whose_worker_is_killed_while_it_resumes_it_is_set_free_by_the_service(
    waiting: AtTheGate, without_worker: PrefectServer, service: Service
) -> None:
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
    without_worker.start_worker("spare")
    # Prefect leaves it so for ever: no worker takes a run that is Pending.
    assert waiting.run()["state"]["type"] == "PENDING"
    assert waiting.rest(lambda: service.start(interval=2.0, pending_limit=5.0)) == "Completed", waiting.log()
    assert "enable emea/ember was stuck in " in service.log
    assert each_step_ran_once(waiting)
    assert len(waiting.world.pulls()) == 1
    without_worker.stop_worker("spare")
