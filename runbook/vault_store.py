"""How a SecretStore of External Secrets Operator reaches Vault, and what of that is not as we mean it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from runbook.changes import shown
from runbook.documents import field
from runbook.hosts import same_api_server, same_ca, without_credentials
from runbook.request import ClusterRequest
from runbook.store import crd_of

_CA_SHOWN = 80
"""Characters of a CA that is no certificate."""


@dataclass(frozen=True, slots=True)
class VaultStore:
    """The fields of a store on which a login and a read depend; the names are the operator's.

    Attributes:
        service_account: as whom it logs in; None where that is told by the token in a Secret alone.
        ca_pem: of ``caBundle``, as it stands where it cannot be decoded; empty for the certificates of the
            operator's image, None where the bundle comes from elsewhere (``caProvider``).
        version: of the KV mount.
        name: of the store that is meant; empty for one that is there.
        account_namespace: of ``service_account``, for a ClusterSecretStore; else empty.
        token_secret: Secret whose token it logs in with, instead of asking for one; else empty.
        ca_provider: where its bundle comes from, for a person; empty for nowhere else.
        kind: of the store that is meant.
    """

    server: str
    path: str
    namespace: str
    mount_path: str
    role: str
    service_account: str | None
    ca_pem: str | None = ""
    version: str = "v2"
    name: str = ""
    account_namespace: str = ""
    token_secret: str = ""
    ca_provider: str = ""
    kind: str = "SecretStore"

    @classmethod
    def meant(
        cls, request: ClusterRequest, server: str, ca_pem: str | None, namespace: str | None
    ) -> VaultStore:
        """The store that a run brings.

        Args:
            request: the run's parameters.
            server, ca_pem: Vault as the clusters reach it; no CA for that of the operator's image.
            namespace: of Vault, where there are any.
        """
        target = request.target
        ca = target.store.ca_provider
        return cls(
            server,
            target.secrets_mount,
            namespace or "",
            target.mount,
            target.role,
            request.service_account,
            None if ca else ca_pem or "",
            name=target.store.name,
            account_namespace=target.store_namespace,
            ca_provider=str(ca) if ca else "",
            kind=target.store.kind,
        )

    @classmethod
    def of_spec(cls, spec: object, owners: Mapping[str, str] = MappingProxyType({})) -> VaultStore:
        """What the ``spec`` of a store says; empty where it says nothing.

        Args:
            spec: of a SecretStore or ClusterSecretStore.
            owners: the ServiceAccounts of token Secrets, by the Secret's name, as far as they are known.
        """

        def text(*path: str) -> str:
            value = field(spec, "provider", "vault", *path)
            return value if isinstance(value, str) else ""

        login = ("auth", "kubernetes")
        token = text(*login, "secretRef", "name")
        # The operator prefers the reference to the ServiceAccount.
        account = text(*login, "serviceAccountRef", "name") or (owners.get(token) if token else "")
        reference = "serviceAccountRef" if text(*login, "serviceAccountRef", "name") else "secretRef"
        ca = field(spec, "provider", "vault", "caProvider")
        return cls(
            server=text("server"),
            # The operator puts `data` there by itself, unless it is there.
            path=text("path").strip("/").removesuffix("/data"),
            namespace=text("namespace"),
            mount_path=text(*login, "mountPath"),
            role=text(*login, "role"),
            service_account=account,
            ca_pem=None if ca else _decoded(text("caBundle")),
            version=text("version") or "v2",
            account_namespace=text(*login, reference, "namespace"),
            token_secret=token if reference == "secretRef" else "",
            ca_provider=_provider(ca) if ca else "",
        )

    def called(self, namespace: str) -> str:
        """Kind and name of the store that is meant, in a namespace where it is in one."""
        return f"{self.kind} {namespace}/{self.name}" if namespace else f"{self.kind} {self.name}"

    @property
    def crd(self) -> str:
        """Full name of the definition of its kind."""
        return crd_of(self.kind)

    @property
    def not_checked(self) -> str:
        """What of it nobody could compare, for the end of a sentence; empty if nothing."""
        secret = self.token_secret if self.service_account is None else ""
        return f"; whose token Secret {secret} has was not checked" if secret else ""

    def differences(self, meant: VaultStore, *, with_ca: bool) -> tuple[str, ...]:
        """What is not as meant, for a person.

        Args:
            meant: see `VaultStore.meant`.
            with_ca: a store that works with another bundle than ours is right.
        """
        found = []
        if not same_api_server(self.server, meant.server):
            found.append(_said("server", without_credentials(self.server), meant.server))
        for name, there, ours in (
            ("path", self.path, meant.path),
            ("version", self.version, meant.version),
            ("namespace", self.namespace, meant.namespace),
            ("mountPath", self.mount_path, meant.mount_path),
            # Vault lower-cases the names of roles.
            ("role", self.role.lower(), meant.role),
            (self._account_field, self.service_account, meant.service_account),
            # A SecretStore can name its own namespace alone.
            (
                "serviceAccountRef.namespace",
                self.account_namespace if meant.account_namespace else None,
                meant.account_namespace,
            ),
        ):
            if there is not None and there.strip("/") != (ours or "").strip("/"):
                found.append(_said(name, there, ours or ""))
        if with_ca and meant.ca_provider and self.ca_provider != meant.ca_provider:
            found.append(_said("caProvider", self.ca_provider, meant.ca_provider))
        elif with_ca and self.ca_pem is not None and not same_ca(self.ca_pem, meant.ca_pem or ""):
            found.append(_said("caBundle", shown(self.ca_pem)[:_CA_SHOWN], shown(meant.ca_pem or "")))
        return tuple(found)

    @property
    def _account_field(self) -> str:
        return f"the account of Secret {self.token_secret}" if self.token_secret else "serviceAccountRef.name"


def _provider(ca: object) -> str:
    """A ``caProvider`` in the words of `runbook.store.CaProvider`."""
    namespace = f"{field(ca, 'namespace')}/" if field(ca, "namespace") else ""
    return f"{field(ca, 'type')} {namespace}{field(ca, 'name')}, key {field(ca, 'key')}"


def _said(name: str, there: str, meant: str) -> str:
    return f"{name} is {there or 'empty'}, not {meant or 'empty'}"


def _decoded(bundle: str) -> str:
    try:
        return base64.b64decode("".join(bundle.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return bundle
