"""A cluster and the names that the runbook derives from it.

This is the only place where these names are put together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from runbook.errors import InvalidInput

NAME_PATTERN = r"^[0-9a-z]+(-+[0-9a-z]+)*$"
"""What an environment or a cluster may be called: an RFC 1123 label, so that it is safe in paths.

Prefect shows it to whoever gave another name. Its UI would take `](` for a link, its command line `[a` for
markup, and both would leave it out."""

CLUSTER_BRANCHES = "enable-vault/"
"""Folder of the branches on which clusters are proposed. Git keeps no branch below another one's name."""

SECRETS_MOUNT = "k8s_secrets"
"""The KV version 2 mount that holds the secrets of all clusters."""

OIDC_MOUNT = "oidc"
"""The auth mount through which people log in; the admin group's alias lives on its accessor."""

ESO_NAMESPACE = "external-secrets-operator"
REVIEWER_SERVICE_ACCOUNT = "eso-vault-auth"
"""The ServiceAccount whose token Vault uses to ask the cluster's TokenReview."""

REVIEWER_TOKEN_SECRET = "eso-vault-auth-token"  # noqa: S105 - the name of an object, not a token
"""The Secret of type ``kubernetes.io/service-account-token`` that we ask the cluster to fill."""

SECRET_STORE = "opf-vault-store"  # noqa: S105 - the name of an object
SECRET_STORE_CRD = "secretstores.external-secrets.io"  # noqa: S105 - the name of a kind

SHORTEST_TOKEN = 600
"""Seconds; the API server issues none that lives shorter."""

AUTH_DELEGATOR = "system:auth-delegator"


def check_name(field: str, value: str) -> str:
    """Return ``value`` if it is an RFC 1123 label of at most 63 characters.

    Raises:
        InvalidInput: naming the field, the value and the remedy.
    """
    if not re.fullmatch(NAME_PATTERN, value) or len(value) > 63:
        raise InvalidInput(
            "input",
            f"{field}={value!r}",
            "is not a name: lower-case letters, digits and inner hyphens, at most 63 characters",
            f"Write {field} as in the folder names of the GitOps repository, for example 'smaug'.",
        )
    return value


class Subject(Protocol):
    """Whom a change is for; its text is for people: ``emea/ember``."""

    @property
    def key(self) -> str:
        """The same in keys of artifacts: lower-case letters, digits and hyphens."""

    @property
    def branch(self) -> str:
        """The branch on which its changes are proposed; runs for one subject share it."""

    def __str__(self) -> str: ...


def admin_group(env: str) -> str:
    """Name of the administrators' group of an environment."""
    return f"vault-admins-{env}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of one environment, and everything that is named after it."""

    env: str
    name: str

    def __post_init__(self) -> None:
        check_name("env", self.env)
        check_name("cluster", self.name)

    def __str__(self) -> str:
        return f"{self.env}/{self.name}"

    @property
    def key(self) -> str:
        """In the keys of artifacts. Those of different clusters can be alike: ``a/b-c`` and ``a-b/c``."""
        return f"{self.env}-{self.name}"

    @property
    def mount(self) -> str:
        """Path of the Kubernetes auth mount, without ``auth/`` and without a trailing slash."""
        return f"{self.name}-k8s"

    @property
    def role(self) -> str:
        """The Kubernetes auth role; named after the environment, one on each cluster's mount."""
        return f"{self.env}-ops"

    def is_role_of_another_environment(self, role: str) -> bool:
        """Whether a role of this cluster's mount is named after another environment."""
        return role.endswith("-ops") and role != self.role

    @property
    def read_policy(self) -> str:
        """Policy of the environment's workloads: read secrets."""
        return f"{self.env}-kv-r"

    @property
    def write_policy(self) -> str:
        """Policy of the environment's administrators: write secrets."""
        return f"{self.env}-kv-rw"

    @property
    def cluster_read_policy(self) -> str:
        """Policy of the role when ``policy_scope=cluster``: read this cluster's secrets only."""
        return f"{self.env}-{self.name}-kv-r"

    @property
    def admin_group(self) -> str:
        """Identity group, its alias on the OIDC mount and the OpenShift Group of the administrators."""
        return admin_group(self.env)

    @property
    def branch(self) -> str:
        """The branch of the GitOps repository on which we propose the change; one a cluster."""
        return f"{CLUSTER_BRANCHES}{self}"

    @property
    def secrets_path(self) -> str:
        """Where this cluster's secrets go, below the KV mount, with a trailing slash."""
        return f"{self.env}/{self.name}/"
