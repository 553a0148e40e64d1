"""Which files an onboarding changes, and to what.

Everything is compared with what kustomize would build, not with how it is written down: a line that is there
in another spelling, a bundle that comes in through a common overlay or a token Secret in the base is not
added a second time (kustomize refuses an object that it meets twice).
"""

from __future__ import annotations

from runbook import manifests
from runbook.conventions import Operator
from runbook.documents import field
from runbook.errors import Conflict
from runbook.gitops.built import Present
from runbook.gitops.draft import Draft, required
from runbook.gitops.our_application import add_application
from runbook.gitops.secret_management import SecretManagement, check_requested_version
from runbook.gitops.tree import Build, FileEdit, Tree, build_of
from runbook.kustomization import scalar
from runbook.layout import Layout
from runbook.manifests import StoreSettings
from runbook.names import Cluster
from runbook.request import ClusterRequest


def wanted_edits(
    tree: Tree,
    request: ClusterRequest,
    layout: Layout,
    store: StoreSettings,
    present: Present | None = None,
) -> tuple[FileEdit, ...]:
    """The edits that make ``tree`` hold everything that ``request`` asks of the repository.

    Args:
        tree: a commit's files.
        request: the run's parameters.
        layout: where things are in this repository.
        store: what a SecretStore needs to know.
        present: objects that others have already; they are used, and not added.

    Returns:
        One edit a file; () when the change has landed already.

    Raises:
        PrerequisiteMissing: the cluster's overlay or its ArgoCD folder is not there, see `check_repository`.
        Conflict: a file that we would write is there and says something else, or cannot be edited safely.
        InvalidInput: a namespace has the name of a folder that has another meaning, or the cluster does not
            serve the requested version of the SecretStore.
    """
    check_requested_version(request, store)
    present = present or Present()
    draft = Draft(tree)
    cluster = request.target
    overlay = required(draft, layout.cluster_overlay_of(cluster), "overlay of the cluster")
    _add_operator(draft, cluster, layout, present)
    add_operator_overlay(draft, request, layout)
    add_application(draft, cluster, layout)
    folders = SecretManagement(draft, request, layout, store)
    if cluster.store.is_cluster_wide:
        folders.add_cluster_store(overlay, present)
        return draft.edits()
    elsewhere = folders.elsewhere(present)
    if not all(elsewhere.values()):
        folders.complete_base()
    folders.add(overlay, elsewhere, present)
    return draft.edits()


def namespace_edits(
    tree: Tree,
    request: ClusterRequest,
    layout: Layout,
    store: StoreSettings,
    present: Present | None = None,
) -> tuple[FileEdit, ...]:
    """The edits that give namespaces of a cluster that is enabled their SecretStore and ServiceAccount.

    Args:
        tree, layout, store: as of `wanted_edits`.
        request: the run's parameters, with those by which the cluster was enabled.
        present: see `Present.in_overlay`.

    Returns:
        One edit a file; () when the change has landed already.

    Raises:
        PrerequisiteMissing: the overlay or the base with the SecretStore is not there.
        Conflict: a file that we would write is there and says something else, or cannot be edited safely.
        InvalidInput: a namespace has the name of a folder that has another meaning.
    """
    draft = Draft(tree)
    overlay = required(draft, layout.cluster_overlay_of(request.target), "overlay of the cluster")
    present = present or Present()
    folders = SecretManagement(draft, request, layout, store)
    if request.target.store.is_cluster_wide:
        folders.cluster_store(overlay, present).require()
        folders.add_cluster_store(overlay, present)
        return draft.edits()
    elsewhere = folders.elsewhere(present)
    folders.add(overlay, elsewhere, present)
    edits = draft.edits()
    if edits:
        folders.require_base()
    return edits


def _add_operator(draft: Draft, cluster: Cluster, layout: Layout, present: Present) -> None:
    bundle, folder = layout.operator_bundle, layout.installing_folder_of(cluster)
    if bundle is None or bundle in build_of(draft, folder, layout.cluster_overlay_of(cluster)).folders:
        return
    there = {path for path, keys in present.bundle.items() if keys & present.overlay}
    # Kustomize refuses an object that it meets twice: of a bundle that is there in part, the rest is added.
    missing = [path for path in present.bundle if path not in there] if there else [bundle]
    # No `namespace:` in a new kustomization: the objects of a bundle may be for several.
    draft.build_upon(folder, *missing)


def add_operator_overlay(draft: Draft, request: ClusterRequest, layout: Layout) -> None:
    """Have the overlay of the operator build the reviewer's ServiceAccount and its token Secret.

    Raises:
        Conflict: a file, or a Secret of that name, is somebody else's.
    """
    folder, base = layout.operator_overlay_of(request.target), layout.operator_base
    if folder is None:
        return
    operator = request.conventions.operator
    there = build_of(draft, folder)
    missing = []
    has_account = operator.reviewer in there.named("ServiceAccount")
    if base is not None and base not in there.folders and not has_account:
        missing.append(base)
    overlay = layout.cluster_overlay_of(request.target)
    # Without base or bundle, what they would bring may be in the cluster's overlay.
    build = build_of(draft, folder, base or overlay, layout.operator_bundle or overlay)
    if base is None and operator.reviewer not in build.named("ServiceAccount"):
        missing.append(f"{folder}/{operator.reviewer}.yaml")
        account = manifests.service_account(operator.reviewer, operator.namespace)
        draft.put_object(missing[-1], account, "ServiceAccount", operator.reviewer)
    if request.reviewer_token == "secret" and not _has_reviewer_token(build, operator):  # noqa: S105 - a mode
        token = f"{folder}/{operator.reviewer_token}.yaml"
        text = manifests.reviewer_token(operator)
        if layout.bundle_listed_in == "operator_overlay":  # its kustomization sets no namespace, see there
            text = text.replace("\ntype:", f"\n  namespace: {scalar(operator.namespace)}\ntype:")
        draft.put_object(token, text, "Secret", operator.reviewer_token)
        _has_reviewer_token(build_of(draft, token), operator)
        missing.append(token)
    draft.build_upon(folder, *missing, namespace=operator.namespace)


def _has_reviewer_token(build: Build, operator: Operator) -> bool:
    if operator.reviewer_token not in (secrets := build.named("Secret")):
        return False
    path, secret = secrets[operator.reviewer_token]
    owner = field(secret, "metadata", "annotations", manifests.SERVICE_ACCOUNT_NAME)
    if (secret.get("type"), owner) != (manifests.SERVICE_ACCOUNT_TOKEN, operator.reviewer):
        raise Conflict(
            "Git",
            path,
            f"Secret {operator.reviewer_token} is not a token Secret of {operator.reviewer}",
            f"Give it the type {manifests.SERVICE_ACCOUNT_TOKEN} and the annotation "
            f"{manifests.SERVICE_ACCOUNT_NAME}: {operator.reviewer}, or rename it.",
        )
    return True
