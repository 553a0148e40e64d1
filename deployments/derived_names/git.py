"""What is in the GitOps repository under the names of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from connections import GitOpsRepository
from deployments.derived_names.rows import BEFORE, DerivedName, Finding
from runbook.gitops import Present, StoreSettings, Tree, check_way
from runbook.gitops.checks import app_of_apps
from runbook.gitops.draft import Draft
from runbook.gitops.edits import add_operator_overlay
from runbook.gitops.our_application import add_application
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
    """All paths that a run reads or writes in the repository, and its branch; none that it does not have."""
    target, branch = request.target, request.subject.branch
    overlay, operator = layout.cluster_overlay_of(target), layout.operator_overlay_of(target)
    applications, stores = layout.applications_of(target), layout.secret_management_of(target)
    group, above = layout.application_group_of(target), layout.app_of_apps_of(target)
    ours = f"{group}/{layout.application_of(target)}.yaml" if group and operator else None
    base = layout.operator_base if operator else None

    def add_stores(draft: Draft) -> None:
        folders = SecretManagement(draft, request, layout, _ANY_STORE)
        if not target.store.is_cluster_wide:
            folders.complete_base()
        elif there := kustomization_of(draft, overlay):
            folders.add_cluster_store(there, Present())

    add_operator = partial(_added, lambda draft: add_operator_overlay(draft, request, layout))
    add_ours = partial(_added, lambda draft: add_application(draft, target, layout))
    rows: tuple[tuple[str, str | None, Callable[[str, GitLook], Finding]], ...] = (
        ("overlay of the cluster", overlay, _built),
        ("operator's bundle", layout.operator_bundle, _built),
        ("operator's base", base, _built),
        ("operator's overlay", operator, add_operator),
        ("folder of the Applications", applications, _built),
        ("our Application", ours, add_ours),
        ("app-of-apps", above, partial(_app_of_apps, applications or "")),
        ("ApplicationSet", layout.application_set_of(target), add_ours),
        ("folder of the stores", stores, partial(_added, add_stores)),
        ("branch of the change", branch, _branch),
    )
    return [DerivedName(what, path, partial(look, path)) for what, path, look in rows if path is not None]


def _built(folder: str, look: GitLook) -> Finding:
    """A folder with a kustomization, which people have made."""
    check_way(look.tree, f"{folder}/kustomization.yaml")
    if kustomization_of(look.tree, folder):
        return Finding("ours")
    if look.tree.entries(folder):
        return Finding("ours, differs", "has no kustomization file")
    return Finding("absent", BEFORE)


def _added(add: Callable[[Draft], None], path: str, look: GitLook) -> Finding:
    """What a run adds: ours where it would not change anything."""
    draft = Draft(look.tree)
    add(draft)
    there = bool(look.tree.entries(path)) or look.tree.read(path) is not None
    if changed := ", ".join(edit.path for edit in draft.edits()):
        return Finding("ours, differs", f"a run changes {changed}") if there else Finding("absent")
    return Finding("ours", "" if there else "what a run would add here is built from elsewhere")


def _app_of_apps(applications: str, folder: str, look: GitLook) -> Finding:
    if not look.tree.entries(folder):
        return Finding("absent", BEFORE)
    found, missing = app_of_apps(look.tree, applications, folder)
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
