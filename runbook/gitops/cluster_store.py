"""The one ClusterSecretStore of a cluster, the account it logs in as, and the namespaces it is open to."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from runbook.documents import field, mapping_of, node_at, node_of
from runbook.errors import Conflict, PrerequisiteMissing, UnexpectedAnswer
from runbook.gitops.built import Key, Present
from runbook.gitops.draft import Draft
from runbook.gitops.tree import Kustomization, build_of, kustomization_of, manifests_in, name_of
from runbook.kustomization import insert_item
from runbook.names import Cluster
from runbook.store_conditions import allows, closed_to, named_in, newly_named

KIND = "ClusterSecretStore"


class ClusterStore:
    """The store as the overlay of a cluster builds it in a draft.

    Args:
        draft: the edits so far.
        target: whose store.
        overlay: of the cluster.
        folder: for new files.
        present: what the overlay builds before our change.
    """

    def __init__(
        self, draft: Draft, target: Cluster, overlay: Kustomization, folder: str, present: Present
    ) -> None:
        self._draft, self._target, self._overlay, self._folder = draft, target, overlay, folder
        self._name, self._present = target.store.name, present

    @property
    def is_there(self) -> bool:
        """Whether the overlay builds it."""
        return bool(self._written()[0]) or self._name in self._present.cluster_stores

    def require(self) -> None:
        """Check that a run of `enable-cluster` has brought the store.

        Raises:
            PrerequisiteMissing: the overlay builds none.
        """
        if not self.is_there:
            raise PrerequisiteMissing(
                "Git",
                self._overlay.folder,
                f"does not build the {KIND} {self._name}: the cluster is not enabled",
                "Run enable-cluster with this namespace: it brings both.",
            )

    def open_to(self, namespaces: Sequence[str]) -> None:
        """Add to the conditions of the store what they do not let in; what else is in them stays.

        Raises:
            Conflict: they cannot be edited safely, or are those of several clusters.
        """
        path, spec = self._written()
        built = self._present.cluster_stores.get(self._name, spec)
        listed = named_in(spec)
        lacking = [one for one in namespaces if allows(built, one) is not True and one not in listed]
        # Those whom labels may let in are not ours to write down where nobody is named.
        closed = sorted(lacking if listed else closed_to(built, lacking))
        if not closed:
            return
        if not path.startswith(f"{self._overlay.folder}/"):
            raise self._by_hand(path or self._overlay.folder, closed, "is not this cluster's alone")
        edited = self._draft.read(path) or ""
        for namespace in closed:
            names = _first_list(edited)
            if names is None:
                raise self._by_hand(path, closed, "has no list `namespaces` that can be edited safely")
            before, edited = edited, insert_item(edited, names, namespace)
            _assert_only_added(before, edited, namespace, path)
        self._draft.put(path, edited)

    def _by_hand(self, path: str, namespaces: Sequence[str], why: str) -> Conflict:
        return Conflict(
            "Git",
            path,
            f"{why}, and the {KIND} {self._name} is not open to {', '.join(namespaces)}",
            "Add to its conditions, or in a patch of the cluster's overlay: "
            f"`- namespaces: [{', '.join(namespaces)}]`; then retry.",
        )

    def _written(self) -> tuple[str, object]:
        """Path and spec of the store's manifest, as it is written; an empty path where there is none."""
        found = build_of(self._draft, self._overlay.folder).named(KIND).get(self._name)
        return (found[0], found[1].get("spec")) if found else ("", None)

    def has(self, account: str) -> bool:
        """Whether the overlay, or the folder for new files, builds the ServiceAccount it logs in as."""
        namespace = self._target.store_namespace
        if Key("", "ServiceAccount", namespace, account) in self._present.overlay:
            return True
        build = build_of(self._draft, self._overlay.folder, self._folder)
        accounts = [one for text in build.files.values() for one in manifests_in(text, "ServiceAccount")]
        if any(
            (name_of(one), field(one, "metadata", "namespace")) == (account, namespace) for one in accounts
        ):
            return True
        # Where the overlay cannot be built, it may still get its namespace from a kustomization.
        above = (kustomization_of(self._draft, folder) for folder in sorted(build.folders))
        giving = [one.folder for one in above if one is not None and one.namespace == namespace]
        return account in build_of(self._draft, *giving).named("ServiceAccount")


def _first_list(text: str) -> yaml.SequenceNode | None:
    """The first list of names in the conditions of the one manifest in a text; None if that is not plain."""
    try:
        spec = node_at(node_of(text), "spec")
    except yaml.YAMLError:  # several documents
        return None
    conditions = node_at(spec, "conditions")
    for one in conditions.value if isinstance(conditions, yaml.SequenceNode) else ():
        names = node_at(one, "namespaces")
        if isinstance(names, yaml.SequenceNode) and names.value:
            plain = all(isinstance(name, yaml.ScalarNode) for name in names.value)
            # The value of an alias stands where its anchor does.
            return names if plain and names.start_mark.index > one.start_mark.index else None
    return None


def _assert_only_added(before: str, after: str, namespace: str, path: str) -> None:
    if newly_named(mapping_of(before), mapping_of(after)) != [namespace]:
        raise UnexpectedAnswer(
            "Git",
            path,
            f"adding {namespace!r} to its conditions would change more than this one item",
            "Add the line by hand, then retry, and report the file: its style is not supported.",
        )
