"""The folders with the SecretStore and the starter ServiceAccount: a base, and one folder a namespace.

Instead of the base it may be a component of the repository; instead of both, one ClusterSecretStore.

A folder is judged by what it builds. An object that a folder of other people builds already is used, and not
added: kustomize refuses an object that it meets twice.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import islice

from runbook import manifests
from runbook.documents import mapping_of
from runbook.errors import Conflict, InvalidInput, PrerequisiteMissing
from runbook.gitops.built import Present
from runbook.gitops.cluster_store import ClusterStore
from runbook.gitops.draft import Draft
from runbook.gitops.tree import Kustomization, Tree, build_of, kustomization_of, manifests_in, yaml_files
from runbook.layout import Layout
from runbook.manifests import StoreSettings
from runbook.names import Cluster
from runbook.request import ClusterRequest, SecretStoreApi

BASE = "base"
"""Folder with what every namespace gets."""

_READABLE = 5_000
"""Files that are read to see in which version others have their stores; operate-first/apps has 3,000."""

_GROUP = "external-secrets.io/"
_VERSIONS = ("v1", "v1beta1")
"""Those in which we write a SecretStore, the newest first."""


def store_api_version(
    tree: Tree, target: Cluster, layout: Layout, store: StoreSettings, requested: SecretStoreApi = "auto"
) -> str:
    """The version that a new SecretStore is written in: ``v1`` or ``v1beta1``.

    What is requested; else what the cluster serves, the newest first. While the cluster has no such CRD:
    what most SecretStores of its overlay have; else most that stand where ours will, beside the overlays of
    its environment; else most of a repository that is not too large to be read for it; else ``v1``.
    """
    if requested != "auto":
        return requested
    served = store.served_versions
    if served:
        return next((version for version in _VERSIONS if version in served), served[0])
    folder = layout.cluster_overlay_of(target)
    beside = (
        f"{posixpath.dirname(folder)}/{name}{layout.secret_management}" for name in _siblings(tree, folder)
    )
    for texts in (
        build_of(tree, folder).files.values(),
        _texts(tree, (path for one in beside for path in yaml_files(tree, one))),
        _texts(tree, yaml_files(tree)),
    ):
        if found := _versions(texts):
            return max(_VERSIONS, key=found.count)
    return _VERSIONS[0]


def _siblings(tree: Tree, folder: str) -> list[str]:
    """Folders beside one, with a slash at the end."""
    return [name for name in tree.entries(posixpath.dirname(folder)) if name.endswith("/")]


def _texts(tree: Tree, paths: Iterable[str]) -> Iterator[str]:
    """The texts of files, unless they are too many to be read for this."""
    found = list(islice(paths, _READABLE + 1))
    if len(found) <= _READABLE:
        tree.prefetch(found)
        yield from (tree.read(path) or "" for path in found)


def _versions(texts: Iterable[str]) -> list[str]:
    """The version of each store in manifests, where it is one that we write."""
    stores = (item for text in texts for item in manifests_in(text, "SecretStore", "ClusterSecretStore"))
    found = (str(item.get("apiVersion")).removeprefix(_GROUP) for item in stores)
    return [version for version in found if version in _VERSIONS]


def check_requested_version(request: ClusterRequest, store: StoreSettings) -> None:
    """Refuse a version that the cluster does not serve.

    Raises:
        InvalidInput: as said.
    """
    version = request.secret_store_api
    if version != "auto" and store.served_versions and version not in store.served_versions:
        raise InvalidInput(
            "input",
            f"secret_store_api={version}",
            f"the cluster serves SecretStores as {', '.join(store.served_versions)} only",
            "Set it to auto or to one of these.",
        )


class SecretManagement:
    """The two objects of a namespace, as the folders of a cluster build them in a draft.

    Args:
        draft: the edits so far.
        request: the run's parameters.
        layout: where the folders are.
        store: what a SecretStore needs to know.
    """

    def __init__(self, draft: Draft, request: ClusterRequest, layout: Layout, store: StoreSettings) -> None:
        self._draft, self._request, self._layout, self._store = draft, request, layout, store
        self._target = target = request.target
        self._folder = layout.secret_management_of(target)
        self._own_base = f"{self._folder}/{BASE}"
        self._base = target.store.component or self._own_base
        self._names = {target.store.kind: target.store.name, "ServiceAccount": request.service_account}

    def elsewhere(self, present: Present) -> dict[str, frozenset[str]]:
        """By namespace, kinds of the objects that other folders than its own build for it.

        Raises:
            InvalidInput: a namespace has the name of the base's folder.
        """
        if BASE in self._request.namespaces:
            raise InvalidInput(
                "input",
                f"namespaces={BASE!r}",
                f"has the name of the folder {self._own_base}",
                "Leave this namespace out, and add its SecretStore by hand.",
            )
        account = self._names["ServiceAccount"]
        return {
            namespace: present.of_base(namespace, account, self._target.store.name)
            - self._built(f"{self._folder}/{namespace}")
            for namespace in self._request.namespaces
        }

    def cluster_store(self, overlay: Kustomization, present: Present) -> ClusterStore:
        """The ClusterSecretStore of the cluster's ``overlay``."""
        return ClusterStore(self._draft, self._target, overlay, self._folder, present)

    def add_cluster_store(self, overlay: Kustomization, present: Present) -> None:
        """Have the cluster's ``overlay`` build the ClusterSecretStore, open to the run's namespaces.

        Raises:
            Conflict: its conditions cannot be edited safely, or a file of other people is in the way.
        """
        store, missing = self.cluster_store(overlay, present), set[str]()
        if store.is_there:
            store.open_to(self._request.namespaces)
        else:
            missing.add(self._target.store.kind)
        if not store.has(self._names["ServiceAccount"]):
            missing.add("ServiceAccount")
        self._put(self._folder, missing)
        if missing and self._folder not in build_of(self._draft, overlay.folder).folders:
            self._draft.build_upon(overlay.folder, self._folder)

    def add(self, overlay: Kustomization, elsewhere: Mapping[str, frozenset[str]], present: Present) -> None:
        """Have the cluster's ``overlay`` build both objects in every namespace of ``elsewhere``.

        Args:
            overlay: of the cluster.
            elsewhere: see `elsewhere`.
            present: says whose store of a component is told where it logs in.

        Raises:
            Conflict: a file or a folder of other people is in the way.
            PrerequisiteMissing: the component is not there.
        """
        for namespace, kinds in elsewhere.items():
            self._complete_namespace(namespace, kinds, present.patched.get(namespace, {}))
        paths = [f"{self._folder}/{namespace}" for namespace in sorted(elsewhere)]
        above = build_of(self._draft, overlay.folder).folders
        missing = [path for path in paths if path not in above and kustomization_of(self._draft, path)]
        listed = build_of(self._draft, self._folder).folders
        self._draft.build_upon(self._folder, *(path for path in missing if path not in listed))
        if missing and self._folder not in above:
            self._draft.build_upon(overlay.folder, self._folder)

    def require_base(self) -> None:
        """Check that the component is there, or that a run of `enable-cluster` has brought the base.

        Raises:
            PrerequisiteMissing: it builds no SecretStore of our name.
        """
        if "SecretStore" in self._built(self._base):
            return
        store = self._target.store
        if store.component:
            found = f"is no component or base that builds the SecretStore {store.name}"
            remedy = "Correct store.component or store.name of the conventions, or add it first."
        else:
            found = f"does not build the SecretStore {store.name}: the cluster is not enabled"
            remedy = "Run enable-cluster with this namespace: it brings both."
        raise PrerequisiteMissing("Git", self._base, found, remedy)

    def complete_base(self) -> None:
        """Add what the base does not build, unless a folder that builds upon it has that already.

        Raises:
            PrerequisiteMissing: it is a component of other people, and does not build the SecretStore.
        """
        if self._target.store.component:
            self.require_base()
            return
        built = self._built(self._base)
        if "SecretStore" in built:
            return  # It says as whom it logs in: which accounts it needs is not ours to say.
        names = (name.rstrip("/") for name in self._draft.entries(self._folder) if name.endswith("/"))
        others = [f"{self._folder}/{name}" for name in names if name != BASE]
        users = [folder for folder in others if self._base in build_of(self._draft, folder).folders]
        taken = {kind for folder in users for kind in self._built(folder)}
        self._put(self._base, set(self._names) - built - taken)

    def _complete_namespace(
        self, namespace: str, elsewhere: frozenset[str], login: Mapping[str, str]
    ) -> None:
        """Add to the namespace's folder what it does not build: the base, or the objects that it lacks.

        Args:
            namespace: its folder is named after it.
            elsewhere: kinds of the objects that another folder builds for it.
            login: the fields by which a component's store is told where it logs in.

        Raises:
            Conflict: the folder is there for another namespace, or cannot take the component.
        """
        folder = f"{self._folder}/{namespace}"
        base, built = self._built(self._base), self._built(folder) | elsewhere
        lacking = (base if "SecretStore" in base else set(self._names)) - built
        if not lacking:
            return
        there = kustomization_of(self._draft, folder)
        if there is not None and there.namespace != namespace:
            raise Conflict(
                "Git",
                there.path,
                f"is for the namespace {there.namespace}, not {namespace}",
                f"Set `namespace: {namespace}` in it: its objects belong in that namespace.",
            )
        if self._target.store.component:
            self._put_component(folder, namespace, built, login)
        # The base as a whole, or what is lacking alone: both would be one object too many.
        elif base.isdisjoint(built) and base:
            self._put(folder, lacking - base, self._base, namespace=namespace)
        else:
            self._put(folder, lacking, namespace=namespace)

    def _put_component(self, folder: str, namespace: str, built: Set[str], login: Mapping[str, str]) -> None:
        """A new folder that builds upon the component.

        Raises:
            Conflict: the folder is there, or others build one of the component's objects.
        """
        entry = posixpath.relpath(self._base, folder)
        base = kustomization_of(self._draft, self._base)
        kind = mapping_of(base.text).get("kind") if base else None
        key = "components" if kind == "Component" else "resources"
        if built or kustomization_of(self._draft, folder):
            there = f", and builds {', '.join(sorted(built))} otherwise" if built else ""
            raise Conflict(
                "Git",
                folder,
                f"does not build upon {self._base}{there}",
                f"Add `{key}: [{entry}]` to its kustomization, and leave out what that brings; then retry.",
            )
        text = manifests.kustomization([entry], namespace, key)
        patch = manifests.login_patch(self._target, login) if login else ""
        self._draft.put(f"{folder}/kustomization.yaml", text + patch)

    def _built(self, folder: str) -> set[str]:
        """Kinds of the two objects that a folder builds, as its files say."""
        build = build_of(self._draft, folder)
        return {kind for kind, name in self._names.items() if name in build.named(kind)}

    def _put(self, folder: str, kinds: set[str], *paths: str, namespace: str | None = None) -> None:
        """Have ``folder`` build upon ``paths``, and new objects of ``kinds``."""
        members, owner = list(paths), self._target.store_namespace
        for kind, name in self._names.items():
            if kind in kinds:
                members.append(f"{folder}/{name}.yaml")
                is_account = kind == "ServiceAccount"
                text = manifests.service_account(name, owner) if is_account else self._store_text()
                self._draft.put_object(members[-1], text, kind, name)
        self._draft.build_upon(folder, *members, namespace=namespace)

    def _store_text(self) -> str:
        request, target, store = self._request, self._target, self._store
        version = store_api_version(self._draft, target, self._layout, store, request.secret_store_api)
        return manifests.secret_store(target, request.service_account, version, store, request.namespaces)
