"""Nothing that the sandbox starts outlives it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deployments.sandbox.environment import clean_environment
from deployments.sandbox.ports import free_port, is_free
from deployments.sandbox.processes import SandboxError, Supervisor, file_exists, http_answers, write_ready
from tests.lingering import LINGERING

# Starts a grandchild in a session of its own, as a Prefect worker does with flow runs, and tells both pids.
ENDING_FAMILY = f"""
import os, pathlib, subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", {LINGERING!r}], start_new_session=True)
pathlib.Path(sys.argv[1] + ".draft").write_text(str(os.getpid()) + " " + str(grandchild.pid))
os.rename(sys.argv[1] + ".draft", sys.argv[1])
"""
FAMILY = ENDING_FAMILY + LINGERING

STUBBORN = f"""
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("")
{LINGERING}
"""

# A program that supervises the family above, for tests that end the supervisor itself.
SUPERVISING = """
import signal
import sys
from pathlib import Path
from deployments.sandbox.environment import clean_environment
from deployments.sandbox.processes import Supervisor, ending_on_signals, file_exists

# A shell has the jobs that it puts into the background ignore it, and this test then too.
signal.signal(signal.SIGINT, signal.default_int_handler)

directory, family = Path(sys.argv[1]), sys.argv[2]
with ending_on_signals(), Supervisor(directory / "logs") as supervisor:
    pids = directory / "pids"
    supervisor.start("family", [sys.executable, "-c", family, str(pids)],
                     environment=clean_environment(directory / "home"), ready=file_exists(pids))
    supervisor.watch()
"""


def eventually(condition: Callable[[], bool], within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def none_runs(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(runs(pid) for pid in pids)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return clean_environment(tmp_path / "home")


def test_leaving_the_block_ends_children_and_grandchildren_in_other_sessions(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    pids = tmp_path / "pids"
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start(
            "family",
            [sys.executable, "-c", FAMILY, str(pids)],
            environment=environment,
            ready=file_exists(pids),
        )
        family = [int(pid) for pid in pids.read_text().split()]
        assert all(runs(pid) for pid in family)
    assert none_runs(family)()


def test_an_error_in_the_block_ends_the_children_too(tmp_path: Path, environment: dict[str, str]) -> None:
    pids = tmp_path / "pids"

    def fail() -> None:
        with Supervisor(tmp_path / "logs") as supervisor:
            supervisor.start(
                "family",
                [sys.executable, "-c", FAMILY, str(pids)],
                environment=environment,
                ready=file_exists(pids),
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert none_runs([int(pid) for pid in pids.read_text().split()])()


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    started = tmp_path / "started"
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start(
            "stubborn",
            [sys.executable, "-c", STUBBORN, str(started)],
            environment=environment,
            ready=file_exists(started),
            grace=0.2,
        )
        processes = [process.pid for process in child.tree()]
        assert len(processes) == 2
    assert none_runs(processes)()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_family_ends_when_the_supervising_process_gets(
    number: signal.Signals, tmp_path: Path, environment: dict[str, str]
) -> None:
    supervising = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING, str(tmp_path), FAMILY],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pids = tmp_path / "pids"
    assert eventually(pids.exists)
    family = [int(pid) for pid in pids.read_text().split()]
    assert all(runs(pid) for pid in family)
    supervising.send_signal(number)
    supervising.wait(20)
    assert eventually(none_runs(family))


def test_the_family_ends_when_its_launcher_is_killed(tmp_path: Path, environment: dict[str, str]) -> None:
    pids = tmp_path / "pids"
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start(
            "family",
            [sys.executable, "-c", FAMILY, str(pids)],
            environment=environment,
            ready=file_exists(pids),
        )
        family = [int(pid) for pid in pids.read_text().split()]
        supervisor.kill("family")
        assert eventually(none_runs(family))


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path, environment: dict[str, str]) -> None:
    pids = tmp_path / "pids"
    with Supervisor(tmp_path / "logs") as supervisor:
        child = supervisor.start(
            "ending", [sys.executable, "-c", ENDING_FAMILY, str(pids)], environment=environment
        )
        assert eventually(lambda: child.exit_status is not None)
        assert child.exit_status == 0
        assert none_runs([int(pid) for pid in pids.read_text().split()])()


def test_a_child_that_ends_early_is_named_with_the_tail_of_its_log(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    program = "import sys; print('no such table'); sys.exit(3)"
    with (
        Supervisor(tmp_path / "logs") as supervisor,
        pytest.raises(SandboxError, match=r"(?s)database ended with status 3.*no such table"),
    ):
        supervisor.start(
            "database", [sys.executable, "-c", program], environment=environment, ready=lambda: False
        )


def test_a_child_that_is_never_ready_is_reported_with_its_log(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    program = f"print('still migrating', flush=True); {LINGERING}"
    with (
        Supervisor(tmp_path / "logs") as supervisor,
        pytest.raises(SandboxError, match=r"(?s)in vain for database to be ready.*still migrating"),
    ):
        supervisor.start(
            "database",
            [sys.executable, "-c", program],
            environment=environment,
            ready=lambda: False,
            within=1.0,
        )


def test_another_child_that_dies_meanwhile_ends_the_wait(tmp_path: Path, environment: dict[str, str]) -> None:
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start("server", [sys.executable, "-c", "raise SystemExit(7)"], environment=environment)
        with pytest.raises(SandboxError, match="server ended with status 7"):
            supervisor.wait_until(lambda: False, 20.0, "anything")


def test_a_child_sees_exactly_the_environment_it_is_given(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "personal")
    seen = tmp_path / "seen"
    program = "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text('\\n'.join(os.environ))"
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start(
            "child",
            [sys.executable, "-c", program, str(seen)],
            environment=environment,
            ready=lambda: seen.exists() and bool(seen.read_text()),
        )
    # LC_CTYPE is set by the interpreter itself where it coerces the locale.
    assert set(seen.read_text().split()) - {"LC_CTYPE"} == set(environment)


def test_two_children_of_one_name_are_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", LINGERING]
    with Supervisor(tmp_path / "logs") as supervisor:
        supervisor.start("worker", command, environment=environment)
        with pytest.raises(SandboxError, match="'worker' is running already"):
            supervisor.start("worker", command, environment=environment)


def test_a_server_is_ready_once_it_answers_over_http(tmp_path: Path, environment: dict[str, str]) -> None:
    port = free_port()
    answers = http_answers(f"http://127.0.0.1:{port}/")
    assert not answers()
    with Supervisor(tmp_path / "logs") as supervisor:
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
        supervisor.start("web", command, environment=environment, ready=answers)
        assert not is_free(port)
    assert is_free(port)


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = free_port(port)
        assert other != port
        assert is_free(other)
    assert free_port(port) == port


def test_a_ready_file_appears_complete(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    write_ready(ready, {"address": "https://127.0.0.1:1"})
    assert ready.read_text() == '{\n  "address": "https://127.0.0.1:1"\n}\n'
    assert list(tmp_path.iterdir()) == [ready]
