"""A cluster and the names that are derived from it by an organisation's conventions.

This is the only place where these names are put together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from runbook.clashing_names import clashes
from runbook.conventions import RUNBOOK, Conventions, Operator
from runbook.errors import InvalidInput
from runbook.store import Store
from runbook.templates import CLUSTER, ENV, filled

_LABEL = r"[0-9a-z]+(-+[0-9a-z]+)*"
NAME_PATTERN = rf"^{_LABEL}$"
"""What an environment may be called: an RFC 1123 label, so that it is safe in paths.

Prefect shows it to whoever gave another name. Its UI would take `](` for a link, its command line `[a` for
markup, and both would leave it out."""

CLUSTER_PATTERN = rf"^{_LABEL}(\.{_LABEL})*$"
"""What a cluster may be called: such a label, or a DNS name of several."""

CLUSTER_BRANCHES = "enable-vault/"
"""Folder of the branches on which clusters are proposed. Git keeps no branch below another one's name."""

SHORTEST_TOKEN = 600
"""Seconds; the API server issues none that lives shorter."""

AUTH_DELEGATOR = "system:auth-delegator"


def check_name(field: str, value: str) -> str:
    """Return ``value`` if it is an RFC 1123 label of at most 63 characters.

    Raises:
        InvalidInput: naming the field, the value and the remedy.
    """
    return _checked(field, value, NAME_PATTERN, "inner hyphens, at most 63 characters")


def check_cluster_name(field: str, value: str) -> str:
    """Return ``value`` if it is a DNS name of at most 63 characters, as Git and ArgoCD take it.

    Raises:
        InvalidInput: naming the field, the value and the remedy.
    """
    rule = (
        "inner hyphens or dots, at most 63 characters, and not ending in .lock, which Git refuses of a branch"
    )
    return _checked(field, value, rf"(?!.*\.lock$){CLUSTER_PATTERN}", rule)


def _checked(field: str, value: str, pattern: str, rule: str) -> str:
    if re.fullmatch(pattern, value) and len(value) <= 63:
        return value
    raise InvalidInput(
        "input",
        f"{field}={value!r}",
        f"is not a name: lower-case letters, digits and {rule}",
        f"Write {field} as in the folder names of the GitOps repository, for example 'smaug'.",
    )


def connection_name(cluster: str) -> str:
    """Name of the Block of a cluster's connection: Prefect allows no dots in one."""
    return cluster.replace(".", "-")


