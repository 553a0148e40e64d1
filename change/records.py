"""Keep a record of each change that a step makes, at once: a line of JSON in the log, and an artifact.

The step goes on when Prefect has the record. A process that is killed between a write and its record leaves
Vault's audit log, which has the flow run's id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Self
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from change.artifacts import artifact_key, keep
from change.asked import Asked
from connections import GitOpsRepository
from runbook import records
from runbook.changes import Change
from runbook.errors import EnablementError
from runbook.records import Context, Record, Written
from systems.git_branch import Proposal
from systems.github import PullRequest
from systems.vault import Vault

NOT_KNOWN = "not known"


class Recorder:
    """The records of one step.

    Args:
        context: in whose name the step acts.
        gitops: name of the connection whose token GitHub gets.
        publish: takes each record.
    """

    def __init__(self, context: Context, gitops: str, publish: Callable[[Record], None]) -> None:
        self._context = context
        self._github = f"token of GitOpsRepository {gitops}"
        self._publish = publish

    @classmethod
    def of_this_run(cls, asked: Asked, pull_request: str | None) -> Self:
        """For a step of the run that is executed here; publishes each record as an artifact of the run."""

        def publish(record: Record) -> None:
            artifact = Artifact(
                type="json",
                key=artifact_key("records", asked.subject),
                description=f"A change made for {asked.subject}: {record.change.object}.",
                data=[record.as_json()],
            )
            keep(artifact, record.change.object)

        context = Context(str(flow_run.id), pull_request, _triggered_by())
        return cls(context, asked.gitops, publish)

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
        record = Record(system, change, self._context, acted_as, now, secrets, confirmed)
        get_run_logger().info("%s", json.dumps(record.as_json()))
        self._publish(record)

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


def written_to_vault(asked: Asked, run: UUID) -> tuple[Written, ...]:
    """What a run wrote to Vault, in all its attempts, oldest first, by its published records."""
    wanted = {"key": {"any_": [artifact_key("records", asked.subject)]}, "flow_run_id": {"any_": [run]}}
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter.model_validate(wanted), sort=ArtifactSort.CREATED_DESC
        )
    kept = [json.loads(one.data) if isinstance(one.data, str) else one.data for one in reversed(found)]
    everything = [Written.read(record) for records in kept if isinstance(records, list) for record in records]
    # An artifact whose answer was lost may have been published twice.
    return tuple(dict.fromkeys(one for one in everything if one.system == "Vault"))


def identity_in_vault(vault: Vault) -> Callable[[], str]:
    """Whom Vault takes us for, asked once and only when something was written."""
    return cache(lambda: _identity(vault))


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
