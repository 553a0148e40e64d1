"""No secret comes to light anywhere: after a whole run, after a failure of each step, and after a crash.

Before a search may say "nothing", each place shows that it finds what is planted in it, and a flow that leaks
on purpose is caught.
"""

from __future__ import annotations

import secrets
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.world import REPOSITORY
from flows.diagnose_cluster import diagnose_cluster
from sandbox.environment import CHECKOUT
from sandbox.prefect_server import WORK_POOL
from sandbox.vault_seed import PIPELINE_POLICY
from sandbox.vault_server import VaultServer
from tests.e2e.failing_run import FailingRun, Fault
from tests.e2e.flow_processes import flow_processes
from tests.engineer import Engineer
from tests.eventually import eventually
from tests.faults.faults import Held, Script
from tests.faults.proxy import Proxy, Server
from tests.merge_service import Service
from tests.rights import EMBER, policy_of_the_tests
from tests.run import Run, enable
from tests.secrets.bad_deliveries import send_bad_deliveries
from tests.secrets.faults import (
    base_branch_gone_once_it_is_proposed,
    everybody_reads_everything,
    give_vault_a_reviewer_without_rights,
    no_room_for_the_report,
    pinned,
    plan_not_named,
    policy_of_the_pipeline,
    pushes_refused,
)
from tests.secrets.installation import SearchedInstallation
from tests.secrets.leaky_flow import LEAKS
from tests.secrets.machine_places import ENVIRONMENTS, meant_environments
from tests.secrets.needles import Secret
from tests.secrets.places import files
from tests.secrets.prefect_places import catch_up
from tests.secrets.search import Searcher
from tests.world import World

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads processes from Linux's /proc"),
]

PLACES = 18
"""How many are searched. Another number stands in the documentation as well."""

ENABLE = "enable-cluster/enable-cluster"
DIAGNOSE = "diagnose-cluster/diagnose-cluster"
PATIENT = {"sync_timeout": "10m"}
"""Parameters of a run that the merge service may wake before the cluster is synced."""

_PATIENCE = 180.0


@pytest.fixture(scope="module")
def clear_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with VaultServer(
        tmp_path_factory.mktemp("vault"), pipeline_policy=policy_of_the_tests, raw_audit=True
    ) as server:
        yield server


@pytest.fixture
def vault(clear_vault: VaultServer) -> Iterator[VaultServer]:
    """Instead of the session's: one that tells, to this test, which tokens it was sent and handed out.

    Each test has a pipeline's token of its own: what leaked in one is not found in the next.
    """
    clear_vault.reset()
    yield clear_vault
    clear_vault.request("POST", "auth/token/revoke", {"token": clear_vault.pipeline_token})


@contextmanager
def searching(
    engineer: Engineer, world: World, directory: Path, *, secret_in_file: bool
) -> Iterator[SearchedInstallation]:
    """Every place was seen to show what is planted in it; the connections are the pipeline's own."""
    # As `openssl rand -hex 32` makes it.
    service = Service(
        engineer.server, directory / "service", secrets.token_hex(32), secret_in_file=secret_in_file
    )
    with SearchedInstallation(world, engineer.server, service, directory) as installation:
        world.connect(cluster__kubeconfig=installation.kubeconfig)
        assert installation.prove() == PLACES
        yield installation


@pytest.fixture
def searched(engineer: Engineer, world: World, tmp_path: Path) -> Iterator[SearchedInstallation]:
    with searching(engineer, world, tmp_path, secret_in_file=True) as installation:
        yield installation


def assert_nothing_found(searched: SearchedInstallation, *expected: str) -> None:
    """No secret anywhere, and all kinds of secrets were there to be found."""
    names = {secret.name for secret in searched.secrets()}
    assert names >= {
        *("GitHub token", "Vault token", "key of the kubeconfig", "token of the kubeconfig"),
        *("webhook secret", *expected),
    }
    wait_until_all_has_been_sent(searched)
    found = sorted(map(str, searched.findings()))
    assert not found, "\n".join(found)
    _assert_temporary_files_are_gone(searched)
    _assert_files_with_secrets_are_private(searched)
    _assert_git_was_seen_with_its_token(searched)
    _assert_the_merge_service_was_seen(searched)
    _assert_vault_hides_them_in_its_audit_log(searched)
    login = "AppRole secret id" if "AppRole secret id" in expected else "Vault token"
    # They are in the database, and nothing but their encryption keeps the search from finding them.
    of_blocks = {"GitHub token", "key of the kubeconfig", "token of the kubeconfig", login}
    assert searched.decrypted() >= of_blocks


