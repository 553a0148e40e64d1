"""What one run is asked to do. Names and references only: a run's parameters are stored in clear."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from runbook.adoption import check_adopt
from runbook.errors import InvalidInput
from runbook.names import Cluster, check_name

PolicyScope = Literal["env", "cluster"]
ReviewerToken = Literal["secret", "token-request"]
SecretStoreApi = Literal["auto", "v1", "v1beta1"]

DURATION_PATTERN = r"^(?=[0-9])(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?$"
"""A duration as Vault writes it: hours, minutes and seconds, in this order; also understood by a browser."""


def seconds(field: str, duration: str) -> int:
    """Seconds of a duration such as ``1h``, ``90m`` or ``1h30m``.

    Raises:
        InvalidInput: if it is not one, or is zero.
    """
    match = re.fullmatch(DURATION_PATTERN, duration)
    hours, minutes, rest = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + rest
    if total == 0:
        raise InvalidInput(
            "input",
            f"{field}={duration!r}",
            "is not a duration above zero",
            "Write it in hours, minutes and seconds, for example '1h', '90m' or '1h30m'.",
        )
    return total


class EnableRequest(BaseModel):
    """The checked parameters of `enable-cluster`.

    Raises:
        InvalidInput: from the constructor, naming the field, the value and the remedy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster: str
    env: str
    namespaces: tuple[str, ...]
    service_account: str = "vault-secret-fetcher"
    token_ttl: str = "1h"
    policy_scope: PolicyScope = "env"
    reviewer_token: ReviewerToken = "secret"
    reviewer_token_lifetime: str = "8760h"
    secret_store_api: SecretStoreApi = "auto"
    sync_timeout: str = "1h"
    merge_timeout: str | None = None
    adopt: tuple[str, ...] = ()
    move_alias: bool = False
    plan_only: bool = False
    approve: bool = False
    vault: str = "vault"
    gitops: str = "gitops"
    cluster_connection: str = ""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        connection = values.get("cluster_connection") or values.get("cluster")
        return {**values, "cluster_connection": connection, "adopt": tuple(values.get("adopt") or ())}

    @field_validator("cluster", "env", "service_account", "vault", "gitops", "cluster_connection")
    @classmethod
    def _is_name(cls, value: str, info: object) -> str:
        return check_name(getattr(info, "field_name", "name"), value)

    @field_validator("namespaces")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise InvalidInput(
                "input",
                "namespaces=[]",
                "names no namespace",
                "Give at least one namespace in which the starter ServiceAccount may fetch secrets.",
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

    @field_validator("token_ttl", "reviewer_token_lifetime", "sync_timeout", "merge_timeout")
    @classmethod
    def _is_duration(cls, value: str | None, info: object) -> str | None:
        if value is not None:
            seconds(getattr(info, "field_name", "duration"), value)
        return value

    def differences(self, other: EnableRequest) -> tuple[str, ...]:
        """Parameters by which two runs for one cluster would propose or write something else.

        How long a run waits, and which Blocks' names lead to the repository, make no difference.
        """
        aside = {"gitops", "sync_timeout", "merge_timeout", "plan_only", "approve"}
        return tuple(
            field
            for field in type(self).model_fields
            if field not in aside and _comparable(getattr(self, field)) != _comparable(getattr(other, field))
        )

    @model_validator(mode="after")
    def _can_adopt(self) -> Self:
        policies = [self.target.read_policy, self.target.write_policy]
        if self.policy_scope == "cluster":
            policies.append(self.target.cluster_read_policy)
        check_adopt(self.target, policies, self.adopt, move_alias=self.move_alias)
        return self

    @property
    def target(self) -> Cluster:
        """The cluster, with the names derived from it."""
        return Cluster(self.env, self.cluster)


def _comparable(value: object) -> object:
    """Lists of names as sets: their order says nothing."""
    return set(value) if isinstance(value, tuple) else value
