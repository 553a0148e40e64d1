"""Keep a record of each change that a step makes, at once: a line of JSON in a log, and an artifact.

The step goes on when Prefect has the record. A process that is killed between a write and its record leaves
Vault's audit log, which has the flow run's id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.artifacts import Artifact
from prefect.client.schemas.objects import Artifact as Card
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import deployment, flow_run

from change.artifacts import DATA, artifact_key, content, keep, published, show
from change.asked import Asked
from change.execution import once, share
from connections import GitOpsRepository
from runbook import records
from runbook.changes import Change
from runbook.errors import EnablementError
from runbook.names import Subject
from runbook.records import Context, Record, Written
from systems.git_branch import Proposal
from systems.github import PullRequest
from systems.vault import Vault

NOT_KNOWN = "not known"
_KIND = "records-data"
_LOG = logging.getLogger("enablement.records")
"""The log of the run's process has these lines, and the run's own log has a sentence instead."""
_LOG.setLevel(logging.INFO)


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
    def of_this_run(cls, asked: Asked, pull_request: str | None = None, approver: str = "") -> Self:
        """For a step of the run that is executed here; publishes each record as an artifact of the run.

        Args:
            asked: the run's parameters.
            pull_request, approver: see `ApprovedPlan`; not given for what nobody has to approve.
        """

        def publish(record: Record) -> None:
            artifact = Artifact(
                type=DATA,
                key=artifact_key(_KIND, asked.subject),
                description=f"A change made for {asked.subject}: {record.change.object}.",
                data=[record.as_json()],
            )
            keep(artifact, record.change.object)
            with suppress(httpx.TransportError, PrefectHTTPStatusError):
                show_records(asked)  # what is missed is shown with the next, and before the report

        context = Context(str(flow_run.id), pull_request, _triggered_by(), approver)
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
        _LOG.info("%s", json.dumps(record.as_json()))
        get_run_logger().info("%s", record)
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


def show_records(asked: Asked) -> None:
    """Show the records of this run on its page."""
    if records_so_far := _records(asked, UUID(flow_run.id)):
        words = f"Every change that this run has made: {len(records_so_far)}."
        show("records", asked.subject, records.records_page(records_so_far), words)


def written_to_vault(asked: Asked, run: UUID) -> tuple[Written, ...]:
    """What a run wrote to Vault, in all its attempts, oldest first, by its published records."""
    return tuple(Written.read(one) for one in _records(asked, run) if one["system"] == "Vault")


def record_artifacts(subject: Subject, run: UUID | None = None) -> Iterator[Card]:
    """The artifacts that hold records, newest first; an older version had another key and type."""
    keys = artifact_key(_KIND, subject), artifact_key("records", subject)
    return published(*keys, run=run, types=(DATA, "json"))


def _records(asked: Asked, run: UUID) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for artifact in [*record_artifacts(asked.subject, run)][::-1]:
        # An artifact whose answer was lost may have been published twice.
        found += [record for record in content(artifact) if record not in found]
    return found


def identity_in_vault(vault: Vault) -> Callable[[], str]:
    """Whom Vault takes us for, asked once for one token and only when something was written."""
    return cache(lambda: _identity(vault))


def own_token(vault: Vault) -> Mapping[str, Any]:
    """What Vault knows of our token now, see `Vault.own_token`; records of this execution go by it."""
    token = vault.own_token()
    share(_question(vault), token)
    return token


def _question(vault: Vault) -> Hashable:
    return vault.http.place, vault.http.token


def _identity(vault: Vault) -> str:
    try:
        return _name_of(once(_question(vault), vault.own_token))
    except EnablementError as error:
        # The change is made; that its author is not known must not make the step fail.
        get_run_logger().warning("Vault does not say as whom this run acted: %s", error)
        return NOT_KNOWN


def _name_of(token: Mapping[str, Any]) -> str:
    entity = f", entity {token['entity_id']}" if token.get("entity_id") else ""
    return f"{token.get('display_name') or NOT_KNOWN}{entity}"


def _triggered_by() -> str:
    """Who or what made this run, as far as Prefect knows; its open-source server knows no people."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None:
        return NOT_KNOWN
    if run.created_by and (
        known := " ".join(filter(None, (run.created_by.type, run.created_by.display_value)))
    ):
        return known
    if parent := flow_run.parent_flow_run_id:
        return f"the run {parent}"
    if run.deployment_id is None:
        return "a process that called the flow"
    how = "the schedule of" if run.auto_scheduled else "somebody in Prefect's UI or API, by"
    return f"{how} the deployment {deployment.name}"
