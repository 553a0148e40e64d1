"""No secret comes to light anywhere: after a whole run, after a failure of each step, and after a crash.

Before a search may say "nothing", each place shows that it finds what is planted in it.
"""

from __future__ import annotations

import secrets
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployments.sandbox.github_api import Webhook
from deployments.sandbox.vault_seed import PIPELINE_POLICY
from deployments.sandbox.vault_server import VaultServer
from tests.deployments.sandbox.github_api.receiver import receiving
from tests.e2e.conftest import Engineer
from tests.rights import EMBER, policy_of_the_tests
from tests.secrets.installation import GIT_TOKEN, SearchedInstallation
from tests.secrets.needles import Secret
from tests.secrets.places import files, head_of, set_head
from tests.secrets.relay import Relay
from tests.secrets.search import Searcher
from tests.world import REPOSITORY, World, enable

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads processes from Linux's /proc"),
]

PLACES = 31
"""How many are searched. Another number stands in the documentation as well."""

ENABLE = "enable-cluster/enable-cluster"


@pytest.fixture(scope="module")
def clear_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with VaultServer(
        tmp_path_factory.mktemp("vault"), pipeline_policy=policy_of_the_tests(), raw_audit=True
    ) as server:
        yield server


@pytest.fixture
def vault(clear_vault: VaultServer) -> VaultServer:
    """Instead of the session's: one that tells, to this test, which tokens it was sent and handed out."""
    clear_vault.reset()
    return clear_vault


@pytest.fixture
def searched(engineer: Engineer, world: World, tmp_path: Path) -> Iterator[SearchedInstallation]:
    """Every place was seen to show what is planted in it; the connections are the pipeline's own."""
    secret = secrets.token_urlsafe(32)
    with receiving() as receiver:
        world.github.webhooks.append(Webhook(receiver.url, secret))
        with SearchedInstallation(world, engineer.server, secret, tmp_path) as installation:
            world.connect(cluster__kubeconfig=installation.kubeconfig)
            assert installation.prove() == PLACES
            yield installation


def assert_nothing_found(searched: SearchedInstallation, *expected: str) -> None:
    """No secret anywhere, and all kinds of secrets were there to be found."""
    names = {secret.name for secret in searched.secrets()}
    assert names >= {
        *("GitHub token", "Vault token", "key of the kubeconfig", "token of the kubeconfig"),
        *("webhook secret", *expected),
    }
    found = sorted(map(str, searched.findings()))
    assert not found, "\n".join(found)
    _assert_temporary_files_are_gone(searched)
    _assert_files_with_secrets_are_private(searched)
    _assert_git_was_seen_with_its_token(searched)
    _assert_vault_hides_them_in_its_audit_log(searched)


def _assert_temporary_files_are_gone(searched: SearchedInstallation) -> None:
    assert [str(path) for folder in searched.temporary.folders for path in folder.rglob("gitops-*")] == []


def _assert_files_with_secrets_are_private(searched: SearchedInstallation) -> None:
    for path, reason in searched.meant().items():
        assert path.stat().st_mode & 0o777 == 0o600, f"{path}: {reason}"


def _assert_git_was_seen_with_its_token(searched: SearchedInstallation) -> None:
    token = searched.world.github.token_of("pipeline").encode()
    seen = dict(searched.meant_environments())
    assert f"{GIT_TOKEN} of git clone" in seen
    assert set(seen.values()) == {token}


def _assert_vault_hides_them_in_its_audit_log(searched: SearchedInstallation) -> None:
    vault = searched.world.vault
    values = searched.values_in_vault()
    assert values
    searcher = Searcher(Secret.token(name, value) for name, value in values)
    in_clear = {found.secret for found in searcher.find("in clear", files(vault.raw_audit_log))}
    assert in_clear == {name for name, _ in values}
    assert searcher.find("as it is", files(vault.audit_log)) == []
    assert b"hmac-sha256:" in vault.audit_log.read_bytes()


