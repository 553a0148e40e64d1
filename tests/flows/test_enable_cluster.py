"""The flow, from the form to the proved login, in this process through a real Prefect server."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.schemas.objects import TaskRun, TaskRunResult

from bench.traffic import Traffic
from runbook.errors import PrerequisiteMissing
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tests.eventually import eventually
from tests.kubernetes_objects import Cluster
from tests.operator_by_hand import VALID, Operator
from tests.run import at_the_gate, enable, land
from tests.tables import rows_of
from tests.world import World


@dataclass(frozen=True)
class Enabled:
    """A cluster that one run enabled, from the form to the proved login, and what a second run then did."""

    id: UUID
    pull: dict[str, Any]
    report: str
    tasks: list[TaskRun]
    asked: Counter[str]
    wrote: list[str]
    again_report: str
    again_preflight: str
    again_wrote: list[str]
    again_asked: Counter[str]
    pulls: int


@pytest.fixture(scope="module")
async def enabled(
    prefect_harness: PrefectServer, vault_server: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> Enabled:
    vault_server.reset()
    with World.at(tmp_path_factory.mktemp("enabled"), vault_server) as world:
        world.connect()
        traffic = Traffic(world)
        run = await at_the_gate(world)
        asked = [one.system for one in traffic.requests()]
        (pull,) = world.pulls()
        await land(world, run)
        # What came meanwhile is the reviewer's and ArgoCD's.
        behind_the_gate = Traffic(world)
        assert await run.go() == "Completed", run.error
        asked += [one.system for one in behind_the_gate.requests()]
        wrote = traffic.writes()
        traffic.forget()
        again = await enable(world)
        assert await again.go() == "Completed", again.error
        reports = [str((await one.artifacts())["report-emea-ember"]) for one in (run, again)]
        preflight = str((await again.artifacts())["preflight-emea-ember"])
        return Enabled(
            run.id,
            pull,
            reports[0],
            await run.tasks(),
            Counter(asked),
            wrote,
            reports[1],
            preflight,
            traffic.writes(),
            Counter(one.words for one in traffic.requests()),
            len(world.pulls()),
        )


def test_a_cluster_is_enabled_and_a_second_run_writes_nothing_anywhere(enabled: Enabled) -> None:
    assert "payments/vault-secret-fetcher logs in at ember-k8s" in enabled.report
    assert "web/vault-secret-fetcher logs in at ember-k8s" in enabled.report
    assert "is Ready: not proved: no operator has reconciled it yet; waited" in enabled.report
    assert enabled.report.startswith("# Vault accepts logins of emea/ember; the operator was not seen\n")
    assert enabled.wrote, "the first run writes, so the count of the second can be believed"
    assert enabled.again_wrote == []
    assert "No pull request was needed; seen on the base branch" in enabled.again_report
    assert enabled.pull["html_url"] not in enabled.again_report
    assert enabled.again_asked.total() > 20
    assert "Nothing; everything was as wanted." in enabled.again_report
    assert enabled.pulls == 1


def test_a_first_run_asks_each_thing_once_where_it_cannot_have_changed(enabled: Enabled) -> None:
    # Of Vault two looks of preflight, then of each step a look, its writes, and a look back.
    assert enabled.asked["Vault"] <= 47
    # Of the cluster 6 are two looks at the SecretStores, which no operator makes Ready.
    assert enabled.asked["cluster"] <= 27
    assert enabled.asked["GitHub's API"] <= 7
    # A clone an execution; then what the server has now, for the branch's name and for the pull request.
    assert enabled.asked["Git"] <= 16


def test_a_second_run_reads_no_object_again_that_its_preflight_has_found_as_wanted(enabled: Enabled) -> None:
    for path in ("sys/policies/acl/emea-kv-r", "identity/group/name/vault-admins-emea", "sys/auth"):
        assert enabled.again_asked[f"read {path}"] == 1, path


def test_where_nothing_is_to_be_pushed_the_branch_is_not_asked_for_and_not_said_to_be_fine(
    enabled: Enabled,
) -> None:
    (row,) = [
        one for one in rows_of(enabled.again_preflight) if "The branch of the change can be created" in one
    ]
    assert "nothing to push" in row
    assert "✅" not in row


def test_the_pull_request_says_what_why_and_what_follows(enabled: Enabled) -> None:
    assert enabled.pull["title"] == "Enable Vault secrets on emea/ember"
    body = enabled.pull["body"]
    assert "`cluster-scope/overlays/prod/emea/ember/kustomization.yaml`" in body
    assert "| `auth/ember-k8s` | **is created** |" in body
    assert 'path "k8s_secrets/data/emea/*"' in body
    assert re.search(rf"^\[Flow run in Prefect\]\(http\S+/flow-run/{enabled.id}\)$", body, re.MULTILINE)


def test_the_steps_depend_on_each_other_in_the_order_of_the_runbook(enabled: Enabled) -> None:
    names = {task.id: task.name for task in enabled.tasks}
    upstream = {
        names[task.id]: {
            names[part.id]
            for parts in task.task_inputs.values()
            for part in parts
            if isinstance(part, TaskRunResult)
        }
        for task in enabled.tasks
    }
    assert upstream["open the pull request"] == {"preflight"}
    approved = "look for the approved plan"
    assert upstream[approved] == {"open the pull request", "look for the merge"}
    # Preflight knows what the Applications are called; what it returns goes through the pull request step.
    assert {approved} < upstream["wait until synced"] <= {approved, "preflight", "open the pull request"}
    # The approved plan has the address of the pull request.
    needed = {
        name: upstream[name] - {"open the pull request"}
        for name in upstream
        if name.startswith(("write", "enable", "configure"))
    }
    assert needed == {
        "write policies": {approved},
        "write group and alias": {approved, "write policies"},
        "enable auth method": {approved, "write group and alias"},
        "configure auth method": {approved, "enable auth method", "wait until synced"},
        "write role": {approved, "configure auth method"},
    }
    # What preflight returns goes through these steps, too.
    known_by = {"preflight", "open the pull request", "wait until synced"}
    assert {"write role"} < upstream["verify the login"] <= {"write role", *known_by}


def operator_after_first_look(world: World) -> threading.Thread:
    """The operator of a new cluster: it judges the stores once the run has looked at them."""
    path = "/apis/external-secrets.io/v1/namespaces/{}/secretstores/opf-vault-store"
    operator = Operator(Cluster(world.kubernetes), {})

    def judge() -> None:
        for namespace in ("payments", "web"):
            eventually(lambda: ("GET", path.format(namespace)) in world.kubernetes.requests)  # noqa: B023 - called at once
            operator.judge(namespace, VALID)

    made = threading.Thread(target=judge)
    made.start()
    return made


async def test_an_operator_that_comes_after_our_sync_is_awaited_on_the_runs_page(world: World) -> None:
    run = await at_the_gate(world, store_timeout="2m")
    await land(world, run)
    operator = operator_after_first_look(world)
    assert await run.go() == "Completed", run.error
    operator.join()
    report = str((await run.artifacts())["report-emea-ember"])
    assert report.count("is Ready: store validated") == 2
    assert report.startswith("# emea/ember reads its secrets from Vault\n")
    waits = "waiting until SecretStore payments/opf-vault-store is Ready: no operator has reconciled it yet"
    assert waits in await run.logs()


@pytest.mark.long
async def test_a_build_that_is_not_as_we_mean_it_ends_the_run_before_anything_is_written(
    world: World, tmp_path: Path
) -> None:
    checkout = world.clone(tmp_path)
    overlay = checkout.folder / "cluster-scope/overlays/prod/emea/ember/kustomization.yaml"
    overlay.write_text(f"{overlay.read_text()}namePrefix: ember-\n")
    checkout.git("commit", "--quiet", "--all", "--message", "Name all objects after the cluster")
    checkout.git("push", "--quiet", "origin", "main")

    traffic = Traffic(world)
    run = await enable(world)
    assert await run.go() == "Failed"
    assert isinstance(run.error, PrerequisiteMissing)
    assert "Our objects in the overlay of emea/ember" in str(run.error)
    assert "SecretStore payments/ember-opf-vault-store" in str(run.error)
    artifacts = await run.artifacts()
    (row,) = [each for each in rows_of(artifacts["preflight-emea-ember"]) if "❌" in each]
    assert ": Our objects in the overlay of emea/ember**" in row
    assert traffic.writes() == []
    assert world.pulls() == []
    checkout.git("fetch", "--quiet", "origin")
    assert "enable-vault" not in checkout.git("branch", "--remotes")


@pytest.mark.long
async def test_a_run_proposes_from_a_fork_that_it_makes(world: World) -> None:
    world.connect(gitops__fork="pipeline")
    run = await at_the_gate(world)
    (pull,) = world.pulls()
    assert pull["head"]["label"] == "pipeline:enable-vault/emea/ember"
    await land(world, run)
    assert await run.go() == "Completed", run.error
