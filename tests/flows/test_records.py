"""What is written can be traced: a record of each change, and Vault's own log says the same."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from prefect.states import AwaitingRetry

from bench.traffic import Traffic
from bench.unbound import ANY_PLAN
from change.results import Landing
from runbook.request import EnableRequest
from sandbox.vault_seed import VaultAdmin
from sandbox.vault_server import VaultServer
from tasks.group import write_group
from tasks.report import publish_report
from tests.faults.faults import Fault, once
from tests.faults.installation import proxies_of
from tests.rights import policy_of_the_tests, token_with
from tests.run import Run, at_the_gate, enabled, land
from tests.world import World

KEY = "records-data-emea-ember"
OBJECT = re.compile(r"^- `(.+?)`", re.M)
CORRELATION = "x-correlation-id"
NOT_WRITES = {"sys/capabilities-self", "identity/lookup/group", "auth/token/revoke-self"}


async def records(run: Run) -> list[dict[str, Any]]:
    """All records of a run, from its artifacts, oldest first."""
    wanted = {"key": {"any_": [KEY]}, "flow_run_id": {"any_": [run.id]}}
    async with get_client() as api:
        found = await api.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(wanted), sort=ArtifactSort.CREATED_DESC
        )
    return [record for artifact in reversed(found) for record in json.loads(str(artifact.data))]


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The same from the log of the process: each a line of JSON."""
    return [json.loads(line.getMessage()) for line in caplog.records if line.name == "enablement.records"]


def sections(report: str) -> tuple[list[str], list[str]]:
    """The objects that a report says were changed in Vault, and found as wanted."""
    parts = dict(part.split("\n", 1) for part in report.split("## ")[1:])
    return OBJECT.findall(parts["Changed in Vault"]), OBJECT.findall(parts["Found as wanted"])


def audited(vault: VaultServer, position: int, run: Run) -> Counter[str]:
    """Paths that Vault's audit log says were written with the run's id, and not refused."""
    return Counter(
        entry["request"]["path"]
        for entry in vault.audit_entries(position)
        if entry["type"] == "response"
        and not entry.get("error")
        and entry["request"]["operation"] in {"create", "update", "delete"}
        and str(run.id) in entry["request"].get("headers", {}).get(CORRELATION, [])
        and entry["request"]["path"] not in NOT_WRITES
        and not entry["request"]["path"].endswith("/login")
    )


def without_the_id(vault: VaultServer, position: int, run: Run) -> set[str]:
    """Paths that were asked or written without the run's id: of preflight, logins and sessions too."""
    return {
        entry["request"]["path"]
        for entry in vault.audit_entries(position)
        if str(run.id) not in entry["request"].get("headers", {}).get(CORRELATION, [])
    }


@pytest.mark.long
async def test_each_change_has_a_record_and_vaults_audit_log_says_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    position = world.vault.audit_position()
    traffic = Traffic(world)
    run = await at_the_gate(world, reviewer_token="token-request", reviewer_token_lifetime="24h")
    kept = await records(run)
    assert [(one["system"], one["object"], one["action"]) for one in kept] == [
        ("Git", "branch/enable-vault/emea/ember", "create"),
        ("GitHub", "pull-request/1", "create"),
    ]
    assert len([one for one in traffic.writes() if one.startswith("Git")]) == 2
    assert audited(world.vault, position, run) == Counter()
    changed = world.git("show", "--format=", "--name-only", "enable-vault/emea/ember")
    assert "token" not in changed, "a requested one needs no Secret"
    await land(world, run)
    assert await run.go() == "Completed", run.error

    kept = await records(run)
    assert kept == logged(caplog)
    by_system = Counter(one["system"] for one in kept)
    assert by_system == {"Git": 1, "GitHub": 1, "OpenShift": 1, "Vault": 6}
    written = Counter(one["path"] for one in kept if one["system"] == "Vault")
    assert written == audited(world.vault, position, run)
    assert {one["flow_run"] for one in kept} == {str(run.id)}
    in_vault = [one for one in kept if one["system"] == "Vault"]
    assert {one["pull_request"] for one in in_vault} == {world.pulls()[0]["html_url"]}
    assert {one["actor"]["acted_as"] for one in in_vault} == {"token-pipeline"}

    (config,) = [one for one in kept if one["object"] == "auth/ember-k8s/config"]
    jwt = next(field for field in config["fields"] if field["field"] == "token_reviewer_jwt")
    (issued,) = [one for one in kept if one["system"] == "OpenShift"]
    assert jwt["after"] == issued["fields"][0]["after"]
    assert jwt["after"].startswith("sha256:")
    assert len(jwt["after"]) == len("sha256:") + 64
    shown = (await run.artifacts())["report-emea-ember"]
    assert f"`X-Correlation-Id: {run.id}`" in shown
    assert re.search(r"Reviewer's token: sha256.* expires: 20", shown)
    assert "Vault's audit devices: not known, our token may not read them." in shown

    assert without_the_id(world.vault, position, run) == set()
    assert await run.again() == "Completed", run.error
    assert await records(run) == []


