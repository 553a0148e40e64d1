"""What the Operator Lifecycle Manager does with one Subscription: a moment later the CRDs are there.

The operator itself is not played: no Deployment appears, and no SecretStore ever becomes Ready. Whoever
claims that a SecretStore works has to have seen a real operator say so.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.manifests import Identity, Manifest
from sandbox.gitops_agent.sync import CRD, Apply

SUBSCRIPTION = ("operators.coreos.com/v1alpha1", "Subscription")
PACKAGE = "external-secrets-operator"
_GROUP = "external-secrets.io"
_CRDS = "apiextensions.k8s.io/v1"


def subscribes(manifest: Manifest) -> bool:
    """Whether a manifest is the operator's Subscription."""
    return (manifest["apiVersion"], manifest["kind"]) == SUBSCRIPTION and (
        (manifest.get("spec") or {}).get("name") == PACKAGE
    )


def is_of_operator(manifest: Manifest) -> bool:
    """Whether only the operator's CRDs make this kind known."""
    return manifest["apiVersion"].split("/")[0] in {_GROUP, f"operator.{_GROUP}"}


def definitions(versions: tuple[str, ...]) -> list[Manifest]:
    """The operator's CustomResourceDefinitions; the first version is the stored one."""
    return [
        _definition(_GROUP, "SecretStore", "secretstores", versions),
        _definition(_GROUP, "ExternalSecret", "externalsecrets", versions),
        _definition(_GROUP, "ClusterSecretStore", "clustersecretstores", versions, scope="Cluster"),
        _definition(f"operator.{_GROUP}", "OperatorConfig", "operatorconfigs", ("v1alpha1",)),
    ]


def _definition(
    group: str, kind: str, plural: str, versions: tuple[str, ...], scope: str = "Namespaced"
) -> Manifest:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    return {
        "apiVersion": _CRDS,
        "kind": CRD,
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


class OperatorLifecycle:
    """Watches for the Subscription and installs the CRDs, once.

    Args:
        cluster: where.
        apply: creates one CRD.
        delay: seconds between the Subscription and the CRDs.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        apply: Apply,
        delay: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._apply = apply
        self._definitions = definitions(("v1",))
        self._delay = delay
        self._clock = clock
        self._subscribed_at: float | None = None
        self._installed = False

    def subscribe(self) -> None:
        """Take the Subscription for made, on a server that does not serve its kind."""
        if self._subscribed_at is None:
            self._subscribed_at = self._clock()

    def step(self) -> bool:
        """Look for the Subscription; install when its time has come. Returns whether CRDs were made now."""
        if self._installed:
            return False
        if self._subscribed_at is None:
            if not any(map(subscribes, self._cluster.items(*SUBSCRIPTION))):
                return False
            self._subscribed_at = self._clock()
        return self._clock() - self._subscribed_at >= self._delay and self.install()

    def install(self) -> bool:
        """Make the CRDs that are missing; what is there is left as it is. Returns whether any was made."""
        made = False
        for definition in self._definitions:
            if self._cluster.get(Identity.of(definition)) is None:
                self._apply(definition)
                made = True
        self._cluster.forget()
        self._installed = True
        return made
