"""What the first head says about the cluster: it was in sync with the repository before we came.

A stand-in starts empty. Without this a repository's hundreds of older objects would keep each sync from
succeeding: kinds of operators that a real cluster runs, namespaces that OpenShift brings, a SecretStore that
was onboarded years ago.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from sandbox.gitops_agent.manifests import Identity, Manifest
from sandbox.gitops_agent.operator_lifecycle import is_of_operator, subscribes


@dataclass(frozen=True, slots=True)
class BaseBranch:
    """What the repository said about the cluster when it was first seen.

    Args:
        kinds: kinds that the cluster has, as ``apiVersion/kind``; never those of the operator.
        namespaces: namespaces that its objects live in and that it does not declare.
        of_operator: objects of the operator's kinds. On a cluster that lacks the operator they were never
            applied; they do not keep the rest from being applied either.
        has_operator: the operator was subscribed to.
    """

    kinds: tuple[str, ...]
    namespaces: tuple[str, ...]
    of_operator: tuple[str, ...]
    has_operator: bool

    @classmethod
    def of(cls, manifests: Sequence[Manifest]) -> Self:
        """From everything that the first head deploys."""
        kinds = {_kind(one) for one in manifests if not is_of_operator(one)}
        used = {str(one["metadata"].get("namespace") or "") for one in manifests}
        declared = {one["metadata"]["name"] for one in manifests if one["kind"] == "Namespace"}
        return cls(
            tuple(sorted(kinds)),
            tuple(sorted(used - declared - {""})),
            tuple(sorted({_place(one) for one in manifests if is_of_operator(one)})),
            any(subscribes(one) for one in manifests),
        )

    def had_kind_of(self, manifest: Manifest) -> bool:
        """Whether the cluster had objects of this kind before."""
        return _kind(manifest) in self.kinds

    def had(self, manifest: Manifest) -> bool:
        """Whether this object of the operator's kinds was in the branch before."""
        return _place(manifest) in self.of_operator


def _place(manifest: Manifest) -> str:
    return str(replace(Identity.of(manifest), api_version=""))


def _kind(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']}/{manifest['kind']}"
