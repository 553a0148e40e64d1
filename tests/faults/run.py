"""A run without Prefect: the steps' own functions in the order of `flows.enable_cluster`.

Each step opens its clients anew, as it does as a task, and hands on what the flow hands on. A step that
writes to Vault may write what the approved plan holds and nothing else, and keeps a record of each change.

What steps ask Prefect's API is left out, because nothing fails there on purpose: plans are kept in a folder
instead of artifacts, and beside them what a run waits for, instead of the run's label; records, diagnosis and
report are made and not published; nobody looks for other runs of the same cluster, or for a pull request that
was closed during this run. The runs in ``tests/e2e/test_faults.py`` have all that. Whoever changes the order
or the arguments of the flow's steps changes them here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml
from prefect.logging import disable_run_logger

from change.gate.lack import look_briefly
from change.gate.merge import _who
from change.permission import Permission, permission
from change.records import Recorder
from change.results import Checked, Proposed
from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.application_names import ApplicationNames
from runbook.approval import ApprovedPlan
from runbook.durations import seconds
from runbook.errors import PrerequisiteMissing, VerificationFailed
from runbook.gitops import FileEdit, Tree, meaning_of, unmet
from runbook.plan import Plan, PlannedFile, plan_sha256, to_approve
from runbook.pull_request import plan_of, words
from runbook.records import Context
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks import connect
from tasks.diagnose import examine, failure
from tasks.diagnosis.asking import Asked
from tasks.preflight.step import Connections, investigate
from tasks.pull_request import _as_found, _Proposing
from tasks.runbooks import ENABLE_CLUSTER
from tasks.verify import Stores, prove_login
from tasks.wait_until_synced import POLL, Seeing
from tests.steps import realize_config, realize_group, realize_mount, realize_policies, realize_role

T = TypeVar("T")
Call = Callable[[str, Callable[[], Any]], Any]
"""Tries a step, by its name, and returns what the step returns."""

WAITS, ENABLED = "waits for the merge", "enabled"


@dataclass(frozen=True)
class Scene:
    """Fields of the three connections and parameters of the run; plain JSON, secrets included.

    Attributes:
        plans: the folder in which the plans of all runs are kept, as Prefect's artifacts are, and what the
            run that waits at the gate waits for, as in its label.
    """

    vault: dict[str, Any]
    gitops: dict[str, Any]
    cluster: dict[str, Any]
    parameters: dict[str, Any]
    plans: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may say."""
        (user,) = yaml.safe_load(self.cluster["kubeconfig"])["users"]
        of_vault = self.vault.get("token") or self.vault["approle_secret_id"]
        return of_vault, self.gitops["token"], user["user"]["token"]

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)


def at_once(_name: str, step: Callable[[], T]) -> T:
    """Try a step once."""
    return step()


def run(scene: Scene, call: Callable[[str, Callable[[], Any]], Any] = at_once, *, approved: str = "") -> str:
    """Run up to the gate, or to the end where the change has landed.

    Args:
        scene: where, and for which cluster.
        call: tries a step, by its name.
        approved: hash of the approved plan, to begin behind the gate. What is before it only reads once the
            change has landed, and hands on nothing else.

    Returns:
        `WAITS` or `ENABLED`.

    Raises:
        EnablementError: from the step that failed.
    """
    steps = _Steps(scene)
    with disable_run_logger():
        if not approved:
            checked = call("preflight", steps.preflight)
            proposal = call("open the pull request", lambda: steps.open_pull_request(checked))
            if not call("look for the merge", lambda: steps.check_merge(checked, proposal)):
                return WAITS
            approved = plan_of(proposal.text) or ""
        steps.find_plan(approved)
        call("wait until synced", steps.wait_until_synced)
        call("write policies", lambda: steps.write(realize_policies))
        call("write group and alias", lambda: steps.write(realize_group))
        call("enable auth method", lambda: steps.write(realize_mount))
        call("configure auth method", steps.configure_auth_method)
        call("write role", lambda: steps.write(realize_role))
        call("verify the login", steps.verify_login)
        call("publish the report", steps.publish_report)
    return ENABLED