def _assert_temporary_files_are_gone(searched: SearchedInstallation) -> None:
    assert searched.clones_left() == []


def _assert_files_with_secrets_are_private(searched: SearchedInstallation) -> None:
    assert searched.service.secret_file in searched.meant()
    for path, reason in searched.meant().items():
        assert path.stat().st_mode & 0o777 == 0o600, f"{path}: {reason}"


def _assert_git_was_seen_with_its_token(searched: SearchedInstallation) -> None:
    login = b64encode(f"x-access-token:{searched.world.github.token_of('pipeline')}".encode())
    seen = dict(meant_environments(searched.processes))
    assert any(place.endswith(" of git clone") for place in seen)
    assert set(seen.values()) == {b"Authorization: Basic " + login}


def _assert_the_merge_service_was_seen(searched: SearchedInstallation) -> None:
    """It took the merge that GitHub delivered and woke the run; its command line was searched."""
    service = searched.service
    assert service.secret_file
    arguments = {argument for _, argument in searched.processes.arguments}
    assert {b"deployments.merge_service", str(service.secret_file).encode()} <= arguments
    assert {delivery.status for delivery in searched.world.github.deliveries} == {202}, service.log
    assert "enable emea/ember was woken: " in service.log, service.log


def _assert_vault_hides_them_in_its_audit_log(searched: SearchedInstallation) -> None:
    vault = searched.world.vault
    values = searched.values_in_vault()
    assert values
    searcher = Searcher(Secret.token(name, value) for name, value in values)
    in_clear = {found.secret for found in searcher.find("in clear", files(vault.raw_audit_log))}
    assert in_clear == {name for name, _ in values}
    assert searcher.find("as it is", files(vault.audit_log)) == []
    assert b"hmac-sha256:" in vault.audit_log.read_bytes()


def deploy(engineer: Engineer, name: str, entrypoint: str) -> str:
    """Deploy a flow of the tests beside those of the project; returns the deployment's name."""
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(CHECKOUT)}}
    body = {
        "name": name,
        "flow_id": engineer.api.request("POST", "/flows/", {"name": name})["id"],
        "entrypoint": entrypoint,
        "pull_steps": [step],
        "work_pool_name": WORK_POOL,
    }
    engineer.api.request("POST", "/deployments/", body)
    return f"{name}/{name}"


def test_leaks_on_purpose_are_found(engineer: Engineer, world: World, tmp_path: Path) -> None:
    # The merge service gets its secret in its environment: the documented way that is not the better one.
    with searching(engineer, world, tmp_path, secret_in_file=False) as searched:
        until = tmp_path / "until"
        leaky = deploy(engineer, "leaky", "tests/secrets/leaky_flow.py:leaky")
        names = {name: world.parameters[name] for name in ("vault", "gitops")}
        parameters = {
            "cluster": world.parameters["cluster_connection"],
            "webhook_secret": searched.service.secret,
            "until": str(until),
        }
        run = engineer.start(leaky, {**names, **parameters})
        wait_until_seen(searched, f"--token={world.vault.pipeline_token}", lambda: engineer.log(run))
        until.touch()
        assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
        wait_until_all_has_been_sent(searched)
        wait_until_a_task_has_failed(engineer, run)
        found = searched.findings()
        of_the_service = ("webhook secret", ENVIRONMENTS, "MERGE_SERVICE_WEBHOOK_SECRET")
        assert not [
            (secret, place, where)
            for secret, place, where in [*LEAKS, of_the_service]
            if not any(one.secret == secret and one.place == place and where in one.where for one in found)
        ]
        assert not [one for one in found if one.where == str(world.vault.audit_log)]


def wait_until_all_has_been_sent(searched: SearchedInstallation) -> None:
    """A run is Completed before its process has sent the last of its logs and events, and ends."""
    eventually(lambda: not flow_processes(searched.server), seconds=_PATIENCE, pause=0.1)
    catch_up(searched.server)


