"""A run without Prefect: the steps' own functions in the order of `flows.enable_cluster`.

Each step opens its clients anew, as it does as a task. What a step returns is handed on as the flow does.
Whoever changes the order or the arguments of the flow's steps changes them here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import yaml
from prefect.logging import disable_run_logger

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.errors import NotYetSynced
from runbook.gitops import wanted_edits
from runbook.plan import Plan, PlannedFile, vault_section
from runbook.records import Context
from runbook.request import EnableRequest
from tasks.auth_config import ApiServer, realize_config
from tasks.auth_method import realize_mount
from tasks.group import realize_group
from tasks.policies import realize_policies
from tasks.preflight.step import Connections, investigate
from tasks.pull_request import _propose
from tasks.records import Recorder
from tasks.repository import clone, store_settings
from tasks.role import realize_role
from tasks.verify import await_store, prove_login
from tasks.wait_until_synced import SECRET_STORE_CRD, missing

T = TypeVar("T")
Call = Callable[[str, Callable[[], Any]], Any]
"""Tries a step, by its name, and returns what the step returns."""

WAITS, ENABLED = "waits for the merge", "enabled"


@dataclass(frozen=True)
class Scene:
    """Fields of the three connections and parameters of the run; plain JSON, secrets included."""

    vault: dict[str, Any]
    gitops: dict[str, Any]
    cluster: dict[str, Any]
    parameters: dict[str, Any]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may say."""
        (user,) = yaml.safe_load(self.cluster["kubeconfig"])["users"]
        return self.vault["token"], self.gitops["token"], user["user"]["token"]

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)


def at_once(_name: str, step: Callable[[], T]) -> T:
    """Try a step once."""
    return step()


def run(
    scene: Scene, call: Callable[[str, Callable[[], Any]], Any] = at_once, *, landed: bool = False
) -> str:
    """Run up to the gate, or to the end where the change has landed.

    Args:
        scene: where, and for which cluster.
        call: tries a step, by its name.
        landed: begin behind the gate. What is before it only reads once the change has landed, and hands
            nothing on to what is behind it.

    Returns:
        `WAITS` or `ENABLED`.

    Raises:
        EnablementError: from the step that failed.
    """
    steps = _Steps(scene)
    with disable_run_logger():
        if not landed:
            checked = call("preflight", steps.preflight)
            call("open the pull request", lambda: steps.open_pull_request(checked))
            if not call("check the merge", steps.check_merge):
                return WAITS
        call("wait until synced", steps.wait_until_synced)
        call("write policies", steps.write_policies)
        call("write group and alias", steps.write_group)
        call("enable auth method", steps.enable_auth_method)
        call("configure auth method", steps.configure_auth_method)
        call("write role", steps.write_role)
        call("verify the login", steps.verify_login)
    return ENABLED


class _Steps:
    def __init__(self, scene: Scene) -> None:
        self.request = EnableRequest.model_validate(scene.parameters)
        self.vault = VaultConnection.model_validate(scene.vault)
        self.repository = GitOpsRepository.model_validate(scene.gitops)
        self.cluster = ClusterConnection.model_validate(scene.cluster)

    def preflight(self) -> dict[str, Any]:
        found = investigate(Connections(self.vault, self.repository, self.cluster), self.request)
        error = found.error(self.request.target)
        if error is not None:
            raise error
        files = tuple(PlannedFile(edit.path, edit.diff()) for edit in found.edits)
        plan = Plan(self.request.target, files, found.changes)
        return {
            "plan_sha256": plan.sha256,
            "vault_changes": vault_section(plan.changes),
            "served_versions": list(found.served_versions),
        }

    def open_pull_request(self, checked: dict[str, Any]) -> None:
        settings = store_settings(self.vault, tuple(checked["served_versions"]))
        request, repository, github = self.request, self.repository, self.repository.github()
        with clone(repository) as base:
            edits = wanted_edits(base.tree, request, repository.layout, settings)
            found = github.find_pull_request(repository.owner, request.target.branch, repository.base_branch)
            if edits:
                recorder = Recorder(Context("a run without Prefect", None, "a test"), request.gitops)
                _propose(request, repository, github, base, settings, checked, found, recorder)

    def check_merge(self) -> bool:
        settings = store_settings(self.vault, ())
        with clone(self.repository) as base:
            return not wanted_edits(base.tree, self.request, self.repository.layout, settings)

    def wait_until_synced(self) -> None:
        with self.cluster.client() as openshift:
            lacking = list(missing(openshift, self.request))
            if lacking:
                raise NotYetSynced("OpenShift", self.request.cluster, f"lacks {lacking[0].what}", "Sync it.")
            openshift.served_versions(SECRET_STORE_CRD)

    def write_policies(self) -> None:
        with self.vault.client() as vault:
            realize_policies(vault, self.request)

    def write_group(self) -> None:
        with self.vault.client() as vault:
            realize_group(vault, self.request)

    def enable_auth_method(self) -> None:
        with self.vault.client() as vault:
            realize_mount(vault, self.request)

    def configure_auth_method(self) -> None:
        with self.cluster.client() as openshift, self.vault.client() as vault:
            api = ApiServer(*self.cluster.as_vault_sees_it(openshift))
            realize_config(vault, openshift, self.request, api)

    def write_role(self) -> None:
        with self.vault.client() as vault:
            realize_role(vault, self.request)

    def verify_login(self) -> None:
        with self.cluster.client() as openshift, self.vault.client() as vault:
            for namespace in self.request.namespaces:
                prove_login(vault, openshift, self.request, namespace)
            for namespace in self.request.namespaces:
                await_store(openshift, self.request, namespace, 0)
