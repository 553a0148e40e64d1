"""Causes that lie in Vault's own objects: the mount, its role and its config."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.diagnosis.cause import ENABLE_AGAIN, Cause, listed


@dataclass(frozen=True, slots=True)
class VaultUnreachable(Cause):
    """Vault does not answer us"""

    vault_says = ""
    address: str
    why: str

    @property
    def subject(self) -> str:
        return self.address

    @property
    def answer(self) -> str:
        return f"cannot be asked from here ({self.why})"

    @property
    def remedy(self) -> str:
        return "Check address and ca_cert of the VaultConnection, and that this worker may reach Vault."


@dataclass(frozen=True, slots=True)
class VaultSealed(Cause):
    """Vault is sealed"""

    vault_says = ""
    address: str

    @property
    def subject(self) -> str:
        return self.address

    @property
    def answer(self) -> str:
        return "is sealed"

    @property
    def remedy(self) -> str:
        return "Ask Vault's operators to unseal it."


@dataclass(frozen=True, slots=True)
class MountMissing(Cause):
    """The auth mount is not there"""

    mount: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}"

    @property
    def answer(self) -> str:
        return "is not enabled"

    @property
    def remedy(self) -> str:
        return ENABLE_AGAIN


@dataclass(frozen=True, slots=True)
class MountOfAnotherType(Cause):
    """The path carries another auth method"""

    vault_says = ""
    mount: str
    type: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}"

    @property
    def answer(self) -> str:
        return f"is an auth method of type {self.type}, not kubernetes"

    @property
    def remedy(self) -> str:
        return "Find out whose it is and have it moved: the cluster needs this path. Then run enable-cluster."


@dataclass(frozen=True, slots=True)
class RoleMissing(Cause):
    """The mount has no such role. ``there`` are its other roles"""

    vault_says = "invalid role name"
    mount: str
    role: str
    there: tuple[str, ...]

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/role/{self.role}"

    @property
    def answer(self) -> str:
        return f"is not there; roles of this mount: {listed(self.there, 'none')}"

    @property
    def remedy(self) -> str:
        return ENABLE_AGAIN


@dataclass(frozen=True, slots=True)
class AddressNotAllowed(Cause):
    """The role binds logins to addresses, and ours is none of them"""

    role: str
    allowed: tuple[str, ...]
    ours: str

    @property
    def subject(self) -> str:
        return self.role

    @property
    def answer(self) -> str:
        return (
            f"accepts logins only from {', '.join(self.allowed)} (token_bound_cidrs); "
            f"from here they come from {self.ours}, unless something on the way translates it"
        )

    @property
    def remedy(self) -> str:
        return (
            "Add the addresses of the cluster's nodes and of this worker to token_bound_cidrs, or clear it: "
            f"`vault write {self.role} token_bound_cidrs=`."
        )


@dataclass(frozen=True, slots=True)
class ConfigNeverWritten(Cause):
    """The mount's config was never written"""

    vault_says = "could not load backend configuration"
    mount: str

    @property
    def subject(self) -> str:
        return f"auth/{self.mount}/config"

    @property
    def answer(self) -> str:
        return "was never written"

    @property
    def remedy(self) -> str:
        return ENABLE_AGAIN


@dataclass(frozen=True, slots=True)
class AudienceNotInToken(Cause):
    """The role demands an audience that the client's token lacks"""

    vault_says = "invalid audience"
    role: str
    audience: str
    token_audiences: tuple[str, ...]

    @property
    def subject(self) -> str:
        return self.role

    @property
    def answer(self) -> str:
        return (
            f"demands the audience {self.audience!r}; the client's token is for "
            f"{listed(self.token_audiences, 'none in particular')}"
        )

    @property
    def remedy(self) -> str:
        return (
            f"Clear it: `vault write {self.role} audience=`; or, if it is meant, name it in "
            "serviceAccountRef.audiences of the SecretStore."
        )


@dataclass(frozen=True, slots=True)
class NameNotBound(Cause):
    """The role does not bind the ServiceAccount's name"""

    vault_says = "service account name not authorized"
    role: str
    name: str
    bound: tuple[str, ...]

    @property
    def subject(self) -> str:
        return self.role

    @property
    def answer(self) -> str:
        same = next((name for name in self.bound if name.lower() == self.name.lower()), "")
        return (
            f"does not bind the ServiceAccount name {self.name}; bound are: {listed(self.bound, 'none')}"
            + (f" ({same} differs in case, which counts)" if same else "")
        )

    @property
    def remedy(self) -> str:
        return f"Run enable-cluster with service_account={self.name}: it adds the name and keeps the others."


@dataclass(frozen=True, slots=True)
class NamespaceNotBound(Cause):
    """The role does not bind the namespace"""

    vault_says = "namespace not authorized"
    role: str
    namespace: str
    bound: tuple[str, ...]

    @property
    def subject(self) -> str:
        return self.role

    @property
    def answer(self) -> str:
        return f"does not bind the namespace {self.namespace}; bound are: {listed(self.bound, 'none')}"

    @property
    def remedy(self) -> str:
        return f"Run enable-cluster with {self.namespace} in namespaces: it adds it and keeps the others."
