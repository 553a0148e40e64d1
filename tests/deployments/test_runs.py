"""``python -m deployments.runs`` against a real Prefect server; a thread plays the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_run_logger, suspend_flow_run, task
from prefect.artifacts import Artifact, create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Suspended

from deployments import runs
from runbook.checks import Check, page
from sandbox.prefect_server import PrefectServer


@task(name="preflight", task_run_name="preflight")
def ask() -> None:
    get_run_logger().warning("The router's certificate ends tomorrow.")
    rows = [
        Check("It is reachable", "ok", "yes", system="Vault"),
        Check("Its KV mount", "failed", "is gone", "Make it.", "Vault"),
        Check("Its policies", "not checked", "nobody asked", system="Vault"),
    ]
    create_markdown_artifact(page(rows), key="preflight-emea-ember")


@flow(name="runs-of-tests", flow_run_name="enable {cluster}")
def enable(cluster: str, ends: str = "well", waits: bool = False) -> None:
    ask()
    if ends == "early":
        raise ValueError("1 prerequisite is not met.")
    Artifact(type="json", key="plan-data-emea-ember", data={"secret": "machine data"}).create()
    for version in ("an old plan", "**`policy/emea-kv-r`** is created"):
        create_markdown_artifact(version, key="plan-emea-ember")
    if waits:
        suspend_flow_run(key="once", timeout=None)
    if ends == "badly":
        raise ValueError("Vault is sealed.")
    create_markdown_artifact("# Vault accepts logins\n\n[it](https://x.example)", key="report-emea-ember")


@pytest.fixture
def deployment(prefect_harness: PrefectServer) -> Iterator[UUID]:
    with get_client(sync_client=True) as client:
        made = client.create_deployment(
            client.create_flow(enable),
            name="runs-of-tests",
            enforce_parameter_schema=True,
            parameter_openapi_schema=enable.parameters.model_dump_for_openapi(),
        )
        yield made
        client.delete_deployment(made)


def runs_of(deployment: UUID) -> list[Any]:
    with get_client(sync_client=True) as client:
        wanted: Any = {"deployment_id": {"any_": [deployment]}}
        return client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(wanted))


@contextmanager
def worker(deployment: UUID) -> Iterator[None]:
    """Executes each run of the deployment that is scheduled."""
    stopping = threading.Event()

    def work(url: str) -> None:
        with temporary_settings({PREFECT_API_URL: url}):
            while not stopping.wait(0.2):
                for run in runs_of(deployment):
                    if run.state.is_scheduled():  # "Late", too
                        with suppress(Pause, ValueError):
                            run_flow(enable, flow_run=run)

    thread = threading.Thread(target=work, args=(PREFECT_API_URL.value(),))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@pytest.fixture
def command(deployment: UUID, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            runs.main([*arguments])
        captured = capsys.readouterr()
        code = ended.value.code
        # Python prints a text that a process ends with, and ends it with 1.
        return (1, str(code)) if isinstance(code, str) else (int(code or 0), captured.out + captured.err)

    return run


def test_a_run_that_completes_is_0_and_prints_steps_plan_report_and_warnings(
    deployment: UUID, command: Any
) -> None:
    with worker(deployment):
        code, said = command("runs-of-tests", "-p", "cluster=ember")
    assert code == 0, said
    assert "/runs/flow-run/" in said.splitlines()[0]
    assert "preflight                    Completed" in said
    assert "\npolicy/emea-kv-r is created" in said
    assert "an old plan" not in said
    assert "machine data" not in said
    assert said.index("is created") < said.index("Vault accepts logins")
    assert "it (https://x.example)" in said
    assert "Warning: The router's certificate ends tomorrow." in said
    assert said.endswith("\nenable ember: Completed.\n")
    assert "Its KV mount" not in said


def test_a_run_that_fails_is_1_and_says_why(deployment: UUID, command: Any) -> None:
    with worker(deployment):
        code, said = command("runs-of-tests/runs-of-tests", "-p", "cluster=ember", "-p", "ends=badly")
    assert code == 1
    assert said.splitlines()[-1].startswith("enable ember: Failed.")
    assert said.count("Vault is sealed.") == 1
    assert "Traceback" not in said


def test_without_a_plan_the_rows_are_printed_that_are_in_the_way(deployment: UUID, command: Any) -> None:
    with worker(deployment):
        code, said = command("runs-of-tests", "-p", "cluster=ember", "-p", "ends=early")
    assert code == 1
    assert "1 failed, 1 not checked, 1 ok" in said
    assert "❌ failed: Vault: Its KV mount: is gone. To do: Make it." in said
    assert "It is reachable" not in said
    assert "Its policies" not in said


@pytest.mark.long
def test_a_run_that_waits_is_3_and_is_followed_to_its_end_with_wait(deployment: UUID, command: Any) -> None:
    with worker(deployment):
        code, said = command("runs-of-tests", "-p", "cluster=ember", "-p", "waits=true")
        assert code == 3, said
        (waiting,) = runs_of(deployment)
        assert "waits for a person: http" in said
        assert f"/runs/flow-run/{waiting.id}\n" in said
        assert "is created" in said

        def resume(url: str) -> None:
            with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
                client.resume_flow_run(waiting.id)

        threading.Timer(1.0, resume, args=(PREFECT_API_URL.value(),)).start()
        code, said = command("--run", str(waiting.id), "--wait")
    assert code == 0, said
    assert "run                          Suspended" in said


def test_what_a_run_lacks_after_its_merge_is_followed_too_and_said(deployment: UUID, command: Any) -> None:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployment, parameters={"cluster": "ember"})
        waits = "waits for namespace web on ember; sync cluster-resources in ArgoCD"
        suspended: State[None] = Suspended(pause_key="sync-gate-1", message=waits)
        client.set_flow_run_state(run.id, suspended, force=True)

    def end(url: str) -> None:
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            client.set_flow_run_state(run.id, Completed(), force=True)

    threading.Timer(3.0, end, args=(PREFECT_API_URL.value(),)).start()
    code, said = command("--run", str(run.id))
    assert code == 0, said
    assert f"Suspended: {waits}" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runs-of-tests", "-p", "cluster=[1]"], "is not of type 'string'"),
        (["runs-of-tests"], "'cluster' is a required property"),
        (["runs-of-tests", "-p", "cluster"], "'cluster' is not NAME=VALUE"),
        (["runs-of-nobody"], "There is no deployment runs-of-nobody/runs-of-nobody"),
        (["--run", str(uuid4())], "There is no run"),
        ([], "name a deployment"),
        (["runs-of-tests", "--run", str(uuid4())], "name a deployment"),
    ],
)
def test_bad_input_is_2_in_words_and_makes_no_run(
    deployment: UUID, command: Any, arguments: list[str], words: str
) -> None:
    code, said = command(*arguments)
    assert (code, words in said) == (2, True), said
    assert runs_of(deployment) == []


@pytest.mark.parametrize(
    ("url", "words"), [("", "No Prefect server"), ("http://127.0.0.1:9/api", "does not answer")]
)
def test_without_a_server_it_is_1_and_says_so(command: Any, url: str, words: str) -> None:
    with temporary_settings({PREFECT_API_URL: url or None}):
        code, said = command("runs-of-tests")
    assert (code, words in said) == (1, True), said
