"""What an organisation calls things in Vault and on its clusters.

The defaults are the runbook's own names. An organisation that has other names describes them once, in the
Block `RunbookConventions`; names are put together of this description, and nowhere else. Where things are in
the GitOps repository says `runbook.layout`.

In templates ``{env}`` and ``{cluster}`` stand for the names of a run. Each template is checked when it is
saved: what would give two clusters or two environments one name, or cannot be a name in Vault, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from runbook.administrators import Administrators
from runbook.clashing_names import OWN_POLICIES
from runbook.policy_rules import fixed_folder, outside, rules_of
from runbook.store import Store
from runbook.templates import (
    AUTH_MOUNTS,
    CLUSTER,
    ENV,
    SECRETS_MOUNTS,
    Described,
    Label,
    LowerCase,
    PathTemplate,
    check_lower_case,
    check_mount,
    placeholders,
    unknown_placeholders,
)

PolicyScope = Literal["env", "cluster"]
RuleSet = Literal["runbook", "kv-v2"]
ReviewerCa = Literal["connection", "vault"]

_LONGEST_RULES = 10_000

_is_a_mount = partial(check_mount, allowed=(), taken=SECRETS_MOUNTS)
_is_an_auth_mount = partial(check_mount, allowed=(ENV, CLUSTER), taken=AUTH_MOUNTS)


class Policies(Described):
    """The policies of a cluster, and what they grant."""

    environment: str | None = Field(
        default="{env}-kv-r", description="Workloads read the environment's secrets (policy_scope=env)."
    )
    cluster: str = Field(
        default="{env}-{cluster}-kv-r", description="Workloads read their cluster's (policy_scope=cluster)."
    )
    administrators: str = Field(
        default="{env}-kv-rw", description="The environment's administrators write its secrets."
    )
    also: tuple[str, ...] = Field(
        default=(), description="Further policies that a role hands out. A run does not write them."
    )
    rules: RuleSet = Field(
        default="runbook",
        description="'runbook': as the runbook has them. 'kv-v2': no sudo, and list on metadata/.",
    )
    environment_rules: str | None = Field(default=None, description="Their text instead, in HCL.")
    cluster_rules: str | None = Field(default=None, description="Their text instead, in HCL.")
    administrators_rules: str | None = Field(default=None, description="Their text instead, in HCL.")

    @field_validator("environment", "cluster", "administrators", "also")
    @classmethod
    def _are_names(cls, value: Any) -> Any:
        for name in (value,) if isinstance(value, str) else value or ():
            if check_lower_case(name) in OWN_POLICIES:
                msg = f"{name!r} is a policy of Vault's own: no role needs it, and no run writes it"
                raise ValueError(msg)
        return value

    @field_validator("environment_rules", "cluster_rules", "administrators_rules")
    @classmethod
    def _are_rules(cls, value: str | None) -> str | None:
        """Paths with capabilities alone: what a run cannot compare it would not find again."""
        if value is None:
            return None
        allowed = (ENV, CLUSTER, "{mount}", "{path}")
        unknown = unknown_placeholders(value, allowed)
        if unknown:
            msg = f"has {', '.join(unknown)}; allowed here: {', '.join(allowed)}"
            raise ValueError(msg)
        # With an escape or a template of HCL, Vault could read another path than we do.
        is_plain = not any(part in value for part in ("\\", "${", "%{"))
        if len(value) > _LONGEST_RULES or not is_plain or not rules_of(value):
            msg = (
                "must be a policy in HCL of at least one path with capabilities and nothing else: a run "
                "could not compare it with what is in Vault"
            )
            raise ValueError(msg)
        return value.strip() + "\n"

    @model_validator(mode="after")
    def _differ(self) -> Self:
        names = [one for one in (self.environment, self.cluster, self.administrators, *self.also) if one]
        twice = {one for one in names if names.count(one) > 1}
        if twice:
            msg = f"{', '.join(sorted(twice))} is the name of two policies: give each its own"
            raise ValueError(msg)
        return self


class Operator(Described):
    """The External Secrets Operator, and as whom Vault asks the cluster about a token."""

    namespace: Label = "external-secrets-operator"
    reviewer: Label = Field(default="eso-vault-auth", description="ServiceAccount that may ask TokenReview.")
    reviewer_token: Label = Field(
        default="eso-vault-auth-token", description="Secret in which the cluster puts a token of it."
    )

    @property
    def account(self) -> str:
        """The reviewer's ServiceAccount for people: ``<namespace>/<name>``."""
        return f"{self.namespace}/{self.reviewer}"

    @property
    def secret(self) -> str:
        """The Secret with its token, for people."""
        return f"Secret {self.namespace}/{self.reviewer_token}"