class _Steps:
    def __init__(self, scene: Scene) -> None:
        self.request = EnableRequest.model_validate(scene.parameters)
        self.vault = VaultConnection.model_validate(scene.vault)
        self.repository = GitOpsRepository.model_validate(scene.gitops)
        self.cluster = ClusterConnection.model_validate(scene.cluster)
        self.plans = Path(scene.plans)
        self.waits_for = self.plans / "waits-for.json"
        self.plan: ApprovedPlan | None = None

    def preflight(self) -> Checked:
        connections = Connections(self.vault, self.repository, self.cluster)
        found = investigate(ENABLE_CLUSTER, connections, self.request)
        error = found.error()
        if error is not None:
            raise error
        files = tuple(PlannedFile(edit.path, edit.diff()) for edit in found.edits)
        plan = Plan(str(self.request.target), files, found.changes)
        (self.plans / plan.sha256).write_text(json.dumps(plan.as_json()))
        vault_changes = to_approve(plan.changes)
        return Checked(plan.sha256, vault_changes, found.served_versions, found.applications, found.signs)

    def open_pull_request(self, checked: Checked) -> Proposed:
        request, repository = self.request, self.repository
        wanted = json.loads(self.waits_for.read_text()) if self.waits_for.exists() else {}

        def missing(tree: Tree) -> tuple[FileEdit, ...]:
            return self._missing(tree, checked)

        with repository.clone() as base, repository.github() as github:
            edits = missing(base.tree)
            found = github.find_pull_request(repository.owner, request.target.branch, repository.base_branch)
            if edits:
                paths, sha256 = [edit.path for edit in edits], checked.plan_sha256
                diffs = {edit.path: edit.diff() for edit in edits}
                purpose = ENABLE_CLUSTER.purpose(request, diffs, repository.layout)
                text = words(purpose, paths, checked.vault_changes, sha256, None)
                recorder = self._recorder()
                proposing = _Proposing(request, checked, repository, github, base, missing, recorder)
                proposed = proposing.propose(edits, text, found)
                wanted = meaning_of(edits)
            else:
                proposed = _as_found(request, found, shared=False)
        return replace(proposed, wanted=wanted)

    def check_merge(self, checked: Checked, proposal: Proposed) -> bool:
        with self.repository.clone() as base:
            edits = self._missing(base.tree, checked)
            lacking = unmet(base.tree, proposal.wanted)
        if edits or lacking:
            self.waits_for.write_text(json.dumps(proposal.wanted))
            return False
        _who(self.repository, proposal, "")
        return True

    def _missing(self, tree: Tree, checked: Checked) -> tuple[FileEdit, ...]:
        return ENABLE_CLUSTER.missing(
            tree, self.request, self.repository, self.vault, checked.served_versions
        )

    def find_plan(self, sha256: str) -> None:
        plan = json.loads((self.plans / sha256).read_text())
        assert plan_sha256(plan) == sha256
        self.plan = ApprovedPlan(sha256, plan["changes"], None)

    def wait_until_synced(self) -> None:
        with self.cluster.client() as openshift:
            until = datetime.now(UTC) + timedelta(seconds=seconds("sync_timeout", self.request.sync_timeout))
            look_briefly(until, POLL, Seeing(openshift, self.request, ApplicationNames()).look)

    def write(self, realize: Callable[[Vault, EnableRequest, Permission], object]) -> None:
        with self.vault.client() as vault:
            realize(vault, self.request, self._permission(vault))

    def configure_auth_method(self) -> None:
        with self.cluster.client() as openshift, self.vault.client() as vault:
            api = self.cluster.as_vault_sees_it(openshift)
            realize_config(vault, openshift, self.request, api, self._permission(vault))

    def verify_login(self) -> None:
        with self.cluster.client() as openshift, self.vault.client() as vault:
            api = self.cluster.as_vault_sees_it(openshift)
            store = connect.store(self.request, self.vault)
            try:
                for namespace in self.request.namespaces:
                    prove_login(vault, openshift, self.request, api, namespace)
            except (VerificationFailed, PrerequisiteMissing) as error:
                raise failure(examine(Asked(self.request, vault, openshift, api, store))) or error from error
            Stores(openshift, store, self.request.namespaces, 0).look(is_last=True)

    def publish_report(self) -> None:
        with self.vault.client() as vault:
            vault.audit_devices()

    def _permission(self, vault: Vault) -> Permission:
        assert self.plan is not None

        def unchecked(_changes: object) -> None: ...

        return permission(self.plan, vault, self._recorder(), unchecked, unchecked, "the ClusterConnection")

    def _recorder(self) -> Recorder:
        context = Context("a run without Prefect", None, "a test")
        return Recorder(context, self.request.gitops, lambda _record: None)
