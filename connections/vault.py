"""Where Vault is, and as whom we log in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from prefect.blocks.core import Block
from prefect.runtime import flow_run
from pydantic import Field, SecretStr, model_validator

from connections.fields import HIDDEN, checked_by
from runbook.addresses import check_address, check_header
from runbook.errors import AccessDenied, PrerequisiteMissing
from systems.trust import certificates
from systems.vault import Login, Refused, Vault
from systems.vault_http import VaultHttp
from systems.vault_session import VaultSession

_TOKEN_PREFIXES = ("hvs.", "hvb.", "s.", "b.")
"""Of Vault's and OpenBao's tokens; a secret id has none."""


_GRANT = "Give the token this right, or put one that has not expired into the VaultConnection."


class VaultConnection(Block):
    """A Vault server and one way to log in to it: a token, an AppRole, or Kubernetes.

    A token that is given here is used as it is, and neither renewed nor revoked. A session that we open
    ourselves by AppRole or Kubernetes lasts for one step: it is opened anew if it ends before the step does,
    and revoked at the step's end.
    """

    _block_type_name: ClassVar[str] = "Vault Connection"
    _block_type_slug: ClassVar[str] = "vault-connection"
    model_config = HIDDEN

    address: str = Field(
        description="Vault's API as this worker reaches it, with https://.",
        examples=["https://vault.example.com:8200"],
    )
    ca_cert: str | None = Field(
        default=None, description="CA that signed Vault's certificate, PEM; by default the machine's store."
    )
    namespace: str | None = Field(
        default=None,
        description="Vault namespace, if any: of the token, the secrets and all that a run writes.",
    )
    token: SecretStr | None = Field(default=None, description="A Vault token with the pipeline's policy.")
    approle_role_id: str | None = Field(default=None, description="Role ID, to log in by AppRole.")
    approle_secret_id: SecretStr | None = Field(default=None, description="Secret ID, to log in by AppRole.")
    approle_mount: str = Field(default="approle", description="Path of the AppRole auth mount.")
    kubernetes_role: str | None = Field(
        default=None, description="Role, to log in as the ServiceAccount of the worker's own pod."
    )
    kubernetes_mount: str = Field(default="kubernetes", description="Path of that Kubernetes auth mount.")
    kubernetes_token_path: str = Field(
        default="/var/run/secrets/kubernetes.io/serviceaccount/token",
        description="File with the pod's token; change it if a projected volume has it elsewhere.",
    )
    pinned_policy: bool = Field(
        default=True,
        description="Whether the token's policy pins values, as deployments.vault.policy prints it. If not, "
        "a run may itself write its values together with those of others; else it names the command for a "
        "Vault administrator.",
    )
    address_for_clusters: str | None = Field(
        default=None, description="Vault as the clusters reach it (SecretStore); by default `address`."
    )
    ca_cert_for_clusters: str | None = Field(
        default=None, description="CA for the SecretStore, PEM; by default `ca_cert`. Empty: none."
    )

    _addresses = checked_by(partial(check_address, http="loopback"), "address", "address_for_clusters")
    _certificates = checked_by(certificates, "ca_cert", "ca_cert_for_clusters")
    _secrets = checked_by(check_header, "token", "approle_secret_id")
    _names = checked_by(
        check_header, "namespace", "approle_role_id", "approle_mount", "kubernetes_role", "kubernetes_mount"
    )

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        given = [name for name in ("token", "approle_role_id", "kubernetes_role") if getattr(self, name)]
        if len(given) != 1:
            msg = f"give exactly one of token, approle_role_id and kubernetes_role; given: {given or 'none'}"
            raise ValueError(msg)
        if self.approle_role_id and not self.approle_secret_id:
            msg = "approle_role_id needs approle_secret_id"
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

    @property
    def namespace_for_clusters(self) -> str | None:
        """The namespace that goes into a SecretStore, None for the root namespace."""
        return (self.namespace or "").strip("/") or None

    def client(self, grant: str = _GRANT) -> Vault:
        """A Vault to use in a ``with`` block, logged in. Its requests carry the flow run's id.

        Args:
            grant: what to do where our token is refused a right, for whoever reads the error.

        Raises:
            AccessDenied: the login was refused.
            EnablementError: as `systems.vault_http.VaultHttp.send`.
        """
        http = self._http(grant)
        return Vault(http) if self.token else VaultSession(http, self._log_in)

    def anonymous_client(self) -> Vault:
        """A Vault without a token, to ask for its health."""
        return Vault(self._http(timeout=10).with_token(None))

    def _http(self, grant: str = _GRANT, timeout: float = 15) -> VaultHttp:
        return VaultHttp(
            self.address,
            self.token,
            ca_pem=self.ca_cert,
            namespace=self.namespace,
            correlation_id=flow_run.id,
            timeout=timeout,
            source="the VaultConnection",
            grant=grant,
        )

    def _log_in(self, vault: Vault) -> Login:
        mount = self.approle_mount if self.approle_role_id else self.kubernetes_mount
        login = vault.log_in(mount, self._credentials())
        if isinstance(login, Refused):
            raise AccessDenied(
                "Vault",
                f"auth/{mount}/login",
                f"refused our login: {login}",
                self._remedy_for_approle() if self.approle_role_id else self._remedy_for_kubernetes(),
            )
        return login

    def _credentials(self) -> dict[str, str | SecretStr]:
        if self.approle_role_id and self.approle_secret_id:
            return {"role_id": self.approle_role_id, "secret_id": self.approle_secret_id}
        try:
            # Read at each login: the kubelet puts a new one there before the old one ends.
            jwt = SecretStr(Path(self.kubernetes_token_path).read_text().strip())
        except OSError as error:
            raise PrerequisiteMissing(
                "Vault",
                f"auth/{self.kubernetes_mount}/login",
                f"cannot read the ServiceAccount token {self.kubernetes_token_path} ({error.strerror})",
                "Run the worker in a pod, name the file in kubernetes_token_path, or log in by token or "
                "AppRole.",
            ) from None
        return {"role": str(self.kubernetes_role), "jwt": jwt}

    def _remedy_for_approle(self) -> str:
        secret_id = self.approle_secret_id.get_secret_value() if self.approle_secret_id else ""
        if secret_id.startswith(_TOKEN_PREFIXES):
            return (
                "approle_secret_id looks like a wrapping token: run `vault unwrap` with it, and put the "
                "secret_id into the VaultConnection."
            )
        return (
            "The role ID belongs to no role, or the secret ID belongs to another role, has expired or was "
            f"used up. Make a new one, `vault write -f auth/{self.approle_mount}/role/NAME/secret-id`, and "
            "put it into the VaultConnection. Each step logs in: set secret_id_num_uses of the role to 0."
        )

    def _remedy_for_kubernetes(self) -> str:
        return (
            f"Check that the role {self.kubernetes_role!r} exists and binds the ServiceAccount and namespace "
            f"of the worker's pod, and that auth/{self.kubernetes_mount}/config points to the cluster that "
            "the worker runs on."
        )
