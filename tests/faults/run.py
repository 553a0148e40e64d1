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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from prefect.logging import disable_run_logger

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.approval import ApprovedPlan
from runbook.errors import PrerequisiteMissing, VerificationFailed
from runbook.gitops import meaning_of, unmet, wanted_edits
from runbook.plan import Plan, PlannedFile, plan_sha256, vault_section
from runbook.records import Context
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks.auth_config import ApiServer, realize_config
from tasks.auth_method import realize_mount
from tasks.diagnose import failure
from tasks.diagnosis.examine import Asked, examine
from tasks.group import realize_group
from tasks.mandate import Mandate, recorded
from tasks.merge_gate import _who
from tasks.policies import realize_policies
from tasks.preflight.step import Connections, investigate
from tasks.pull_request import _as_found, _propose
from tasks.records import Recorder
from tasks.repository import clone, store_settings
from tasks.role import realize_role
from tasks.verify import await_store, prove_login
from tasks.wait_until_synced import _wait

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
            if not call("check the merge", lambda: steps.check_merge(checked, proposal)):
                return WAITS
            approved = proposal["plan_sha256"]
        steps.find_plan(approved)
        call("wait until synced", steps.wait_until_synced)
        call("write policies", steps.write_policies)
        call("write group and alias", steps.write_group)
        call("enable auth method", steps.enable_auth_method)
        call("configure auth method", steps.configure_auth_method)
        call("write role", steps.write_role)
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

    def preflight(self) -> dict[str, Any]:
        found = investigate(Connections(self.vault, self.repository, self.cluster), self.request)
        error = found.error(self.request.target)
        if error is not None:
            raise error
        files = tuple(PlannedFile(edit.path, edit.diff()) for edit in found.edits)
        plan = Plan(self.request.target, files, found.changes)
        (self.plans / plan.sha256).write_text(json.dumps(plan.as_json()))
        return {
            "plan_sha256": plan.sha256,
            "vault_changes": vault_section(plan.changes),
            "served_versions": list(found.served_versions),
        }

    def open_pull_request(self, checked: dict[str, Any]) -> dict[str, Any]:
        settings = store_settings(self.vault, tuple(checked["served_versions"]))
        request, repository = self.request, self.repository
        wanted = json.loads(self.waits_for.read_text()) if self.waits_for.exists() else {}
        with clone(repository) as base, repository.github() as github:
            edits = wanted_edits(base.tree, request, repository.layout, settings)
            found = github.find_pull_request(repository.owner, request.target.branch, repository.base_branch)
            if edits:
                recorder = self._recorder()
                proposed = _propose(request, repository, github, base, settings, checked, found, recorder)
                wanted = meaning_of(edits)
            else:
                proposed = _as_found(request, found, shared=False)
        return proposed.as_json() | {"wanted": wanted}

    def check_merge(self, checked: dict[str, Any], proposal: dict[str, Any]) -> bool:
        settings = store_settings(self.vault, tuple(checked["served_versions"]))
        with clone(self.repository) as base:
            edits = wanted_edits(base.tree, self.request, self.repository.layout, settings)
            lacking = unmet(base.tree, proposal["wanted"])
        if edits or lacking:
            self.waits_for.write_text(json.dumps(proposal["wanted"]))
            return False
        _who(self.repository, proposal)
        return True

    def find_plan(self, sha256: str) -> None:
        plan = json.loads((self.plans / sha256).read_text())
        assert plan_sha256(plan) == sha256
        self.plan = ApprovedPlan(sha256, plan["changes"])

    def wait_until_synced(self) -> None:
        with self.cluster.client() as openshift:
            _wait(openshift, self.request)

    def write_policies(self) -> None:
        with self._vault() as vault:
            realize_policies(vault, self.request, self._mandate(vault))

    def write_group(self) -> None:
        with self._vault() as vault:
            realize_group(vault, self.request, self._mandate(vault))

    def enable_auth_method(self) -> None:
        with self._vault() as vault:
            realize_mount(vault, self.request, self._mandate(vault))

    def configure_auth_method(self) -> None:
        with self.cluster.client() as openshift, self._vault() as vault:
            api = ApiServer(*self.cluster.as_vault_sees_it(openshift))
            realize_config(vault, openshift, self.request, api, self._mandate(vault))

    def write_role(self) -> None:
        with self._vault() as vault:
            realize_role(vault, self.request, self._mandate(vault))

    def verify_login(self) -> None:
        with self.cluster.client() as openshift, self._vault() as vault:
            try:
                for namespace in self.request.namespaces:
                    prove_login(vault, openshift, self.request, namespace)
            except (VerificationFailed, PrerequisiteMissing) as error:
                raise failure(examine(Asked(vault, openshift), self.request)) or error from error
            for namespace in self.request.namespaces:
                await_store(openshift, self.request, namespace, 0)

    def publish_report(self) -> None:
        with self._vault() as vault:
            vault.audit_devices()

    def _vault(self) -> Vault:
        return self.vault.client(correlation_id="a run without Prefect")

    def _mandate(self, vault: Vault) -> Mandate:
        assert self.plan is not None
        return recorded(self.request, self.plan, vault, self._recorder())

    def _recorder(self) -> Recorder:
        return Recorder(Context("a run without Prefect", None, "a test"), self.request.gitops)
