"""The form of a run in Prefect's UI: titles, choices, and what its server checks when a run is created.

Whatever gets past that is refused by the run's request, which says in words what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from runbook.durations import DURATION_PATTERN
from runbook.names import CLUSTER_PATTERN, NAME_PATTERN
from runbook.request import ReviewerToken, SecretStoreApi


def _text(words: str, pattern: str, **schema: Any) -> dict[str, Any]:
    # Whoever is refused is shown the pattern and nothing else. No text matches the words: `^` is behind them.
    return {"type": "string", "pattern": f"{words}: ^|{pattern}", **schema}


def _shown(title: str, schema: dict[str, Any] | None = None) -> Any:
    return Field(json_schema_extra={**(schema or {}), "title": title})


# What may be left out is a field that may be empty: of a union with None the form makes a switch.
_NAME_RULE = "lower-case letters, digits and inner hyphens"
_NAME = _text(_NAME_RULE, NAME_PATTERN, maxLength=63)
_CLUSTER = _text(f"{_NAME_RULE} or dots", CLUSTER_PATTERN, maxLength=63)
_ENV = _text(f"{_NAME_RULE}; empty without environments", f"^$|{NAME_PATTERN}", maxLength=63)
_ACCOUNT = _text(f"{_NAME_RULE}; empty as in the conventions", f"^$|{NAME_PATTERN}", maxLength=63)
_NAME_OR_EMPTY = _text(f"empty, or {_NAME_RULE}", f"^$|{NAME_PATTERN}", maxLength=63)
_DURATION_RULE = "hours, minutes and seconds, such as 90m or 1h30m"
_DURATION = _text(_DURATION_RULE, DURATION_PATTERN)
_DURATION_OR_EMPTY = _text(f"empty, or {_DURATION_RULE}", f"^$|{DURATION_PATTERN}")
_LIST = {"type": "array", "items": {"type": "string"}}

_Name = Annotated[str, Field(json_schema_extra=_NAME)]

Cluster = Annotated[str, _shown("Cluster", _CLUSTER)]
Env = Annotated[str, _shown("Environment", _ENV)]
Namespace = Annotated[str, _shown("Namespace", _NAME)]
Namespaces = Annotated[list[_Name], _shown("Namespaces", {"minItems": 1})]

PlanOnly = Annotated[bool, _shown("Plan only")]
Approve = Annotated[bool, _shown("Ask before Vault is changed")]

Scope = Annotated[Literal["", "env", "cluster"], _shown("Rights: whose secrets the cluster reads")]
ServiceAccount = Annotated[str, _shown("Rights: starter ServiceAccount", _ACCOUNT)]
TokenTtl = Annotated[str, _shown("Rights: TTL of the Vault token", _DURATION)]
Reviewer = Annotated[ReviewerToken, _shown("Reviewer's token: source")]
ReviewerLifetime = Annotated[str, _shown("Reviewer's token: lifetime", _DURATION)]
StoreApi = Annotated[SecretStoreApi, _shown("SecretStore: API version")]

Adopt = Annotated[tuple[str, ...] | None, WithJsonSchema(_LIST), _shown("In the way: adopt these objects")]
MoveAlias = Annotated[bool, _shown("In the way: move the alias")]
ClusterMoved = Annotated[bool, _shown("In the way: the cluster was reinstalled or has moved")]

MergeTimeout = Annotated[str | None, WithJsonSchema(_DURATION_OR_EMPTY), _shown("Wait: for the merge")]
SyncTimeout = Annotated[str, _shown("Wait: for the sync", _DURATION)]
StoreTimeout = Annotated[str, _shown("Wait: for the operator", _DURATION)]

Vault = Annotated[str, _shown("Connection: Vault", _NAME)]
GitOps = Annotated[str, _shown("Connection: GitOps repository", _NAME)]
Conventions = Annotated[str, _shown("Connection: conventions", _NAME)]
ClusterConnection = Annotated[str | None, WithJsonSchema(_NAME_OR_EMPTY), _shown("Connection: cluster")]