def wait_until_a_task_has_failed(engineer: Engineer, run: str) -> None:
    """The server makes task runs from events, a little later."""

    def has_failed() -> bool:
        return "Failed" in {task["state"]["name"] for task in engineer.api.task_runs(run)}

    eventually(has_failed, lambda: engineer.log(run), seconds=_PATIENCE, pause=0.1)


def wait_until_seen(searched: SearchedInstallation, argument: str, log: Callable[[], str]) -> None:
    """Return once some child had this argument, and all that there was with it has been looked at."""
    arguments = searched.processes.arguments
    eventually(lambda: argument.encode() in {seen for _, seen in list(arguments)}, log, seconds=_PATIENCE)
    searched.processes.catch_up()
    searched.temporary.catch_up()


def test_a_whole_run_and_a_retried_one_leave_no_secret(
    engineer: Engineer, world: World, searched: SearchedInstallation
) -> None:
    run = engineer.start(ENABLE, world.parameters | PATIENT)
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    searched.answers += send_bad_deliveries(searched.service)
    let_the_github_token_end(searched)
    # The step that holds the reviewer's token fails in the worker: its traceback is logged.
    with pinned(world.vault, f"auth/{EMBER.mount}/config", "kubernetes_host"):
        world.merge()
        world.sync()
        assert engineer.await_state(run, "Failed") == "Failed", searched.service.log
    assert engineer.api.retry(run) == "ACCEPT"
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    diagnosis = engineer.start(DIAGNOSE, parameters_of_a_diagnosis(world))
    assert engineer.await_state(diagnosis, "Completed", "Failed") == "Completed", engineer.log(diagnosis)
    assert_nothing_found(searched, "reviewer JWT", "starter JWT", "GitHub token that has ended")


def let_the_github_token_end(searched: SearchedInstallation) -> None:
    """The merge service looks with a token that GitHub does not know any more, and complains about it."""
    ended = f"ghp_{secrets.token_hex(18)}"
    searched.former.append(Secret.token("GitHub token that has ended", ended))
    service, world = searched.service, searched.world
    service.stop()
    world.connect(cluster__kubeconfig=searched.kubeconfig, gitops__token=ended)
    service.start()
    assert "WARNING GitHub, " in service.log, service.log
    world.connect(cluster__kubeconfig=searched.kubeconfig)


def parameters_of_a_diagnosis(world: World) -> dict[str, Any]:
    names = ("cluster", "env", "namespaces", "vault", "cluster_connection")
    return {name: world.parameters[name] for name in names}


def app_role(vault: VaultServer) -> dict[str, Any]:
    """Fields of a VaultConnection that logs in by AppRole with the pipeline's policy."""
    vault.request("POST", "sys/auth/approle", {"type": "approle"})
    role = "auth/approle/role/pipeline"
    vault.request("POST", role, {"token_policies": [PIPELINE_POLICY], "token_ttl": "20m"})
    return {
        "vault__token": None,
        "vault__approle_role_id": vault.request("GET", f"{role}/role-id")["data"]["role_id"],
        "vault__approle_secret_id": vault.request("POST", f"{role}/secret-id")["data"]["secret_id"],
    }


