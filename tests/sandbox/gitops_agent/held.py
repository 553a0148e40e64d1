"""A namespace that stays Terminating for as long as a test wants."""

from __future__ import annotations

from sandbox.gitops_agent.manifests import Identity, Manifest
from sandbox.kubernetes_api import KubernetesApi
from tests.eventually import eventually
from tests.sandbox.kubernetes_api.kube import connect

WEB = Identity("v1", "Namespace", "", "web")
_OBJECTS = "/api/v1/namespaces/web/configmaps"


class Hold:
    """Something in namespace ``web`` that has a finalizer."""

    def __init__(self, api: KubernetesApi) -> None:
        self._kube = connect(api.admin_kubeconfig)

    @property
    def namespace(self) -> Manifest:
        """The namespace, to be made first."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}

    def take(self) -> None:
        """Hold the namespace, once somebody deletes it."""
        metadata = {"name": "held", "finalizers": ["example.com/held"]}
        self._kube.create(_OBJECTS, {"metadata": metadata})

    def release(self) -> None:
        """Let go; returns when the namespace is gone."""

        def without_finalizer() -> bool:
            # The namespace's controller may write to it at the same moment.
            held = self._kube.get(f"{_OBJECTS}/held")
            held["metadata"].pop("finalizers")
            return self._kube.send("PUT", f"{_OBJECTS}/held", held).is_success

        eventually(without_finalizer)
        eventually(lambda: self._kube.gone("/api/v1/namespaces/web"))
