"""Which files an onboarding changes, and to what.

Everything is compared with what kustomize would build, not with how it is written down: a line that is there
in another spelling, a bundle that comes in through a common overlay or a token Secret in the base is not
added a second time (kustomize refuses an object that it meets twice).
"""

from __future__ import annotations

import posixpath
from collections import Counter
from dataclasses import dataclass

from runbook import manifests
from runbook.errors import Conflict, InvalidInput, PrerequisiteMissing
from runbook.gitops.tree import (
    Build,
    FileEdit,
    Kustomization,
    Tree,
    build_of,
    field,
    folders_like,
    kustomization_of,
    manifests_in,
    name_of,
)
from runbook.kustomization import insert_resource
from runbook.layout import Layout
from runbook.names import (
    ESO_NAMESPACE,
    REVIEWER_SERVICE_ACCOUNT,
    REVIEWER_TOKEN_SECRET,
    SECRET_STORE,
    Cluster,
)
from runbook.request import EnableRequest

BASE = "base"
"""Folder in `secret-mgmt` with what every namespace gets."""

_GROUP = "external-secrets.io/"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What a SecretStore needs to know that is not in the repository."""

    server: str
    """Vault's address, as the cluster reaches it."""
    ca_pem: str | None
    """Certificates to trust for ``server``; None for those that the operator's image trusts."""
    served_versions: tuple[str, ...]
    """Versions that the cluster's SecretStore CRD serves; () while the cluster has no such CRD."""


def wanted_edits(
    tree: Tree, request: EnableRequest, layout: Layout, store: StoreSettings
) -> tuple[FileEdit, ...]:
    """The edits that make ``tree`` hold everything that ``request`` asks of the repository.

    Returns:
        One edit a file; () when the change has landed already.

    Raises:
        PrerequisiteMissing: the cluster's overlay or its ArgoCD folder is not there, see `check_repository`.
        Conflict: a file that we would write is there and says something else, or cannot be edited safely.
        InvalidInput: a namespace has the name of a folder that has another meaning.
    """
    draft = _Draft(tree)
    cluster = request.target
    overlay = _required(draft, layout.cluster_overlay_of(cluster), "overlay of the cluster")
    _add_operator(draft, overlay, layout)
    _add_operator_overlay(draft, request, layout)
    _add_application(draft, cluster, layout)
    _add_secret_management(draft, overlay, request, layout, store)
    return draft.edits()


def store_api_version(tree: Tree, request: EnableRequest, layout: Layout, store: StoreSettings) -> str:
    """The version that a new SecretStore is written in: ``v1`` or ``v1beta1``.

    What the request says; else what most other clusters of the repository have; else what the cluster serves,
    the newest first; else ``v1``.
    """
    if request.secret_store_api != "auto":  # noqa: S105 - a version
        return request.secret_store_api
    versions: Counter[str] = Counter()
    for env, name in folders_like(tree, layout.cluster_overlay):
        if (env, name) == (request.env, request.cluster):
            continue
        base = f"{layout.secret_management_of(Cluster(env, name))}/{BASE}"
        for _, manifest in build_of(tree, base).manifests("SecretStore"):
            versions[str(field(manifest, "apiVersion")).removeprefix(_GROUP)] += 1
    if versions:
        return max(sorted(versions), key=lambda version: versions[version])
    return "v1" if "v1" in store.served_versions or not store.served_versions else store.served_versions[0]


