"""Where a cluster's API is, as whom we log in there, and how Vault reaches it."""

from __future__ import annotations

from typing import ClassVar, Self

from prefect.blocks.core import Block
from prefect.runtime import flow_run
from pydantic import Field, SecretStr, model_validator

from connections.fields import HIDDEN, checked_by
from runbook.addresses import check_address
from runbook.conventions import ReviewerCa
from runbook.errors import InvalidInput, PrerequisiteMissing
from runbook.hosts import ApiServer, same_api_server
from runbook.names import check_name
from systems.openshift import OpenShift
from systems.openshift.kubeconfig import parse_kubeconfig
from systems.trust import certificates


class ClusterConnection(Block):
    """One cluster, named like it."""

    _block_type_name: ClassVar[str] = "Cluster Connection"
    _block_type_slug: ClassVar[str] = "cluster-connection"
    model_config = HIDDEN

    env: str | None = Field(
        default=None, description="Its environment: the folder above the cluster's. Runs must name the same."
    )
    kubeconfig: SecretStr = Field(description="A kubeconfig with a token or a client certificate, as YAML.")
    context: str | None = Field(default=None, description="Context to use; by default its current-context.")
    host_for_vault: str | None = Field(
        default=None,
        description="API server as Vault reaches it, with https://; by default the kubeconfig's server.",
    )
    ca_cert_for_vault: str | None = Field(
        default=None,
        description="CA of the API server as Vault reaches it, PEM; by default the kubeconfig's.",
    )
    infrastructure_name: str | None = Field(
        default=None,
        description="The cluster's own name (oc get infrastructure cluster), if not that of its folder.",
    )

    _names = checked_by(lambda value, field: check_name(field, value), "env")
    _addresses = checked_by(check_address, "host_for_vault")
    _certificates = checked_by(certificates, "ca_cert_for_vault")

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        try:
            self.client().close()
        except InvalidInput as error:
            problem = f"the {error.subject} {error.answer}. {error.remedy}"
        else:
            return self
        raise ValueError(problem)

    def client(self, timeout: float = 10, *, asks_once: bool = False) -> OpenShift:
        """A client of the cluster's API.

        Args:
            timeout, asks_once: see `OpenShift`.

        Raises:
            InvalidInput: the kubeconfig is not one.
        """
        text = self.kubeconfig.get_secret_value()
        kubeconfig = parse_kubeconfig(text, "kubeconfig of the ClusterConnection")
        source = "the ClusterConnection"
        return OpenShift(kubeconfig, self.context, timeout, source, asks_once=asks_once, run=flow_run.id)

    def as_vault_sees_it(self, client: OpenShift, ca: ReviewerCa = "connection") -> ApiServer:
        """Host and CA (PEM) that go into Vault's auth config, and the proxy through which we reach that host.

        The proxy of the kubeconfig is that of its own server only; empty for none. So is the CA where Vault
        goes by its own store.

        Raises:
            PrerequisiteMissing: neither the connection nor the kubeconfig has a CA. Vault takes none as
                "the CA of my own pod".
        """
        ca_pem = "" if ca == "vault" else self.ca_cert_for_vault or client.ca_pem
        if not ca_pem and ca != "vault":
            raise PrerequisiteMissing(
                "OpenShift",
                "ca_cert_for_vault of the ClusterConnection",
                "is empty and the kubeconfig has no certificate-authority-data",
                "Set it to the CA that signed the API server's certificate; Vault trusts no other.",
            )
        host = self.host_for_vault or client.host
        return ApiServer(host, ca_pem or "", client.proxy if same_api_server(host, client.host) else "")
