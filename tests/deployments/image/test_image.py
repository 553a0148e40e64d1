"""The image's files, made as the Containerfile makes them, and run as OpenShift's `restricted-v2` does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prefect.settings import PREFECT_API_URL, temporary_settings

from sandbox.ports import ANSWER_SECONDS, free_port
from sandbox.prefect_server import WORK_POOL, PrefectServer
from sandbox.processes import Supervisor, http_answers
from sandbox.vault_server import VaultServer
from tests.deployments.image.built import Built, Container
from tests.engineer import Engineer
from tests.world import World

pytestmark = [pytest.mark.long, pytest.mark.download]

COMMANDS = (
    "deployments.automations",
    "deployments.connect",
    "deployments.merge_service",
    "deployments.openshift.account",
    "deployments.openshift.kubeconfig",
    "deployments.runs",
    "deployments.vault.policy",
)
HELP = """
import contextlib, runpy, sys

for command in sys.argv[1:]:
    sys.argv = [command, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_module(command, run_name="__main__")
"""
"""All in one process, since each import of Prefect takes seconds."""
PROBE = "import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/healthz')"
"""As docs/image.md has it."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The files of the image."""
    made = Built(tmp_path_factory.mktemp("image"))
    made.build()
    return made


@pytest.fixture
def container(built: Built, tmp_path: Path) -> Container:
    """A machine that has them; skips where this one can't make it."""
    made = Container(built, tmp_path)
    tried = made.run("id", "-u")
    if tried.returncode != 0:
        pytest.skip(f"namespaces of Linux, and the right to make them, are needed: {tried.stderr.strip()}")
    assert tried.stdout == "1000680000\n"
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A Prefect server of its own: what is deployed here leads to the image's files."""
    folder = tmp_path_factory.mktemp("prefect")
    with PrefectServer(folder, SSL_CERT_FILE=os.environ["SSL_CERT_FILE"]) as started:
        yield started


@pytest.fixture
def connected(server: PrefectServer, vault: VaultServer, tmp_path: Path) -> Iterator[World]:
    """A whole installation, its connections saved in that server."""
    (tmp_path / "world").mkdir()
    with temporary_settings({PREFECT_API_URL: server.api_url}), World.at(tmp_path / "world", vault) as made:
        made.connect()
        yield made


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Of the processes that a test starts."""
    with Supervisor(tmp_path / "logs") as started:
        yield started


def test_two_builds_are_the_same_file_by_file(built: Built) -> None:
    first = built.files()
    built.build_again()
    assert built.files() == first


def test_it_has_what_runs_and_nothing_to_build_or_test_with(built: Built) -> None:
    there = {path.name for path in built.folder.iterdir()}
    assert {".venv", "flows", "tasks", "deployments", "prefect.yaml"} <= there
    assert there.isdisjoint({"tests", "sandbox", "bench", "docs", ".git"})
    programs = {path.name for path in (built.folder / ".venv" / "bin").iterdir()}
    assert {"prefect", "kubectl", "python"} <= programs
    assert programs.isdisjoint({"pip", "pip3", "pytest", "ruff", "bao"})


def test_only_tmp_can_be_written_to(container: Container, built: Built) -> None:
    for folder in ("/", "/etc", str(built.folder), str(built.folder / "flows")):
        refused = container.run("touch", f"{folder}/written")
        assert "Read-only file system" in refused.stderr
    assert container.run("touch", "/tmp/written").returncode == 0


def test_every_command_tells_what_it_does(container: Container) -> None:
    told = container.run("python", "-c", HELP, *COMMANDS)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("usage: ") == len(COMMANDS)
    assert "Traceback" not in told.stderr


def test_where_nothing_can_be_written_to_a_sentence_says_so(
    container: Container, built: Built, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    refused = Container(built, tmp_path / "full", writable=False).run("prefect", "version")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "Nothing can be written to /tmp by UID 1000680000. Mount an emptyDir at /tmp, or set TMPDIR, HOME "
        "and PREFECT_HOME to a folder to which it may write.\n"
    )


def test_a_command_without_a_home_says_so(container: Container) -> None:
    refused = container.run("env", "--unset=HOME", "python", "-m", "deployments.connect", "--help")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Prefect looks for its profile in the home folder of its user, ")
    assert refused.stderr.count("\n") == 1


def test_the_merge_service_is_healthy(
    container: Container, server: PrefectServer, supervisor: Supervisor
) -> None:
    port = free_port()
    variables = {"MERGE_SERVICE_POLL_ONLY": "true", "MERGE_SERVICE_PORT": str(port)}
    probe = ["python", "-c", PROBE.format(port=port)]
    assert container.run(*probe).returncode != 0
    supervisor.start(
        "merge-service",
        container.command("python", "-m", "deployments.merge_service"),
        environment=container.variables | variables | {"PREFECT_API_URL": server.api_url},
        ready=http_answers(f"http://127.0.0.1:{port}/healthz"),
        within=120.0,
    )
    assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=ANSWER_SECONDS).status_code == 200
    assert container.run(*probe).returncode == 0


def test_a_worker_makes_a_plan(
    container: Container, connected: World, server: PrefectServer, supervisor: Supervisor
) -> None:
    deployed = container.run("prefect", "--no-prompt", "deploy", "--all", PREFECT_API_URL=server.api_url)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    worker = ["prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process"]
    engineer = Engineer(server)
    run = engineer.start("enable-cluster/enable-cluster", connected.parameters | {"plan_only": True})
    supervisor.start(
        "worker",
        container.command(*worker),
        environment=container.variables | {"PREFECT_API_URL": server.api_url},
    )
    assert engineer.await_state(run, "Completed") == "Completed", engineer.log(run)
    assert engineer.said(run, "prerequisites checked; plan "), engineer.log(run)
