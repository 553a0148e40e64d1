"""How a SecretStore of External Secrets Operator reaches Vault, and what of that is not as we mean it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from runbook.changes import shown
from runbook.documents import field
from runbook.hosts import same_api_server, same_ca, without_credentials
from runbook.request import ClusterRequest

_CA_SHOWN = 80
"""Characters of a CA that is no certificate."""


@dataclass(frozen=True, slots=True)
class VaultStore:
    """The fields of a SecretStore on which a login and a read depend; the names are the operator's.

    Attributes:
        ca_pem: of ``caBundle``, as it stands where it cannot be decoded; empty for the certificates of the
            operator's image, None where the bundle comes from elsewhere (``caProvider``).
        version: of the KV mount.
        name: of the SecretStore that is meant; empty for one that is there.
    """

    server: str
    path: str
    namespace: str
    mount_path: str
    role: str
    service_account: str
    ca_pem: str | None = ""
    version: str = "v2"
    name: str = ""

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
        return cls(
            server,
            target.secrets_mount,
            namespace or "",
            target.mount,
            target.role,
            request.service_account,
            ca_pem or "",
            name=target.store.name,
        )

    @classmethod
    def of_spec(cls, spec: object) -> VaultStore:
        """What the ``spec`` of a SecretStore says; empty where it says nothing."""

        def text(*path: str) -> str:
            value = field(spec, "provider", "vault", *path)
            return value if isinstance(value, str) else ""

        login = ("auth", "kubernetes")
        return cls(
            server=text("server"),
            # The operator puts `data` there by itself, unless it is there.
            path=text("path").strip("/").removesuffix("/data"),
            namespace=text("namespace"),
            mount_path=text(*login, "mountPath"),
            role=text(*login, "role"),
            service_account=text(*login, "serviceAccountRef", "name"),
            ca_pem=None if field(spec, "provider", "vault", "caProvider") else _decoded(text("caBundle")),
            version=text("version") or "v2",
        )

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
            ("serviceAccountRef.name", self.service_account, meant.service_account),
        ):
            if there.strip("/") != ours.strip("/"):
                found.append(_said(name, there, ours))
        if with_ca and self.ca_pem is not None and not same_ca(self.ca_pem, meant.ca_pem or ""):
            found.append(_said("caBundle", shown(self.ca_pem)[:_CA_SHOWN], shown(meant.ca_pem or "")))
        return tuple(found)


def _said(name: str, there: str, meant: str) -> str:
    return f"{name} is {there or 'empty'}, not {meant or 'empty'}"


def _decoded(bundle: str) -> str:
    try:
        return base64.b64decode("".join(bundle.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return bundle
