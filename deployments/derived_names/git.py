"""What is in the GitOps repository under the names of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from connections import GitOpsRepository
from deployments.derived_names.rows import BEFORE, DerivedName, Finding
from runbook import manifests
from runbook.gitops import StoreSettings, Tree, check_way
from runbook.gitops.applications import add_application
from runbook.gitops.checks import app_of_apps
from runbook.gitops.draft import Draft
from runbook.gitops.edits import add_operator_overlay
from runbook.gitops.secret_management import SecretManagement
from runbook.gitops.tree import kustomization_of
from runbook.layout import Layout
from runbook.request import EnableRequest
from systems.gitops import GitOpsClone

_ANY_STORE = StoreSettings("", None, ("v1",))
"""Whether a store is there is seen by its name alone."""


@dataclass(frozen=True, slots=True)
class GitLook:
    """A clone, and the connection that it is of."""

    connection: GitOpsRepository
    clone: GitOpsClone

    @property
    def tree(self) -> Tree:
        """The base branch."""
        return self.clone.tree


def names_in_git(request: EnableRequest, layout: Layout) -> list[DerivedName[GitLook]]:
    """All paths that a run reads or writes in the repository, and its branch."""
    target, branch = request.target, request.subject.branch
    overlay, operator = layout.cluster_overlay_of(target), layout.operator_overlay_of(target)
    applications, stores = layout.applications_of(target), layout.secret_management_of(target)
    application = f"{layout.application_group_of(target)}/{manifests.APPLICATION}.yaml"

    def add_operator(draft: Draft) -> None:
        add_operator_overlay(draft, request, layout)

    def add_ours(draft: Draft) -> None:
        add_application(draft, target, layout)

    def add_stores(draft: Draft) -> None:
        SecretManagement(draft, target, layout, request.service_account, _ANY_STORE).complete_base()

    return [
        DerivedName("overlay of the cluster", overlay, partial(_built, overlay)),
        DerivedName("operator's bundle", layout.operator_bundle, partial(_built, layout.operator_bundle)),
        DerivedName("operator's base", layout.operator_base, partial(_built, layout.operator_base)),
        DerivedName("operator's overlay", operator, partial(_added, operator, add_operator)),
        DerivedName("folder of the Applications", applications, partial(_built, applications)),
        DerivedName("our Application", application, partial(_added, application, add_ours)),
        DerivedName("app-of-apps", layout.app_of_apps, partial(_app_of_apps, applications, layout)),
        DerivedName("folder of the stores", stores, partial(_added, stores, add_stores)),
        DerivedName("branch of the change", branch, partial(_branch, branch)),
    ]


def _is_there(tree: Tree, path: str) -> bool:
    return bool(tree.entries(path)) or tree.read(path) is not None


def _built(folder: str, look: GitLook) -> Finding:
    """A folder with a kustomization, which people have made."""
    check_way(look.tree, f"{folder}/kustomization.yaml")
    if kustomization_of(look.tree, folder):
        return Finding("ours")
    if look.tree.entries(folder):
        return Finding("ours, differs", "has no kustomization file")
    return Finding("absent", BEFORE)


def _added(path: str, add: Callable[[Draft], None], look: GitLook) -> Finding:
    """What a run adds: ours where it would not change anything."""
    draft = Draft(look.tree)
    add(draft)
    there, edits = _is_there(look.tree, path), draft.edits()
    if edits:
        changed = ", ".join(edit.path for edit in edits)
        return Finding("ours, differs", f"a run changes {changed}") if there else Finding("absent")
    return Finding("ours", "" if there else "what a run would add here is built from elsewhere")


def _app_of_apps(applications: str, layout: Layout, look: GitLook) -> Finding:
    if not look.tree.entries(layout.app_of_apps):
        return Finding("absent", BEFORE)
    found, missing = app_of_apps(look.tree, applications, layout)
    return Finding("ours, differs" if missing else "ours", found)


def _branch(branch: str, look: GitLook) -> Finding:
    connection = look.connection
    if connection.fork:
        with connection.github() as github:
            fork = github.fork_of(connection.fork)
        head = look.clone.head_of(branch, fork.clone_url, connection.token)
    else:
        head = look.clone.head_of(branch)
    return Finding("ours", "a change was proposed on it") if head else Finding("absent")
