"""The connections that a run names, opened for one step."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from pydantic import ValidationError

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.errors import InvalidInput
from runbook.request import EnableRequest
from systems.openshift import OpenShift
from systems.vault import Vault

B = TypeVar("B", bound=Block)


def _connection(kind: type[B], parameter: str, name: str) -> B:
    """A Block, asked of Prefect's API once while the flow executes, and not again by each step.

    A run that is resumed or retried executes anew and loads it anew, so that a corrected connection counts.
    """
    execution = FlowRunContext.get()
    found = (
        _loaded_since(execution.start_time, kind, parameter, name)
        if execution
        else _load(kind, parameter, name)
    )
    assert isinstance(found, kind)  # noqa: S101 - for the type checker
    return found


@lru_cache(maxsize=3)  # those of one run: Vault, repository, cluster
def _loaded_since(_execution_began: datetime, kind: type[Block], parameter: str, name: str) -> Block:
    return _load(kind, parameter, name)


def _load(kind: type[Block], parameter: str, name: str) -> Block:
    try:
        loaded = kind.load(name, validate=True)
    except ValueError as error:
        if "Unable to find block document" not in str(error):
            raise
        raise InvalidInput(
            "input",
            f"{parameter}={name!r}",
            f"there is no {kind.__name__} of that name",
            "Make it with `python -m deployments.connect FILE`, or name another one.",
        ) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        raise InvalidInput(
            "input",
            f"{parameter}={name!r}",
            f"is not a usable {kind.__name__}: {_problems(error.__cause__)}",
            "It was saved by hand or by another version: make it anew with "
            "`python -m deployments.connect FILE`.",
        ) from None
    assert isinstance(loaded, Block)  # noqa: S101 - Block.load is typed as returning a Block or a coroutine
    return loaded


def _problems(error: ValidationError) -> str:
    """Fields and what is wrong with them; pydantic's own text would quote their values, tokens too."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    problems = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found]
    return "; ".join(f"{field}: {problem}" if field else problem for field, problem in problems)


def vault_connection(request: EnableRequest) -> VaultConnection:
    """The Vault of a run."""
    return _connection(VaultConnection, "vault", request.vault)


def gitops_repository(request: EnableRequest) -> GitOpsRepository:
    """The GitOps repository of a run."""
    return _connection(GitOpsRepository, "gitops", request.gitops)


def cluster_connection(request: EnableRequest) -> ClusterConnection:
    """The cluster of a run."""
    return _connection(ClusterConnection, "cluster_connection", request.cluster_connection)


def vault(request: EnableRequest) -> Vault:
    """Vault, logged in, to use in a ``with`` block. Its requests carry the flow run's id."""
    return vault_connection(request).client(correlation_id=flow_run.id)


def openshift(request: EnableRequest) -> OpenShift:
    """The cluster's API."""
    return cluster_connection(request).client()