def test_a_whole_run_and_a_retried_one_leave_no_secret(
    engineer: Engineer, world: World, searched: SearchedInstallation
) -> None:
    run = engineer.start(ENABLE, world.parameters)
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    world.merge()
    world.sync()
    # The step that holds the reviewer's token fails in the worker: its traceback is logged.
    with pinned(world.vault, f"auth/{EMBER.mount}/config", "kubernetes_host"):
        assert engineer.api.resume(run) == "ACCEPT"
        assert engineer.await_state(run, "Failed") == "Failed"
    assert engineer.api.retry(run) == "ACCEPT"
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert_nothing_found(searched, "reviewer JWT", "starter JWT")


@contextmanager
def pinned(vault: VaultServer, path: str, field: str) -> Iterator[None]:
    """Vault's administrators allow one other value only; a token's capabilities do not show that."""
    before, rule, after = policy_of_the_tests().partition(f'path "{path}" {{\n')
    block, end, rest = after.partition("\n}\n")
    opening = "  allowed_parameters = {\n"
    assert opening in block, f"nothing is pinned at {path}"
    # Our own value may be pinned already; it makes room for theirs.
    others = "\n".join(line for line in block.split("\n") if not line.startswith(f'    "{field}" = '))
    theirs = others.replace(opening, f'{opening}    "{field}" = ["theirs"]\n')
    policy = f"{before}{rule}{theirs}{end}{rest}"
    with policy_of_the_pipeline(vault, policy):
        yield


@contextmanager
def policy_of_the_pipeline(vault: VaultServer, policy: str) -> Iterator[None]:
    write = f"sys/policies/acl/{PIPELINE_POLICY}"
    vault.request("PUT", write, {"policy": policy})
    try:
        yield
    finally:
        vault.request("PUT", write, {"policy": policy_of_the_tests()})


@contextmanager
def everybody_reads_everything(vault: VaultServer) -> Iterator[None]:
    """Somebody was generous in the policy that every session has: what must not be read, may be."""
    before = vault.request("GET", "sys/policies/acl/default")["data"]["policy"]
    generous = f'{before}\npath "k8s_secrets/*" {{ capabilities = ["read"] }}'
    vault.request("PUT", "sys/policies/acl/default", {"policy": generous})
    try:
        yield
    finally:
        vault.request("PUT", "sys/policies/acl/default", {"policy": before})


@contextmanager
def pushes_refused(world: World) -> Iterator[None]:
    """A server-side rule of the repository, which says in its refusal whatever it was told."""
    config = world.github.path_of(REPOSITORY) / "config"
    before = config.read_text()
    hooks = config.parent / "rules"
    hooks.mkdir()
    hook = hooks / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'commits must be signed off' >&2\nexit 1\n")
    hook.chmod(0o755)
    config.write_text(f"{before}[core]\n\thooksPath = {hooks}\n")
    try:
        yield
    finally:
        config.write_text(before)


@contextmanager
def base_branch_gone_once_it_is_proposed(world: World, relay: Relay) -> Iterator[None]:
    """Somebody renames the base branch between the pull request and the look at it."""
    repository = world.github.path_of(REPOSITORY)
    head = head_of(repository, "main")
    gone = threading.Event()

    def hold(chunk: bytes) -> bool:
        if b"git-upload-pack" in chunk and not gone.is_set() and world.pulls("open"):
            gone.set()
            set_head(repository, "main", None)
        return False

    relay.hold = hold
    try:
        yield
    finally:
        relay.hold = lambda _chunk: False
        set_head(repository, "main", head)


@contextmanager
def no_room_for_the_report(searched: SearchedInstallation) -> Iterator[None]:
    """Prefect's database refuses the report."""
    database = Path(searched.server.environment["PREFECT_HOME"]) / "prefect.db"

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            connection.execute(statement)
            connection.commit()

    execute(
        "create trigger no_room before insert on artifact when new.key like 'report-%' "
        "begin select raise(abort, 'disk full'); end"
    )
    try:
        yield
    finally:
        execute("drop trigger no_room")


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


Fault = Callable[[], Any]


