"""What one run is asked to do. Names and references only: a run's parameters are stored in clear."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from runbook.conventions import RUNBOOK, Conventions, PolicyScope
from runbook.durations import seconds
from runbook.errors import InvalidInput
from runbook.names import Cluster, Subject, check_cluster_name, check_name, connection_name
from runbook.objects import Alias, Config, Group, Mount, Policy, Role, VaultObject
from runbook.objects.policy import administrators_policy, cluster_policy, environment_policy

ReviewerToken = Literal["secret", "token-request"]
SecretStoreApi = Literal["auto", "v1", "v1beta1"]

_DURATIONS = ("sync_timeout", "store_timeout", "merge_timeout", "token_ttl", "reviewer_token_lifetime")


class ClusterRequest(BaseModel):
    """The checked parameters of a run that changes something for workloads of one cluster.

    Raises:
        InvalidInput: from the constructor, naming the field, the value and the remedy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: Annotated[str, AfterValidator(partial(check_cluster_name, "cluster"))]
    env: str = ""
    namespaces: tuple[str, ...]
    service_account: str = RUNBOOK.store.service_account
    policy_scope: PolicyScope = "env"
    reviewer_token: ReviewerToken = "secret"
    secret_store_api: SecretStoreApi = "auto"
    sync_timeout: str = "1h"
    store_timeout: str = "6m"
    merge_timeout: str | None = None
    adopt: tuple[str, ...] = ()
    plan_only: bool = False
    # On where `prefect.yaml` deploys it. Off here: runs from before that have no such parameter, and go on.
    approve: bool = False
    vault: str = "vault"
    gitops: str = "gitops"
    cluster_connection: str = ""
    conventions: Conventions = RUNBOOK

    @property
    def target(self) -> Cluster:
        """The cluster, with the names derived from it."""
        return Cluster(self.env, self.cluster, self.conventions)

    @property
    def subject(self) -> Subject:
        """Whom the run is for."""
        return self.target

    @property
    def role_policy(self) -> str:
        """Name of the policy of ours that the cluster's role hands out."""
        cluster_only = self.policy_scope == "cluster"
        return self.target.cluster_read_policy if cluster_only else self.target.read_policy

    @property
    def role_policies(self) -> tuple[str, ...]:
        """Names of all that it hands out."""
        return self.role_policy, *self.target.more_policies

    @property
    def account_namespaces(self) -> tuple[str, ...]:
        """Namespaces of the starter ServiceAccounts, which the role binds and whose login is proved."""
        return (self.target.store_namespace,) if self.target.store_namespace else self.namespaces

    @property
    def needed_namespaces(self) -> tuple[str, ...]:
        """Namespaces that somebody has to have made or declared; the operator's comes with our change."""
        others = (one for one in self.account_namespaces if one != self.conventions.operator.namespace)
        return tuple(dict.fromkeys((*self.namespaces, *others)))

    @property
    def store_namespaces(self) -> tuple[str, ...]:
        """Namespaces of the stores; an empty one stands for a ClusterSecretStore."""
        return ("",) if self.target.store.is_cluster_wide else self.namespaces

    @property
    @abstractmethod
    def objects(self) -> tuple[VaultObject, ...]:
        """The objects of Vault that the run deals with, in the order in which its steps write them."""

    def objects_of(self, *kinds: type[VaultObject]) -> tuple[VaultObject, ...]:
        """Those of some kinds."""
        return tuple(one for one in self.objects if isinstance(one, kinds))

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        conventions = values.get("conventions") or RUNBOOK
        connection = values.get("cluster_connection") or connection_name(str(values.get("cluster")))
        return {
            **values,
            "conventions": conventions,
            "policy_scope": values.get("policy_scope") or conventions.policy_scope,
            "service_account": values.get("service_account") or conventions.store.service_account,
            "cluster_connection": connection,
            "adopt": tuple(values.get("adopt") or ()),
            "merge_timeout": values.get("merge_timeout") or None,
        }

    @field_validator("service_account", "vault", "gitops", "cluster_connection")
    @classmethod
    def _is_name(cls, value: str, info: ValidationInfo) -> str:
        return check_name(str(info.field_name), value)

    @field_validator("namespaces")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise InvalidInput(
                "input",
                "namespaces=[]",
                "is empty",
                "Name at least one namespace in which the starter ServiceAccount may fetch secrets.",
            )
        for namespace in value:
            if "*" in namespace:
                raise InvalidInput(
                    "input",
                    f"namespaces={namespace!r}",
                    "is a wildcard: every namespace of the cluster could read the secrets",
                    "Name each namespace.",
                )
            check_name("namespaces", namespace)
        return tuple(dict.fromkeys(value))

    @field_validator(*_DURATIONS, check_fields=False)
    @classmethod
    def _is_duration(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            seconds(str(info.field_name), value)
        return value

    @model_validator(mode="after")
    def _fits_the_conventions(self) -> Self:
        # The environment's name is checked with the cluster's other names.
        if self.policy_scope == "env" and not self.target.read_policy:
            raise InvalidInput(
                "input",
                "policy_scope='env'",
                "needs the policy of an environment's workloads, and policies.environment of the "
                "conventions is null",
                "Set policy_scope to 'cluster'.",
            )
        operator = self.conventions.operator
        if self.service_account == operator.reviewer and operator.namespace in self.account_namespaces:
            raise InvalidInput(
                "input",
                f"service_account={self.service_account!r}",
                f"is the reviewer in {operator.namespace}, which may ask about any token of the cluster",
                "Name another ServiceAccount to read the secrets.",
            )
        return self

    @model_validator(mode="after")
    def _can_adopt(self) -> Self:
        """Refuse what can never be taken as it stands, before any system is asked."""
        never = {one.name: one.never_adopted for one in self.objects if one.never_adopted}
        possible = [one.name for one in self.objects if one.name not in never]
        for name in self.adopt:
            if name in never:
                remedy = "Leave it out, and do what the run's message says."
                raise InvalidInput("input", f"adopt={name!r}", never[name], remedy)
            if name not in possible:
                raise InvalidInput(
                    "input",
                    f"adopt={name!r}",
                    f"is not a Vault object of a run for {self.target}",
                    f"Name one of {', '.join(possible)}.",
                )
        return self

    def differences(self, other: Self) -> tuple[str, ...]:
        """Parameters by which two runs for one cluster would propose or write something else.

        How long a run waits, and which Blocks' names lead to the repository, make no difference.
        """
        aside = {"gitops", "sync_timeout", "store_timeout", "merge_timeout", "plan_only", "approve"}
        return tuple(
            field
            for field in type(self).model_fields
            if field not in aside and _comparable(getattr(self, field)) != _comparable(getattr(other, field))
        )


class EnableRequest(ClusterRequest):
    """The checked parameters of `enable-cluster`."""

    token_ttl: str = "1h"
    reviewer_token_lifetime: str = "8760h"
    move_alias: bool = False
    cluster_moved: bool = False

    @classmethod
    def of_any(cls, target: Cluster, **parameters: Any) -> Self:
        """Of a run for a cluster, where it makes no difference for which namespaces it is."""
        given = {"cluster": target.name, "env": target.env, "conventions": target.conventions, **parameters}
        return cls.model_validate({"namespaces": ("any",), **given})

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Those of the environment, and the cluster's own with ``policy_scope=cluster``."""
        target = self.target
        policies = [environment_policy(target)] if target.read_policy else []
        if target.admin_group:
            policies.append(administrators_policy(target))
        if self.policy_scope == "cluster":
            policies.append(cluster_policy(target))
        return tuple(replace(policy, adopted=policy.name in self.adopt) for policy in policies)

    @property
    def config(self) -> Config:
        """The config of the cluster's auth mount."""
        operator = self.conventions.operator
        if self.reviewer_token == "secret":
            token = f"get secret {operator.reviewer_token} -o jsonpath='{{.data.token}}' | base64 -d"
        else:
            token = f"create token {operator.reviewer} --duration={self.reviewer_token_lifetime}"
        config = Config(self.target, self.cluster_connection, token, moved=self.cluster_moved)
        return replace(config, adopted=config.name in self.adopt)

    @property
    def objects(self) -> tuple[VaultObject, ...]:
        target = self.target
        alias = Alias(target, move=self.move_alias)
        ttl = seconds("token_ttl", self.token_ttl)
        role = Role(target, self.service_account, self.account_namespaces, self.role_policies, ttl)
        people = (Group(target), replace(alias, adopted=alias.name in self.adopt))
        return (
            *self.policies,
            *(people if target.admin_group else ()),
            Mount(target),
            self.config,
            replace(role, adopted=role.name in self.adopt),
        )

    @model_validator(mode="after")
    def _alias_stays_or_moves(self) -> Self:
        alias = Alias(self.target).name
        if self.move_alias and alias in self.adopt:
            raise InvalidInput(
                "input",
                "move_alias=True",
                f"contradicts adopt=['{alias}'], which leaves the alias where it is",
                "Set only one of them.",
            )
        return self


def _comparable(value: object) -> object:
    """Lists of names as sets: their order says nothing."""
    return set(value) if isinstance(value, tuple) else value
