"""A cluster and a Vault between which the steps' own functions work, without a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runbook.changes import Change
from runbook.hosts import ApiServer
from runbook.request import EnableRequest
from sandbox.vault_server import VaultServer
from systems.openshift import OpenShift
from systems.vault import Vault
from tasks.verify import prove_login
from tests.kubernetes_objects import Cluster
from tests.steps import realize_config, realize_mount, realize_policies, realize_role

CONFIG = "auth/ember-k8s/config"
ROLE = "auth/ember-k8s/role/emea-ops"
WANTED = EnableRequest(cluster="ember", env="emea", namespaces=("payments", "web"))

OLD: dict[str, Any] = {
    "kubernetes_host": "https://old.example.com:6443",
    "kubernetes_ca_cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    "disable_local_ca_jwt": True,
}
"""Of a mount that leads to another API server."""


@dataclass
class Place:
    """Vault as the pipeline and as its administrator see it, and a cluster after ArgoCD has synced."""

    server: VaultServer
    admin: Vault
    pipeline: Vault
    openshift: OpenShift
    cluster: Cluster
    api: ApiServer

    def realize_config(
        self,
        wanted: EnableRequest = WANTED,
        *further: Any,
        vault: Vault | None = None,
        api: ApiServer | None = None,
        recorded: bool = True,
    ) -> Any:
        """The step. By default our record says that the mount is ours, so that another host is drift."""
        step: Callable[..., Any] = realize_config
        vault, api = vault or self.pipeline, api or self.api
        return step(vault, self.openshift, wanted, api, *further, recorded=lambda: recorded)

    def enable(self, wanted: EnableRequest = WANTED) -> Change:
        """Everything that a login needs; returns what was done with the config."""
        realize_policies(self.pipeline, wanted)
        realize_mount(self.pipeline, wanted)
        change: Change = self.realize_config(wanted)[0]
        realize_role(self.pipeline, wanted)
        return change

    def proves(self, namespace: str, wanted: EnableRequest = WANTED) -> bool:
        """Whether a login from the namespace is proved; raises what tells why not."""
        return bool(prove_login(self.pipeline, self.openshift, wanted, self.api, namespace))

    def config(self) -> dict[str, Any]:
        """What the mount's config is; empty where there is none."""
        return dict(self.pipeline.kubernetes_config("ember-k8s") or {})

    def break_reviewer(self) -> None:
        """Have Vault hold a token that reviews nothing."""
        config = self.config()
        config.pop("token_reviewer_jwt_set", None)
        self.admin.write(CONFIG, config | {"token_reviewer_jwt": "garbage"})

    def bind(self, role: str) -> None:
        """A role of somebody's at the mount, by hand."""
        theirs = {"bound_service_account_names": ["a"], "bound_service_account_namespaces": ["b"]}
        self.admin.write(f"auth/ember-k8s/role/{role}", theirs)