@pytest.mark.long
async def test_a_change_whose_answer_is_lost_has_a_record_that_says_so_and_the_report_names_it(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = {
        "Git: POST /sandbox/gitops.git/git-receive-pack": Fault.KILL_AFTER,
        "GitHub: POST /api/v3/repos/sandbox/gitops/pulls": Fault.KILL_AFTER,
        "Vault: POST auth/ember-k8s/config": Fault.KILL_AFTER,
        "Vault: POST auth/ember-k8s/role/emea-ops": Fault.KILL_AFTER,
    }
    with proxies_of(world, tmp_path) as proxies:
        world.connect(**proxies.changes)
        proxies.script.begin(once(lost))
        # Nobody is killed: the connection ends after the server has done it, and before its answer.
        proxies.script.kill_by(lambda _system: None)
        position = world.vault.audit_position()
        run = await enabled(world)
    assert {point.name for point, _ in proxies.script.struck} == set(lost)

    kept = await records(run)
    unclear = [one for one in kept if not one["confirmed"]]
    assert [one["object"] for one in unclear] == [
        "branch/enable-vault/emea/ember",
        "pull-request",
        "auth/ember-k8s/config",
        "auth/ember-k8s/role/emea-ops",
    ]
    assert Counter(one["system"] for one in kept) == {"Git": 1, "GitHub": 1, "Vault": 6}, (
        "each once: what is there after all is found by the next try"
    )
    assert kept == logged(caplog)
    written = Counter(one["path"] for one in kept if one["system"] == "Vault")
    assert written == audited(world.vault, position, run)
    artifacts = await run.artifacts()
    lines = artifacts["report-emea-ember"].splitlines()
    for path in ("auth/ember-k8s/config", "auth/ember-k8s/role/emea-ops"):
        assert len([line for line in lines if line.startswith(f"- `{path}`: was sent, and no answer")]) == 1
    jwt = next(field for field in unclear[2]["fields"] if field["field"] == "token_reviewer_jwt")
    (reviewer,) = json.loads(artifacts["reviewer-emea-ember"])
    assert jwt["after"] == f"sha256:{reviewer['sha256']}", "the diagnosis has a record of the token"


@pytest.mark.long
async def test_the_report_of_a_retry_elsewhere_counts_what_the_first_attempt_changed(
    world: World, tmp_path: Path
) -> None:
    with worker_of_its_own(tmp_path / "one"):
        run = await enabled(world, reviewer_token="token-request", reviewer_token_lifetime="24h")
    first = (await run.artifacts())["report-emea-ember"]
    assert len(sections(first)[0]) == 6
    traffic = Traffic(world)
    with worker_of_its_own(tmp_path / "another"):
        await retry(run)
    assert (await run.artifacts())["report-emea-ember"] == first
    assert traffic.writes() == []


@pytest.mark.long
async def test_a_retry_does_again_what_somebody_undid_since_the_step_was_done(world: World) -> None:
    run = await enabled(world)
    first = (await run.artifacts())["report-emea-ember"]
    role = "auth/ember-k8s/role/emea-ops"
    before = world.vault.request("GET", role)["data"]
    world.as_vault_admin("DELETE", role)
    await retry(run)
    assert world.vault.request("GET", role)["data"] == before
    assert (await run.artifacts())["report-emea-ember"] == first


@contextmanager
def worker_of_its_own(home: Path) -> Iterator[None]:
    """On a machine where results of a run would lie here; it leaves none."""
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: home}):
        yield
    assert not home.exists()