async def test_a_failure_of_each_step_leaves_no_secret(
    engineer: Engineer, world: World, searched: SearchedInstallation, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        script = Script()
        url = stack.enter_context(git_through(world, script))
        world.connect(cluster__kubeconfig=searched.kubeconfig, gitops__url=url, **app_role(world.vault))
        enabling = await enable(world)
        run = FailingRun(engineer, enabling, searched.errors)
        vault = world.vault
        without_mounts = policy_of_the_tests(vault).replace('path "sys/mounts"', 'path "sys/no-mounts"')

        def others_pin(path: str, field: str) -> Fault:
            return lambda: pinned(vault, path, field)

        await run.fails("preflight", lambda: policy_of_the_pipeline(vault, without_mounts))
        await run.fails("open the pull request", lambda: pushes_refused(world))
        await run.fails("look for the merge", lambda: base_branch_gone_once_it_is_proposed(world, script))
        await run.comes_to("Suspended")
        world.merge()
        await run.is_woken(searched.service)
        await run.fails("look for the approved plan", lambda: plan_not_named(world))
        await run.fails("wait until synced", ExitStack)
        world.sync()
        config, role = f"auth/{EMBER.mount}/config", f"auth/{EMBER.mount}/role/{EMBER.role}"
        await run.fails("write policies", others_pin(f"sys/policies/acl/{EMBER.read_policy}", "policy"))
        await run.fails("write group and alias", others_pin("identity/group-alias", "name"))
        await run.fails("enable auth method", others_pin(f"sys/auth/{EMBER.mount}", "type"))
        await run.fails("configure auth method", others_pin(config, "kubernetes_host"))
        await run.fails("write role", others_pin(role, "token_policies"))
        await run.fails("verify the login", lambda: everybody_reads_everything(vault))
        await run.fails("publish the report", lambda: no_room_for_the_report(engineer.server))
        await run.comes_to("Completed")
        diagnosing = await Run.create(diagnose_cluster, parameters_of_a_diagnosis(world))
        give_vault_a_reviewer_without_rights(world)
        diagnosis = FailingRun(engineer, diagnosing, searched.errors)
        await diagnosis.fails("diagnose the login", ExitStack)
    assert "or somebody has written another JWT since" in str(diagnosing.error)
    assert len(searched.errors) == 1 + 12 + 1, "the planted one, one of each step, and the diagnosis"
    await enabling.logs()
    searched.console.append("\n".join(capfd.readouterr()))
    assert_nothing_found(searched, "AppRole secret id", "reviewer JWT", "starter JWT")


@contextmanager
def git_through(world: World, script: Script) -> Iterator[str]:
    """URL of the repository by which what Git asks goes through a proxy."""
    with Proxy(Server(world.github.url, None, lambda _path: "Git"), script) as proxy:
        yield world.github.clone_url(REPOSITORY).replace(world.github.url, proxy.url)


def crash(engineer: Engineer, run: str) -> None:
    (process,) = flow_processes(engineer.server, run)
    process.send_signal(signal.SIGKILL)
    assert engineer.await_state(run, "Crashed") == "Crashed", engineer.log(run)


def test_a_crash_in_the_middle_of_a_step_that_holds_secrets_leaves_none(
    engineer: Engineer, world: World, searched: SearchedInstallation
) -> None:
    of_git, of_cluster = Script(), Script()
    kubernetes = Server(world.kubernetes.url, world.kubernetes.ca_pem, lambda _path: "cluster")
    with git_through(world, of_git) as url, Proxy(kubernetes, of_cluster) as cluster:
        world.connect(
            cluster__kubeconfig=searched.kubeconfig,
            cluster__host_for_vault=cluster.url,
            cluster__ca_cert_for_vault=cluster.ca_pem,
            gitops__url=url,
        )
        # While git, with the token, waits for the repository's files.
        held = Held(lambda point: point.method == "POST" and "git-upload-pack" in point.path)
        of_git.begin(held)
        run = engineer.start(ENABLE, world.parameters | PATIENT)
        assert held.waits.wait(_PATIENCE), engineer.log(run)
        crash(engineer, run)
        held.let_go.set()

        run = engineer.start(ENABLE, world.parameters | PATIENT)
        assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
        # While the reviewer's token is tried out, just before it is written to Vault.
        held = Held(lambda _point: "ember-k8s/" in world.vault.request("GET", "sys/auth")["data"])
        of_cluster.begin(held)
        world.merge()
        world.sync()
        assert held.waits.wait(_PATIENCE), f"{engineer.log(run)}\n{searched.service.log}"
        crash(engineer, run)
        held.let_go.set()

        again = engineer.start(ENABLE, world.parameters | PATIENT)
        assert engineer.await_state(again, "Completed", "Failed") == "Completed", engineer.log(again)
    # What was killed could not clean up; what it left was searched, too. Nobody else uses it.
    for left in searched.clones_left():
        assert left.stat().st_mode & 0o777 == 0o700
        left.rename(left.with_name(f"left-{time.monotonic_ns()}"))
    assert_nothing_found(searched, "reviewer JWT", "starter JWT")