class Conventions(Described):
    """Everything that a run calls by a name of its organisation's. No secret is in it."""

    environments: bool = Field(
        default=True, description="Whether clusters belong to environments. If not, there is no {env}."
    )
    secrets_mount: Annotated[str, AfterValidator(_is_a_mount)] = Field(
        default="k8s_secrets", description="KV version 2 mount of the secrets; its name may have slashes."
    )
    cluster_secrets: PathTemplate = Field(
        default="{env}/{cluster}", description="Folder of a cluster's secrets."
    )
    environment_secrets: PathTemplate | None = Field(
        default="{env}",
        description="Folder of an environment's secrets, for its policies; null: the whole mount.",
    )
    auth_mount: Annotated[str, AfterValidator(_is_an_auth_mount)] = Field(
        default="{cluster}-k8s", description="The cluster's Kubernetes auth mount."
    )
    role: LowerCase = Field(default="{env}-ops", description="The role on it.")
    policy_scope: PolicyScope = Field(
        default="env", description="Of runs that do not name one: whose secrets a cluster reads."
    )
    policies: Policies = Field(default_factory=Policies)
    administrators: Administrators | None = Field(
        default_factory=Administrators, description="null: a run leaves people's rights alone."
    )
    operator: Operator = Field(default_factory=Operator)
    reviewer_ca: ReviewerCa = Field(
        default="connection",
        description="Whom Vault trusts at the API servers. 'connection': the CA of the ClusterConnection. "
        "'vault': Vault's own store, for public certificates (Vault 1.17 or newer, no OpenBao).",
    )
    store: Store = Field(default_factory=Store)

    @model_validator(mode="after")
    def _tells_clusters_apart(self) -> Self:
        problem = next(self._problems(), None)
        if problem:
            raise ValueError(problem)
        return self

    def _outside(self) -> Iterator[tuple[str, str]]:
        """Fields with rules of the organisation's own, and their paths that are not below their folder."""
        policies, folder = self.policies, self.environment_secrets
        for field, rules, its_folder in (
            ("environment_rules", policies.environment_rules, folder),
            ("cluster_rules", policies.cluster_rules, self.cluster_secrets),
            ("administrators_rules", policies.administrators_rules, folder),
        ):
            for path in outside(rules or "", self.secrets_mount, its_folder or ""):
                yield field, path

    @property
    def shared_folders(self) -> tuple[str, ...]:
        """What rules of the organisation's own give to all clusters: where it begins on the mount."""
        return tuple(fixed_folder(path, self.secrets_mount) for _, path in self._outside())

    def _templates(self) -> Iterator[tuple[str, str]]:
        people = self.administrators
        yield from (
            ("cluster_secrets", self.cluster_secrets),
            ("environment_secrets", self.environment_secrets or ""),
            ("auth_mount", self.auth_mount),
            ("role", self.role),
            ("policies.environment", self.policies.environment or ""),
            ("policies.cluster", self.policies.cluster),
            ("policies.administrators", self.policies.administrators),
            ("policies.also", ", ".join(self.policies.also)),
            ("policies.environment_rules", self.policies.environment_rules or ""),
            ("policies.cluster_rules", self.policies.cluster_rules or ""),
            ("policies.administrators_rules", self.policies.administrators_rules or ""),
            ("administrators.group", people.group if people else ""),
            ("administrators.alias", (people.alias or "") if people else ""),
        )

    def _problems(self) -> Iterator[str]:
        apart = {CLUSTER, ENV} if self.environments else {CLUSTER}
        if not self.environments:
            for field, template in self._templates():
                if ENV in template:
                    yield f"{field} is {template!r}, and without environments there is no {{env}}"
            if self.administrators and self.administrators.aliases:
                yield "administrators.aliases is for single environments, and there are none: give an alias"
        for field, template, needed in self._needed(apart):
            if lacking := sorted(needed - placeholders(template)):
                whose = "clusters" if CLUSTER in lacking else "environments"
                more = ": two environments may have a cluster of one name" if lacking == [ENV] else ""
                yield (
                    f"{field} is {template!r} and must contain {' and '.join(lacking)}: else several {whose} "
                    f"share it{more}"
                )
        folder = self.environment_secrets
        if folder and not f"{self.cluster_secrets}/".startswith(f"{folder}/"):
            yield (
                f"cluster_secrets is {self.cluster_secrets!r}, which is not below environment_secrets, "
                f"{folder!r}: the environment's policies would not reach the cluster's secrets"
            )
        for field, path in self._outside():
            if not fixed_folder(path, self.secrets_mount):
                yield (
                    f"policies.{field} grants {path}, which is neither below the policy's own folder, as "
                    "{mount}/data/{path}/* is, nor below one fixed folder of the mount: name a policy for it "
                    "in policies.also"
                )
        store, operator = self.store, self.operator
        is_operators = store.is_cluster_wide and store.namespace in (None, operator.namespace)
        if is_operators and store.service_account == operator.reviewer:
            yield (
                f"store.service_account is {store.service_account!r}, as the operator's reviewer is: "
                "what reads secrets must not be what may ask about any token"
            )
        if self.policy_scope == "env" and self.policies.environment is None:
            yield "policy_scope is 'env', and policies.environment is null: set it to 'cluster'"

    def _needed(self, apart: set[str]) -> Iterator[tuple[str, str, set[str]]]:
        """Field, template, and the placeholders without which one name would mean two things."""
        policies, people = self.policies, self.administrators
        yield "cluster_secrets", self.cluster_secrets, apart
        # A role that is named after its environment tells whose a mount is that two of them would share.
        yield "auth_mount", self.auth_mount, {CLUSTER} if ENV in self.role else apart
        yield "policies.cluster", policies.cluster, apart
        shared = set(placeholders(self.environment_secrets))
        if policies.environment:
            needed = set(placeholders(policies.environment_rules)) | shared
            yield "policies.environment", policies.environment, needed
        if people:
            needed = set(placeholders(policies.administrators_rules)) | shared
            yield "policies.administrators", policies.administrators, needed
            yield "administrators.group", people.group, set(placeholders(policies.administrators))
            yield "administrators.alias", people.alias or people.group, set(placeholders(people.group))


RUNBOOK = Conventions()
"""The runbook's own names."""
