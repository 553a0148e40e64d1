"""What kustomize makes of a folder: objects, or the reason why there are none.

Objects of ours that somebody else has already are used, and not added a second time: kustomize refuses an
object that it meets twice, and with it the whole overlay. Which objects there are, with the namespaces and
names that the kustomizations above them give, only a build tells.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from runbook.documents import field, readable
from runbook.gitops.tree import Manifest, Tree, build_of, kustomization_of, name_of
from runbook.request import ClusterRequest


class Key(NamedTuple):
    """What tells one object of a cluster from another; ``namespace`` is empty where none is given."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def key_of(manifest: Manifest) -> Key:
    """The key of a manifest as kustomize prints it."""
    group, slash, _ = str(field(manifest, "apiVersion")).rpartition("/")
    namespace = field(manifest, "metadata", "namespace") or ""
    kind = str(field(manifest, "kind"))
    return Key(group if slash else "", kind, str(namespace), name_of(manifest) or "")


@dataclasses.dataclass(frozen=True, slots=True)
class Built:
    """A folder after its build.

    Attributes:
        documents: the text of each object. Kustomize prints an object always in the same words, so that
            what did not change is equal as text; an overlay may have megabytes of it.
        failure: kustomize's reason where it cannot be built.
        limited: whether the reason is a limit of ours on time, memory or size, which tells nothing about it.
        left_out: what kustomize did not get to see, a sentence each; see `runbook.gitops.sources`.
        absent: whether there is no such folder, or no kustomization in it.
    """

    folder: str
    documents: tuple[str, ...] = ()
    failure: str = ""
    limited: bool = False
    left_out: tuple[str, ...] = ()
    absent: bool = False

    def objects(self, *kinds: str) -> Iterator[Manifest]:
        """The manifests of some kinds; of all where none is given."""
        pattern = re.compile(rf"^kind: (?:{'|'.join(map(re.escape, kinds))})$" if kinds else "", re.MULTILINE)
        return (item for text in self.documents if pattern.search(text) for item in _parsed(text))

    def keys(self, *kinds: str) -> Counter[Key]:
        """How often it has an object of each key: twice where it is written in two versions."""
        return Counter(map(key_of, self.objects(*kinds)))

    def and_(self, other: Built) -> Built:
        """Both together, of which one may be absent."""
        return Built(
            f"{self.folder} and {other.folder}",
            self.documents + other.documents,
            self.failure or other.failure,
            self.limited or other.limited,
            self.left_out + other.left_out,
            self.absent and other.absent,
        )

    def without(self, other: Built) -> tuple[Manifest, ...]:
        """The objects that are not in ``other``, or differ there."""
        more = Counter(self.documents) - Counter(other.documents)
        return tuple(item for text in more.elements() for item in _parsed(text))


def split(output: str) -> tuple[str, ...]:
    """The documents of what kustomize printed, which has a line ``---`` between two of them."""
    return tuple(text for text in re.split(r"^---\n", output, flags=re.MULTILINE) if text.strip())


def _parsed(text: str) -> list[Manifest]:
    """The objects; none of what is larger than we read."""
    return [item for item in readable(text) if isinstance(item, dict)]


_GROUP = "external-secrets.io"
_KINDS = ("ServiceAccount", "SecretStore", "ClusterSecretStore")

BuildFolders = Callable[..., list[Built]]
"""``build(tree, *folders)``."""

NOTHING = Built("")
"""What a folder is that the layout does not name."""


def build_named(build: BuildFolders, tree: Tree, *folders: str | None) -> list[Built]:
    """What becomes of each folder; `NOTHING` of None."""
    built = iter(build(tree, *filter(None, folders)))
    return [NOTHING if folder is None else next(built) for folder in folders]


@dataclasses.dataclass(frozen=True, slots=True)
class Present:
    """What kustomize builds before our change.

    Attributes:
        overlay: objects of the cluster's overlay, of the kinds that we bring.
        bundle: objects of each member of the operator's bundle, by its path, where the overlay has some.
        cluster_stores: specs of the overlay's ClusterSecretStores by name, as they are built.
        patched: by namespace, the fields by which the store of a component is told where it logs in.
    """

    overlay: frozenset[Key] = frozenset()
    bundle: Mapping[str, frozenset[Key]] = dataclasses.field(default_factory=dict)
    cluster_stores: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    patched: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def in_overlay(cls, overlay: Built) -> Present:
        """What a run for more namespaces needs to know: that brings none of the operator's objects."""
        return cls(frozenset(overlay.keys(*_KINDS)), cluster_stores=_cluster_stores(overlay))

    def of_base(self, namespace: str, service_account: str, store: str) -> frozenset[str]:
        """Kinds of the objects that ``namespace`` has already of the two that a base brings."""
        keys = keys_of_base(namespace, service_account, store)
        return frozenset(key.kind for key in keys if key in self.overlay)


def _cluster_stores(overlay: Built) -> dict[str, Any]:
    return {name_of(one) or "": one.get("spec") for one in overlay.objects("ClusterSecretStore")}


def keys_of_base(namespace: str, service_account: str, store: str) -> tuple[Key, Key]:
    """The starter's ServiceAccount and the SecretStore of a namespace."""
    return (
        Key("", "ServiceAccount", namespace, service_account),
        Key(_GROUP, "SecretStore", namespace, store),
    )


def keys_of_request(request: ClusterRequest) -> list[Key]:
    """The starters' ServiceAccounts and the stores of a run, by namespace."""
    account, store = request.service_account, request.conventions.store
    if store.is_cluster_wide:
        owner = request.target.store_namespace
        return [Key("", "ServiceAccount", owner, account), Key(_GROUP, store.kind, "", store.name)]
    return [key for one in request.namespaces for key in keys_of_base(one, account, store.name)]


def present_in(
    tree: Tree, overlay: Built, bundle: Built, build: BuildFolders, operator: Built = NOTHING
) -> Present:
    """What others have already in ``tree`` of the objects that our change would bring.

    Args:
        tree: a commit's files.
        overlay: the cluster's overlay, as it is built of ``tree``.
        bundle: the operator's bundle by itself.
        build: for the members of the bundle, where only some of its objects are there.
        operator: the operator's overlay, where that lists the bundle.
    """
    brought = bundle.keys()
    kinds = (*_KINDS, *(key.kind for key in brought))
    there = frozenset(overlay.keys(*kinds) + operator.keys(*kinds))
    listed = kustomization_of(tree, bundle.folder)
    if (
        listed is None
        or there.isdisjoint(brought)
        or bundle.folder in build_of(tree, overlay.folder, operator.folder).folders
    ):
        return Present(there, cluster_stores=_cluster_stores(overlay))
    parts = {part.folder: frozenset(part.keys()) for part in build(tree, *listed.members)}
    return Present(there, parts, _cluster_stores(overlay))