async def test_a_failure_of_each_step_leaves_no_secret(
    engineer: Engineer, world: World, searched: SearchedInstallation, capfd: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        git = stack.enter_context(Relay(world.github.clone_url(REPOSITORY)))
        world.connect(cluster__kubeconfig=searched.kubeconfig, gitops__url=git.url, **app_role(world.vault))
        run = await enable(world)
        vault = world.vault
        without_mounts = policy_of_the_tests().replace('path "sys/mounts"', 'path "sys/no-mounts"')

        async def fails(step: str, fault: Fault) -> None:
            if (await run.read()).state_name == "Failed":
                assert engineer.api.retry(str(run.id)) == "ACCEPT"
            with fault():
                assert await run.go() == "Failed"
            assert run.error is not None
            searched.errors.append(run.error)
            failed = [task.name for task in await run.tasks() if task.state_name == "Failed"]
            assert failed[-1:] == [step], run.error

        await fails("preflight", lambda: policy_of_the_pipeline(vault, without_mounts))
        await fails("open the pull request", lambda: pushes_refused(world))
        await fails("check the merge", lambda: base_branch_gone_once_it_is_proposed(world, git))
        assert engineer.api.retry(str(run.id)) == "ACCEPT"
        assert await run.go() == "Suspended", run.error
        world.merge()
        await run.resume()
        await fails("wait until synced", ExitStack)
        world.sync()
        await fails(
            "write policies", lambda: pinned(vault, f"sys/policies/acl/{EMBER.read_policy}", "policy")
        )
        await fails(
            "write group and alias",
            lambda: pinned(vault, f"identity/group/name/{EMBER.admin_group}", "policies"),
        )
        await fails("enable auth method", lambda: pinned(vault, f"sys/auth/{EMBER.mount}", "type"))
        await fails(
            "configure auth method", lambda: pinned(vault, f"auth/{EMBER.mount}/config", "kubernetes_host")
        )
        await fails(
            "write role", lambda: pinned(vault, f"auth/{EMBER.mount}/role/{EMBER.role}", "token_policies")
        )
        await fails("verify the login", lambda: everybody_reads_everything(vault))
        await fails("publish the report", lambda: no_room_for_the_report(searched))
        assert engineer.api.retry(str(run.id)) == "ACCEPT"
        assert await run.go() == "Completed", run.error
    assert len(searched.errors) > 10
    await run.logs()
    searched.console.append("\n".join(capfd.readouterr()))
    assert_nothing_found(searched, "AppRole secret id", "reviewer JWT", "starter JWT")


def flow_process(run: str) -> psutil.Process:
    """The process that executes a run for the worker."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run and "prefect.engine" in process.cmdline():
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    raise AssertionError(f"nobody executes {run}")


def crash(engineer: Engineer, run: str) -> None:
    flow_process(run).send_signal(signal.SIGKILL)
    assert engineer.await_state(run, "Crashed") == "Crashed", engineer.log(run)


def test_a_crash_in_the_middle_of_a_step_that_holds_secrets_leaves_none(
    engineer: Engineer, world: World, searched: SearchedInstallation
) -> None:
    with Relay(world.github.clone_url(REPOSITORY)) as git, Relay(world.kubernetes.url) as cluster:
        world.connect(
            cluster__kubeconfig=searched.kubeconfig,
            cluster__host_for_vault=cluster.url,
            gitops__url=git.url,
        )
        # While git, with the token, waits for the repository's files.
        git.hold = lambda chunk: chunk.startswith(b"POST") and b"git-upload-pack" in chunk
        run = engineer.start(ENABLE, world.parameters)
        assert git.held.wait(120), engineer.log(run)
        crash(engineer, run)
        git.hold = lambda _chunk: False

        run = engineer.start(ENABLE, world.parameters)
        assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
        world.merge()
        world.sync()
        # While the reviewer's token is tried out, just before it is written to Vault.
        cluster.hold = lambda _chunk: "ember-k8s/" in world.vault.request("GET", "sys/auth")["data"]
        assert engineer.api.resume(run) == "ACCEPT"
        assert cluster.held.wait(120), engineer.log(run)
        crash(engineer, run)
        cluster.hold = lambda _chunk: False

        again = engineer.start(ENABLE, world.parameters)
        assert engineer.await_state(again, "Completed", "Failed") == "Completed", engineer.log(again)
    # What was killed could not clean up; what it left was searched, too. Nobody else uses it.
    for folder in searched.temporary.folders:
        for left in folder.glob("gitops-*"):
            assert left.stat().st_mode & 0o777 == 0o700
            left.rename(left.with_name(f"left-{time.monotonic_ns()}"))
    assert_nothing_found(searched, "reviewer JWT", "starter JWT")
