"""Nothing that the sandbox starts outlives it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sandbox.ports import free_port, is_free
from sandbox.processes import Child, SandboxError, Supervisor, file_exists, http_answers, write_ready
from tests.eventually import eventually
from tests.lingering import LINGERING
from tests.tables import table

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
import os
import signal
import sys
import time
from pathlib import Path
from sandbox.environment import clean_environment
from sandbox.processes import Supervisor, ending_on_signals, file_exists

# A shell has the jobs that it puts into the background ignore it, and this test then too.
signal.signal(signal.SIGINT, signal.default_int_handler)

directory, family = Path(sys.argv[1]), sys.argv[2]
with ending_on_signals(), Supervisor(directory / "logs") as supervisor:
    pids = directory / "pids"
    supervisor.start("family", [sys.executable, "-c", family, str(pids)],
                     environment=clean_environment(directory / "home"), ready=file_exists(pids))
    while True:
        time.sleep(0.1)
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def none_runs(pids: list[int]) -> Callable[[], bool]:
    return lambda: not any(runs(pid) for pid in pids)


class Family:
    """Starts programs that are told a file, and knows the processes whose ids they write into it."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.supervisor = Supervisor(directory / "logs")
        self._environment = environment
        self._file = directory / "pids"

    def start(self, program: str, *, name: str = "family", **options: object) -> Child:
        """Start a program; by default until its file is there."""
        known = {"ready": file_exists(self._file), **options}
        command = [sys.executable, "-c", program, str(self._file)]
        return self.supervisor.start(name, command, environment=self._environment, **known)  # type: ignore[arg-type]

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in self._file.read_text().split()]


@pytest.fixture
def family(tmp_path: Path, environment: dict[str, str]) -> Iterator[Family]:
    made = Family(tmp_path, environment)
    with made.supervisor:
        yield made


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_leaving_the_block_ends_children_and_grandchildren_in_other_sessions(
    tmp_path: Path, environment: dict[str, str], error: type[BaseException] | None
) -> None:
    family = Family(tmp_path, environment)

    def begin() -> None:
        with family.supervisor:
            family.start(FAMILY)
            assert all(runs(pid) for pid in family.pids)
            if error:
                raise error

    if error:
        with pytest.raises(error):
            begin()
    else:
        begin()
    assert none_runs(family.pids)()


def test_a_child_that_ignores_sigterm_is_killed_after_its_grace(family: Family) -> None:
    child = family.start(STUBBORN, grace=0.2)
    processes = [process.pid for process in child.tree()]
    assert len(processes) == 2
    family.supervisor.stop_all()
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
    eventually(pids.exists)
    family = [int(pid) for pid in pids.read_text().split()]
    assert all(runs(pid) for pid in family)
    supervising.send_signal(number)
    supervising.wait(20)
    eventually(none_runs(family))


def test_the_family_ends_when_its_launcher_is_killed(family: Family) -> None:
    family.start(FAMILY)
    family.supervisor.kill("family")
    eventually(none_runs(family.pids))


def test_what_a_command_leaves_behind_ends_with_it(family: Family) -> None:
    child = family.start(ENDING_FAMILY, ready=None)
    eventually(lambda: child.exit_status is not None)
    assert child.exit_status == 0
    assert none_runs(family.pids)()


@table(
    "program, said",
    {
        "ends early": (
            "import sys; print('no such table'); sys.exit(3)",
            "database ended with status 3.*no such table",
        ),
        "is never ready": (
            f"print('still migrating', flush=True); {LINGERING}",
            "in vain for database to be ready.*still migrating",
        ),
    },
)
def test_a_child_that_does_not_come_up_is_named_with_the_tail_of_its_log(
    family: Family, program: str, said: str
) -> None:
    with pytest.raises(SandboxError, match=f"(?s){said}"):
        family.start(program, name="database", ready=lambda: False, within=2.0)


def test_another_child_that_dies_meanwhile_ends_the_wait(family: Family) -> None:
    family.start("raise SystemExit(7)", name="server", ready=None)
    with pytest.raises(SandboxError, match="server ended with status 7"):
        family.supervisor.wait_until(lambda: False, 20.0, "anything")


def test_a_child_sees_exactly_the_environment_it_is_given(
    family: Family, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "personal")
    seen = tmp_path / "pids"
    family.start(
        "import os, pathlib, sys; pathlib.Path(sys.argv[1]).write_text('\\n'.join(os.environ))",
        ready=lambda: seen.exists() and bool(seen.read_text()),
    )
    # LC_CTYPE is set by the interpreter itself where it coerces the locale.
    assert set(seen.read_text().split()) - {"LC_CTYPE"} == set(environment)


def test_two_children_of_one_name_are_refused(family: Family) -> None:
    family.start(LINGERING, ready=None)
    with pytest.raises(SandboxError, match="'family' is running already"):
        family.start(LINGERING)


def test_a_server_is_ready_once_it_answers_over_http(family: Family, environment: dict[str, str]) -> None:
    port = free_port()
    answers = http_answers(f"http://127.0.0.1:{port}/")
    assert not answers()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    family.supervisor.start("web", command, environment=environment, ready=answers)
    assert not is_free(port)
    family.supervisor.stop("web")
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