class Subject(Protocol):
    """Whom a change is for; its text is for people: ``emea/ember``."""

    @property
    def key(self) -> str:
        """The same in keys of artifacts: lower-case letters, digits and hyphens."""

    @property
    def branch(self) -> str:
        """The branch on which its changes are proposed; runs for one subject share it."""

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster, and everything that is named after it.

    ``env`` is its environment; empty where the conventions know none.
    """

    env: str
    name: str
    conventions: Conventions = field(default=RUNBOOK, repr=False, hash=False)

    def __post_init__(self) -> None:
        check_cluster_name("cluster", self.name)
        if self.conventions.environments and not self.env:
            raise InvalidInput(
                "input",
                "env=''",
                "is empty, and clusters belong to environments",
                "Set it to the name of the folder above the cluster's, for example 'moc'; or set "
                "`environments: false` in the conventions, if there are none.",
            )
        if self.conventions.environments:
            check_name("env", self.env)
        elif self.env:
            raise InvalidInput(
                "input",
                f"env={self.env!r}",
                "is given, and the conventions know no environments",
                "Leave it empty, or set `environments: true` in the conventions.",
            )
        if clash := next(clashes(self), None):
            raise InvalidInput(
                "input",
                str(self),
                f"would get {clash}",
                "Choose other templates in the conventions, or another name for the cluster.",
            )

    def __str__(self) -> str:
        return f"{self.env}/{self.name}" if self.env else self.name

    def _filled(self, template: str) -> str:
        return filled(template, self.env, self.name)

    @property
    def key(self) -> str:
        """In the keys of artifacts. Those of different clusters can be alike: ``a/b-c`` and ``a-b/c``."""
        return re.sub(r"[/.]", "-", str(self))

    @property
    def secrets_mount(self) -> str:
        """The KV version 2 mount that holds the secrets."""
        return self.conventions.secrets_mount

    @property
    def secrets_path(self) -> str:
        """Where this cluster's secrets go, below the KV mount, with a trailing slash."""
        return f"{self._filled(self.conventions.cluster_secrets)}/"

    @property
    def environment_path(self) -> str:
        """Where those of its environment go, with a trailing slash; empty for the whole mount."""
        folder = self.conventions.environment_secrets
        return f"{self._filled(folder)}/" if folder else ""

    def folders_of_others(self, policy_scope: str) -> tuple[str, ...]:
        """Examples of folders whose secrets this cluster's workloads must not read, as `secrets_path`."""
        conventions, env, name = self.conventions, self.env, self.name
        folder, found = conventions.environment_secrets or "", []
        if ENV in folder:
            found.append(filled(folder, f"not-{env}", name))
        if policy_scope == "cluster":
            found.append(filled(conventions.cluster_secrets, env, f"not-{name}"))
        elif CLUSTER in folder:
            found.append(filled(folder, env, f"not-{name}"))
        return tuple(f"{path}/" for path in found)

    @property
    def mount(self) -> str:
        """Path of the Kubernetes auth mount, without ``auth/`` and without a trailing slash."""
        return self._filled(self.conventions.auth_mount)

    @property
    def role(self) -> str:
        """The Kubernetes auth role."""
        return self._filled(self.conventions.role)

    def is_role_of_another_environment(self, role: str) -> bool:
        """Whether a role of this cluster's mount is named after another environment."""
        if ENV not in self.conventions.role:
            return False
        named = re.escape(self.conventions.role.replace(CLUSTER, self.name)).replace(re.escape(ENV), ".*")
        return role != self.role and re.fullmatch(named, role) is not None

    def is_mount_of_a_cluster(self, path: str) -> bool:
        """Whether an auth mount is named as those of clusters are."""
        named = re.escape(self.conventions.auth_mount)
        for placeholder in (ENV, CLUSTER):
            named = named.replace(re.escape(placeholder), ".+")
        return re.fullmatch(named, path) is not None

    @property
    def read_policy(self) -> str:
        """Policy of the environment's workloads: read secrets; empty where there is none."""
        return self._filled(self.conventions.policies.environment or "")

    @property
    def write_policy(self) -> str:
        """Policy of the environment's administrators: write secrets."""
        return self._filled(self.conventions.policies.administrators)

    @property
    def cluster_read_policy(self) -> str:
        """Policy of the role when ``policy_scope=cluster``: read this cluster's secrets only."""
        return self._filled(self.conventions.policies.cluster)

    @property
    def more_policies(self) -> tuple[str, ...]:
        """Policies of others that the role hands out too."""
        return tuple(map(self._filled, self.conventions.policies.also))

    @property
    def people_mount(self) -> str:
        """The auth mount through which people log in; the alias lives on its accessor. Empty for none."""
        people = self.conventions.administrators
        return people.mount if people else ""

    @property
    def admin_group(self) -> str:
        """The administrators' identity group in Vault; empty where a run has no say in people's rights."""
        people = self.conventions.administrators
        return self._filled(people.group) if people else ""

    @property
    def admin_alias(self) -> str:
        """What the identity provider calls that group: an OpenShift Group, or an id."""
        people = self.conventions.administrators
        if people is None:
            return ""
        return people.aliases.get(self.env) or self._filled(people.alias or people.group)

    @property
    def operator(self) -> Operator:
        """The operator, and as whom Vault asks."""
        return self.conventions.operator

    @property
    def store(self) -> Store:
        """What workloads read Vault through."""
        return self.conventions.store

    @property
    def store_namespace(self) -> str:
        """Namespace of the ServiceAccount of a ClusterSecretStore; empty where each namespace has its own."""
        return (self.store.namespace or self.operator.namespace) if self.store.is_cluster_wide else ""

    @property
    def branch(self) -> str:
        """The branch of the GitOps repository on which we propose the change; one a cluster."""
        return f"{CLUSTER_BRANCHES}{self}"