class _Draft:
    """A tree with the edits so far; itself a tree, so that each edit sees those before it."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._texts: dict[str, str] = {}

    def read(self, path: str) -> str | None:
        return self._texts[path] if path in self._texts else self._tree.read(path)

    def entries(self, path: str) -> tuple[str, ...]:
        """Those of the tree below: what is new is never listed by who made it."""
        return self._tree.entries(path)

    def put(self, path: str, text: str) -> None:
        self._texts[path] = text

    def insert(self, kustomization: Kustomization, path: str) -> None:
        """Make ``kustomization`` build upon ``path`` as well."""
        entry = posixpath.relpath(path, kustomization.folder)
        text = self.read(kustomization.path)
        self.put(kustomization.path, insert_resource(text or "", entry, kustomization.path))

    def edits(self) -> tuple[FileEdit, ...]:
        edits = (FileEdit(path, self._tree.read(path), text) for path, text in self._texts.items())
        return tuple(edit for edit in edits if edit.before != edit.after)


def _required(tree: Tree, folder: str, what: str) -> Kustomization:
    kustomization = kustomization_of(tree, folder)
    if kustomization is None:
        raise PrerequisiteMissing(
            "Git",
            folder,
            f"the {what} is not in the repository, or has no kustomization file",
            "Add it first, or correct the name of the cluster or the layout of the GitOps connection.",
        )
    return kustomization


def _add_operator(draft: _Draft, overlay: Kustomization, layout: Layout) -> None:
    if layout.operator_bundle not in build_of(draft, overlay.folder).folders:
        draft.insert(overlay, layout.operator_bundle)


def _add_operator_overlay(draft: _Draft, request: EnableRequest, layout: Layout) -> None:
    folder = layout.operator_overlay_of(request.target)
    there = kustomization_of(draft, folder)
    build = build_of(draft, folder, layout.operator_base, layout.operator_bundle)
    missing: list[str] = []
    if there is None or not _brings_reviewer(draft, there, layout):
        missing.append(layout.operator_base)
    if request.reviewer_token == "secret" and not _has_reviewer_token(build):  # noqa: S105 - a mode
        missing.append(_put_reviewer_token(draft, folder))
    if there is None:
        entries = (posixpath.relpath(path, folder) for path in missing)
        draft.put(f"{folder}/kustomization.yaml", manifests.kustomization(entries, ESO_NAMESPACE))
        return
    for path in missing:
        draft.insert(there, path)


def _brings_reviewer(tree: Tree, overlay: Kustomization, layout: Layout) -> bool:
    build = build_of(tree, overlay.folder)
    if layout.operator_base in build.folders:
        return True
    return any(name_of(item) == REVIEWER_SERVICE_ACCOUNT for _, item in build.manifests("ServiceAccount"))


def _has_reviewer_token(build: Build) -> bool:
    for path, secret in build.manifests("Secret"):
        if name_of(secret) != REVIEWER_TOKEN_SECRET:
            continue
        owner = field(secret, "metadata", "annotations", manifests.SERVICE_ACCOUNT_NAME)
        if (secret.get("type"), owner) != (manifests.SERVICE_ACCOUNT_TOKEN, REVIEWER_SERVICE_ACCOUNT):
            raise Conflict(
                "Git",
                path,
                f"Secret {REVIEWER_TOKEN_SECRET} is not a token Secret of {REVIEWER_SERVICE_ACCOUNT}",
                f"Give it the type {manifests.SERVICE_ACCOUNT_TOKEN} and the annotation "
                f"{manifests.SERVICE_ACCOUNT_NAME}: {REVIEWER_SERVICE_ACCOUNT}, or another name.",
            )
        return True
    return False


def _put_reviewer_token(draft: _Draft, folder: str) -> str:
    path = f"{folder}/{REVIEWER_TOKEN_SECRET}.yaml"
    text = draft.read(path)
    if text is None:
        draft.put(path, manifests.reviewer_token())
    elif not _has_reviewer_token(Build(frozenset(), {path: text})):
        raise _in_the_way(path, f"does not hold the Secret {REVIEWER_TOKEN_SECRET}")
    return path


def _add_application(draft: _Draft, cluster: Cluster, layout: Layout) -> None:
    folder = layout.application_group_of(cluster)
    kustomization = _required(draft, folder, "folder of the cluster's ArgoCD Applications")
    deploys = layout.operator_overlay_of(cluster)
    if any(deploys_folder(draft.read(path), deploys) for path in kustomization.members):
        return
    path = f"{folder}/{manifests.APPLICATION}.yaml"
    text = draft.read(path)
    if text is None:
        sibling = f"{folder}/{manifests.SIBLING_APPLICATION}.yaml"
        sibling_text = draft.read(sibling)
        if sibling_text is None:
            raise PrerequisiteMissing(
                "Git",
                sibling,
                "is not in the repository",
                "Add the Application of the cluster's own resources first: ours is deployed as it is.",
            )
        draft.put(path, manifests.application(manifests.deployed_by(sibling_text, sibling), deploys))
    elif not deploys_folder(text, deploys):
        raise _in_the_way(path, f"is not an Application of {deploys}")
    draft.insert(kustomization, path)


def deploys_folder(text: str | None, folder: str) -> bool:
    """Whether ``text`` holds an ArgoCD Application that deploys ``folder``."""
    paths = (field(item, "spec", "source", "path") for item in manifests_in(text or "", "Application"))
    return any(isinstance(path, str) and posixpath.normpath(path) == folder for path in paths)


def _add_secret_management(
    draft: _Draft, overlay: Kustomization, request: EnableRequest, layout: Layout, store: StoreSettings
) -> None:
    folder = layout.secret_management_of(request.target)
    if BASE in request.namespaces:
        raise InvalidInput(
            "input",
            f"namespaces={BASE!r}",
            f"has the name of the folder {folder}/{BASE}",
            "Leave this namespace out, and give it its SecretStore by hand.",
        )
    if not draft.entries(f"{folder}/{BASE}"):
        _put_base(draft, f"{folder}/{BASE}", request, layout, store)
    for namespace in request.namespaces:
        if not draft.entries(f"{folder}/{namespace}"):
            path = f"{folder}/{namespace}/kustomization.yaml"
            draft.put(path, manifests.kustomization([f"../{BASE}"], namespace))
    there = kustomization_of(draft, folder)
    if there is None:
        draft.put(f"{folder}/kustomization.yaml", manifests.kustomization(sorted(request.namespaces)))
    else:
        for namespace in sorted(request.namespaces):
            if f"{folder}/{namespace}" not in there.members:
                draft.insert(there, f"{folder}/{namespace}")
    if folder not in build_of(draft, overlay.folder).folders:
        draft.insert(overlay, folder)


def _put_base(
    draft: _Draft, folder: str, request: EnableRequest, layout: Layout, store: StoreSettings
) -> None:
    files = {
        f"{SECRET_STORE}.yaml": manifests.secret_store(
            request.target,
            request.service_account,
            api_version=store_api_version(draft, request, layout, store),
            server=store.server,
            ca_pem=store.ca_pem,
            skip_dry_run=not store.served_versions,
        ),
        f"{request.service_account}.yaml": manifests.service_account(request.service_account),
    }
    for name, text in files.items():
        draft.put(f"{folder}/{name}", text)
    draft.put(f"{folder}/kustomization.yaml", manifests.kustomization(sorted(files)))


def _in_the_way(path: str, answer: str) -> Conflict:
    return Conflict("Git", path, answer, "Move the file away or correct it, then run again.")
