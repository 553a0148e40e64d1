"""The Makefile finds a Python that fits, or says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.environment import CHECKOUT
from sandbox.prefect_api import POOL_LIMIT

pytestmark = pytest.mark.long

LOCKS = {"install": "requirements.lock", "install-dev": "requirements-dev.lock"}


def copy_to(directory: Path) -> Path:
    """A directory with the Makefile and lock files without packages."""
    directory.mkdir()
    shutil.copy(CHECKOUT / "Makefile", directory)
    for lock in LOCKS.values():
        (directory / lock).write_text("")
    return directory


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy in which nothing was made yet."""
    return copy_to(tmp_path / "copy")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy after ``make install``."""
    directory = copy_to(tmp_path_factory.mktemp("makefile") / "installed")
    made = make(directory, "install", f"PYTHON={sys.executable}")
    assert made.returncode == 0, made.stderr
    return directory


def make(
    directory: Path, *arguments: str, path: str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    # pip asks a registry, which the machine's own authorities certify.
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=directory,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def change_lock(lock: Path, content: str) -> None:
    lock.write_text(content)
    later = lock.stat().st_mtime + 60
    os.utime(lock, (later, later))


def test_it_makes_an_environment_once(installed: Path) -> None:
    assert (installed / ".venv" / "bin" / "python").exists()
    assert "Nothing to be done" in make(installed, "install").stdout


@pytest.mark.parametrize(("target", "lock"), LOCKS.items())
def test_a_changed_lock_file_is_installed_and_a_package_without_a_hash_refused(
    installed: Path, target: str, lock: str
) -> None:
    change_lock(installed / lock, "colorama==0.4.6\n")
    refused = make(installed, target, f"PYTHON={sys.executable}")
    assert refused.returncode != 0
    assert f"Installing the packages of {lock}" in refused.stdout
    assert "--require-hashes" in refused.stderr
    assert f"Installing the packages of {lock}" in make(installed, target).stdout


def test_what_is_developed_with_is_added_to_a_runtime_when_it_is_needed(copy: Path) -> None:
    for target, lock in LOCKS.items():
        assert f"Installing the packages of {lock}" in make(copy, target, f"PYTHON={sys.executable}").stdout
    assert "Nothing to be done" in make(copy, "install").stdout


def test_without_a_fitting_python_it_says_so(copy: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "python"):  # a Python that is too old answers every question with failure
        program = programs / name
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    for name in ("make", "sh", "echo"):
        (programs / name).symlink_to(str(shutil.which(name)))
    failed = make(copy, "install", path=str(programs))
    assert failed.returncode != 0
    assert "No fitting Python: none of python3 python3.13" in failed.stderr
    assert "make PYTHON=/path/to/python3.12" in failed.stderr
    assert not (copy / ".venv").exists()


def test_a_python_that_is_named_and_does_not_fit_is_refused(copy: Path) -> None:
    failed = make(copy, "install", "PYTHON=/no/such/python")
    assert failed.returncode != 0
    assert "No fitting Python: /no/such/python is" in failed.stderr


@pytest.mark.parametrize("there", [True, False], ids=["a pool is there", "no pool yet"])
def test_deploy_saves_connections_deployments_and_automations_and_leaves_the_limit_of_a_pool_alone(
    copy: Path, there: bool
) -> None:
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "prefect"):  # each says how it was called; none of them asks a server
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "$*" >> calls\ntest "$3" != inspect -o {int(there)} = 1\n')
        program.chmod(0o755)
    (copy / ".venv" / "requirements.installed").touch()
    result = make(copy, "deploy", "CONNECTIONS=other.yaml", "AUTOMATIONS=--notify slack-webhook/platform")
    assert result.returncode == 0, result.stderr
    connect, inspect, *created, deploy, automations = (copy / "calls").read_text().splitlines()
    assert connect == "-m deployments.connect other.yaml"
    assert inspect == "--no-prompt work-pool inspect enablement"
    template = "--base-job-template deployments/work-pool.json"
    made = [
        f"--no-prompt work-pool create enablement --type process {template}",
        f"--no-prompt work-pool set-concurrency-limit enablement {POOL_LIMIT}",
    ]
    renewed = [f"--no-prompt work-pool update enablement {template}"]
    assert created == (renewed if there else made)
    assert deploy == "--no-prompt deploy --all"
    assert automations == "-m deployments.automations --notify slack-webhook/platform"


def test_deploy_without_a_file_of_connections_leaves_them_alone(copy: Path) -> None:
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "prefect"):
        (programs / name).write_text('#!/bin/sh\necho "$*" >> calls\n')
        (programs / name).chmod(0o755)
    (copy / ".venv" / "requirements.installed").touch()
    result = make(copy, "deploy", "CONNECTIONS=")
    assert result.returncode == 0, result.stderr
    calls = (copy / "calls").read_text()
    assert "deployments.connect" not in calls
    assert "--no-prompt deploy --all" in calls
    assert "-m deployments.automations" in calls


def test_the_help_lists_what_people_need(copy: Path) -> None:
    listed = {line.split()[0] for line in make(copy, "help").stdout.splitlines()}
    assert {"deploy", "demo", "test", "test-all", "lint", "bench", "lock", "clean"} <= listed
