"""Where Vault is, and as whom we log in."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, model_validator

from runbook.errors import AccessDenied, PrerequisiteMissing
from systems.vault import Refused, Vault
from systems.vault_http import VaultHttp

_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class VaultConnection(Block):
    """A Vault server and one way to log in to it: a token, an AppRole, or Kubernetes.

    A token that is given here is used as it is, and neither renewed nor revoked. A session that we open
    ourselves by AppRole or Kubernetes lasts for one step and is revoked at its end.
    """

    _block_type_name: ClassVar[str] = "Vault Connection"
    _block_type_slug: ClassVar[str] = "vault-connection"

    address: str = Field(
        description="Vault's API as this worker reaches it.", examples=["https://vault.example.com:8200"]
    )
    ca_cert: str | None = Field(
        default=None, description="CA that signed Vault's certificate, PEM. The machine's store if not given."
    )
    namespace: str | None = Field(default=None, description="Vault namespace, where there are any.")
    token: SecretStr | None = Field(default=None, description="A Vault token with the pipeline's policy.")
    approle_role_id: str | None = Field(default=None, description="Role id, to log in by AppRole.")
    approle_secret_id: SecretStr | None = Field(default=None, description="Secret id, to log in by AppRole.")
    approle_mount: str = Field(default="approle", description="Path of the AppRole auth mount.")
    kubernetes_role: str | None = Field(
        default=None, description="Role, to log in as the ServiceAccount of the worker's own pod."
    )
    kubernetes_mount: str = Field(default="kubernetes", description="Path of that Kubernetes auth mount.")
    address_for_clusters: str | None = Field(
        default=None, description="Vault as the clusters reach it (in the SecretStore); else `address`."
    )
    ca_cert_for_clusters: str | None = Field(
        default=None, description="CA for the SecretStore, PEM; else `ca_cert`. Empty text: none at all."
    )

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        given = [
            name
            for name, value in {
                "token": self.token,
                "approle_role_id": self.approle_role_id,
                "kubernetes_role": self.kubernetes_role,
            }.items()
            if value
        ]
        if len(given) != 1:
            msg = f"give exactly one of token, approle_role_id and kubernetes_role; given: {given or 'none'}"
            raise ValueError(msg)
        if self.approle_role_id and not self.approle_secret_id:
            msg = "approle_role_id needs approle_secret_id"
            raise ValueError(msg)
        if not self.address.startswith(("https://", "http://")):
            msg = f"address={self.address!r} must start with https:// (or http:// for a test)"
            raise ValueError(msg)
        return self

    @property
    def server_for_clusters(self) -> str:
        """The address that goes into a SecretStore."""
        return self.address_for_clusters or self.address

    @property
    def ca_for_clusters(self) -> str | None:
        """The CA that goes into a SecretStore, None for none."""
        chosen = self.ca_cert if self.ca_cert_for_clusters is None else self.ca_cert_for_clusters
        return chosen or None

    def client(self, correlation_id: str | None = None) -> Vault:
        """A Vault to use in a ``with`` block, logged in.

        Raises:
            AccessDenied: the login was refused.
            EnablementError: as `systems.vault_http.VaultHttp.send`.
        """
        http = VaultHttp(
            self.address,
            self.token,
            ca_pem=self.ca_cert,
            namespace=self.namespace,
            correlation_id=correlation_id,
        )
        if self.token:
            return Vault(http)
        mount, credentials = self._credentials()
        login = Vault(http).log_in(mount, credentials)
        if isinstance(login, Refused):
            http.close()
            raise AccessDenied(
                "Vault",
                f"auth/{mount}/login",
                f"refused our login: {login}",
                "Check role and credentials in the VaultConnection.",
            )
        return Vault(http.with_token(login.token), revoke_on_exit=True)

    def anonymous_client(self) -> Vault:
        """A Vault without a token, to ask for its health."""
        return Vault(VaultHttp(self.address, None, ca_pem=self.ca_cert, namespace=self.namespace, timeout=10))

    def _credentials(self) -> tuple[str, dict[str, str | SecretStr]]:
        if self.approle_role_id and self.approle_secret_id:
            return self.approle_mount, {
                "role_id": self.approle_role_id,
                "secret_id": self.approle_secret_id,
            }
        if not _POD_TOKEN.exists():
            raise PrerequisiteMissing(
                "Vault",
                f"auth/{self.kubernetes_mount}/login",
                f"this worker has no ServiceAccount token at {_POD_TOKEN}",
                "Run the worker in a pod, or log in by token or AppRole.",
            )
        return self.kubernetes_mount, {
            "role": str(self.kubernetes_role),
            "jwt": SecretStr(_POD_TOKEN.read_text()),
        }
