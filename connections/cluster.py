"""Where a cluster's API is, as whom we log in there, and how Vault reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import yaml
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from runbook.errors import InvalidInput, PrerequisiteMissing
from systems.openshift import OpenShift


class ClusterConnection(Block):
    """One cluster, named like it."""

    _block_type_name: ClassVar[str] = "Cluster Connection"
    _block_type_slug: ClassVar[str] = "cluster-connection"

    kubeconfig: SecretStr = Field(description="A kubeconfig with a token or a client certificate, as YAML.")
    context: str | None = Field(default=None, description="Context in it; else its current-context.")
    host_for_vault: str | None = Field(
        default=None,
        description="API server as Vault reaches it, with https://; else the kubeconfig's server.",
    )
    ca_cert_for_vault: str | None = Field(
        default=None,
        description="CA of the API server as Vault reaches it, PEM; else the kubeconfig's.",
    )
    infrastructure_name: str | None = Field(
        default=None,
        description="What the cluster calls itself (oc get infrastructure cluster), where that is another "
        "name than its folder's.",
    )

    def client(self) -> OpenShift:
        """A client of the cluster's API.

        Raises:
            InvalidInput: the kubeconfig is not one.
        """
        try:
            parsed: Any = yaml.safe_load(self.kubeconfig.get_secret_value())
        except yaml.YAMLError:
            # The parser's message quotes the text.
            parsed = None
        if not isinstance(parsed, Mapping):
            raise InvalidInput(
                "input",
                "kubeconfig of the ClusterConnection",
                "is not a YAML mapping",
                "Store the text of a kubeconfig, for example of `oc config view --flatten --minify`.",
            )
        return OpenShift(parsed, self.context)

    def as_vault_sees_it(self, client: OpenShift) -> tuple[str, str]:
        """Host and CA (PEM) that go into Vault's auth config.

        Raises:
            PrerequisiteMissing: neither the connection nor the kubeconfig has a CA. Vault takes none as
                "the CA of my own pod".
        """
        ca_pem = self.ca_cert_for_vault or client.ca_pem
        if not ca_pem:
            raise PrerequisiteMissing(
                "OpenShift",
                "ca_cert_for_vault of the ClusterConnection",
                "is empty and the kubeconfig has no certificate-authority-data",
                "Give the CA that signed the API server's certificate; Vault checks against it alone.",
            )
        return self.host_for_vault or client.host, ca_pem
