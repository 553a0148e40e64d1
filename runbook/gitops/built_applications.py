"""The Applications in the builds: what they are called, and whether one deploys our folder."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.application_names import APP_OF_APPS, BY_OTHERS, ApplicationNames
from runbook.documents import field
from runbook.gitops.applications import deploy_folder
from runbook.gitops.builds import CHANGED, Builds, Verdict, otherwise
from runbook.gitops.built import Built
from runbook.gitops.tree import Manifest, name_of
from runbook.layout import Layout
from runbook.request import ClusterRequest


def application_names(
    builds: Builds, app_of_apps: Built, request: ClusterRequest, layout: Layout
) -> ApplicationNames:
    """The names as they are built; the folder in words where no build has an Application of it."""
    target, applications = request.target, builds.applications.after

    def name(built: Built, folder: str) -> str:
        called = (_called(item) for item in _deploying(built, folder))
        return next(called, f"the Application that deploys {folder}")

    folder, made_by = layout.applications_of(target), layout.application_set_of(target)
    above = f"the Application that brings the ApplicationSet of {made_by}" if made_by else APP_OF_APPS
    installing = (
        name(applications, layout.installing_folder_of(target)) if layout.operator_bundle else BY_OTHERS
    )
    with_namespace = (
        name(applications, built.folder)
        for built in (builds.overlay.after, builds.operator.after)
        if target.operator.namespace in map(name_of, built.objects("Namespace"))
    )
    return ApplicationNames(
        name(app_of_apps, folder) if folder else above,
        name(applications, layout.cluster_overlay_of(target)),
        name(applications, layout.reviewer_folder_of(target)),
        installing,
        next(with_namespace, installing),
    )


def _called(item: Manifest) -> str:
    """What a set calls the Applications that it makes, only its controller knows."""
    is_set = field(item, "kind") == "ApplicationSet"
    return f"an Application of ApplicationSet {name_of(item)}" if is_set else name_of(item) or ""


def _deploying(built: Built, folder: str) -> list[Manifest]:
    found = built.objects("Application", "ApplicationSet")
    return [item for item in found if deploy_folder([item], folder)]


def judge_application(builds: Builds, request: ClusterRequest, layout: Layout) -> Verdict:
    """Our Application, and what it has to have in common with the one of the cluster's own resources."""
    folder, applications = layout.operator_overlay_of(request.target), builds.applications.after
    if folder is None or builds.operator.after.absent:
        return "ok", "not needed: the operator has no folder of its own", ""
    ours = _deploying(applications, folder)
    names = ", ".join(map(_called, ours))
    if not ours:
        found = f"{applications.folder} builds no Application of that path"
        return "failed", found, "Find what in the kustomizations changes our Application, and correct it."
    if len(ours) > 1:
        remedy = "Keep one of them: they take the objects from each other."
        return "warning", f"{names} all deploy it", remedy
    siblings = _deploying(applications, layout.cluster_overlay_of(request.target))
    destination = field(siblings[0], "spec", "destination") if siblings else None
    if ours[0].get("kind") == "Application" and isinstance(destination, Mapping):
        namespace = request.conventions.operator.namespace
        meant = {"spec": {"destination": {**destination, "namespace": namespace}}}
        if differences := "; ".join(otherwise(ours[0], meant)):
            return "warning", f"{names}: {differences}", CHANGED
    return "ok", names, ""