async def retry(run: Run) -> None:
    """Press *Retry*, and execute until the end."""
    async with get_client() as client:
        await client.set_flow_run_state(run.id, AwaitingRetry(), force=True)
    assert await run.go() == "Completed", run.error


async def test_a_step_that_fails_half_way_leaves_the_records_of_what_it_did(world: World) -> None:
    # The group may be written, its alias may not.
    group = "identity/group/name/vault-admins-emea"
    policy = policy_of_the_tests(world.vault).replace(
        f'path "{group}" {{\n  capabilities = ["read"]',
        f'path "{group}" {{\n  capabilities = ["read", "create", "update"]',
    )
    rule = 'path "identity/group-alias" {'
    assert rule in policy
    world.connect(vault__token=token_with(world.vault, policy.replace(rule, 'path "unused" {')))
    world.vault.request("DELETE", group)
    wanted = EnableRequest.model_validate(world.parameters)

    @flow(name="only-the-group")
    async def only_the_group() -> None:
        write_group(wanted, ANY_PLAN)

    run = await Run.create(only_the_group, {})
    assert await run.go() == "Failed"
    assert "our token may not write identity/group-alias" in str(run.error)
    assert [one["object"] for one in await records(run)] == ["group/vault-admins-emea"]


UNAUDITED = "Vault has no audit device: it does not record what is done in it."


async def reported(world: World) -> tuple[str, str]:
    """The report's line on Vault's audit devices, and the log, of a run of this step alone."""
    wanted = EnableRequest.model_validate(world.parameters)

    @flow(name="only-the-report")
    async def only_the_report() -> None:
        publish_report(wanted, Landing("0" * 40), ("v1",), [], ())

    run = await Run.create(only_the_report, {})
    assert await run.go() == "Completed", run.error
    text = str((await run.artifacts())["report-emea-ember"])
    assert f"X-Correlation-Id: {run.id}" in text
    (line,) = [line for line in text.splitlines() if "audit devices" in line]
    return line, await run.logs()


@pytest.mark.long
async def test_the_report_names_audit_devices_warns_where_there_are_none_and_does_not_guess(
    world: World, tmp_path: Path
) -> None:
    def may_look(admin: VaultAdmin) -> str:
        return policy_of_the_tests(admin, ["audit"])

    line, log = await reported(world)
    assert "Vault's audit devices: not known, our token may not read them." in line
    assert UNAUDITED not in log

    world.connect(vault__token=token_with(world.vault, policy_of_the_tests(world.vault, ["audit"])))
    line, log = await reported(world)
    assert "Vault's audit devices: file/." in line
    assert UNAUDITED not in log

    with VaultServer(tmp_path / "unaudited", pipeline_policy=may_look, audit=False) as vault:
        connected = {"vault__address": vault.address, "vault__ca_cert": vault.ca_pem}
        world.connect(**connected, vault__token=vault.pipeline_token)
        line, log = await reported(world)
        assert "Vault's audit devices: ⚠️ none: Vault does not record what is done in it." in line
        assert UNAUDITED in log

        world.connect(**connected, vault__token=token_with(vault, policy_of_the_tests(vault)))
        line, log = await reported(world)
        assert "Vault's audit devices: not known" in line
        assert UNAUDITED not in log
        assert not vault.audit_log.exists()
