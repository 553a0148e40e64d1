"""Keep a record of each change that a step makes: a line of JSON in the log at once, an artifact at its end.

The artifact is published also when the step fails half-way. A process that is killed between a write and the
end of its step leaves the log's line, and Vault's audit log, which has the flow run's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from connections import GitOpsRepository
from runbook import records
from runbook.changes import Change
from runbook.errors import EnablementError
from runbook.records import Context, Record
from runbook.request import EnableRequest
from systems.github import PullRequest
from systems.gitops import Proposal
from systems.vault import Vault
from tasks.artifacts import artifact_key

NOT_KNOWN = "not known"


class Recorder:
    """The records of one step.

    Args:
        context: in whose name the step acts.
        gitops: name of the connection whose token GitHub gets.
    """

    def __init__(self, context: Context, gitops: str) -> None:
        self._context = context
        self._github = f"token of GitOpsRepository {gitops}"
        self.records: list[dict[str, Any]] = []

    def keep(
        self,
        system: str,
        change: Change,
        acted_as: str,
        secrets: Mapping[str, str],
        *,
        confirmed: bool = True,
    ) -> None:
        """Keep a change that the system has just confirmed, or that it may have made."""
        now = datetime.now(UTC)
        record = Record(system, change, self._context, acted_as, now, secrets, confirmed).as_json()
        self.records.append(record)
        get_run_logger().info("%s", json.dumps(record, ensure_ascii=False))

    def pushed(
        self, repository: GitOpsRepository, proposal: Proposal, files: list[str], *, confirmed: bool = True
    ) -> None:
        """Keep that a branch was pushed, by the author of its commit."""
        author = f"{repository.author_name} <{repository.author_email}>"
        change = records.pushed(proposal.branch, proposal.before, proposal.commit, files)
        self.keep("Git", change, author, {}, confirmed=confirmed)

    def opened(self, pull: PullRequest, plan_sha256: str) -> None:
        """Keep that a pull request was opened."""
        self.keep("GitHub", records.opened(pull.number, pull.url, plan_sha256), self._github, {})

    def updated(self, pull: PullRequest, before: str | None, plan_sha256: str) -> None:
        """Keep that a pull request shows another plan."""
        self.keep("GitHub", records.updated(pull.number, pull.url, before, plan_sha256), self._github, {})

    @contextmanager
    def unless_answered(self, change: Change) -> Iterator[None]:
        """Keep a change at GitHub that the block asks for, where no answer tells whether it was made."""
        try:
            yield
        except EnablementError as error:
            if error.maybe_done:
                self.keep("GitHub", change, self._github, {}, confirmed=False)
            raise


@contextmanager
def recording(request: EnableRequest, pull_request: str | None) -> Iterator[Recorder]:
    """Records of one step; published when the block is left, also by an exception."""
    recorder = Recorder(Context(str(flow_run.id), pull_request, _triggered_by()), request.gitops)
    try:
        yield recorder
    finally:
        if recorder.records:
            Artifact(
                type="json",
                key=artifact_key("records", request.target),
                description=f"Changes made for {request.target}: {len(recorder.records)}.",
                data=recorder.records,
            ).create()


def unconfirmed_in_vault(request: EnableRequest, run: UUID) -> tuple[str, ...]:
    """Paths that a run wrote to without an answer of Vault's, in their order, by its published records."""
    wanted = {"key": {"any_": [artifact_key("records", request.target)]}, "flow_run_id": {"any_": [run]}}
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(wanted), sort=ArtifactSort.CREATED_DESC
        )
    steps = [json.loads(one.data) if isinstance(one.data, str) else one.data for one in reversed(found)]
    return tuple(
        dict.fromkeys(
            record["path"]
            for step in steps
            if isinstance(step, list)
            for record in step
            # Records of an older version do not say: they were all confirmed.
            if record["system"] == "Vault" and not record.get("confirmed", True)
        )
    )


def identity_in_vault(vault: Vault) -> Callable[[], str]:
    """Whom Vault takes us for, asked once and only when something was written."""
    known: list[str] = []

    def ask() -> str:
        if not known:
            known.append(_identity(vault))
        return known[0]

    return ask


def _identity(vault: Vault) -> str:
    try:
        token = vault.own_token()
    except EnablementError as error:
        # The change is made; that its author is not known must not make the step fail.
        get_run_logger().warning("Vault does not say whom it takes us for: %s", error)
        return NOT_KNOWN
    entity = f", entity {token['entity_id']}" if token.get("entity_id") else ""
    return f"{token.get('display_name') or NOT_KNOWN}{entity}"


def _triggered_by() -> str:
    context = FlowRunContext.get()
    maker = context.flow_run.created_by if context and context.flow_run else None
    if maker is None:
        return NOT_KNOWN
    return " ".join(filter(None, (maker.type, maker.display_value))) or NOT_KNOWN
