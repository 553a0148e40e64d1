"""Step: propose the change of the GitOps repository as a pull request, and keep the proposal good.

One branch a cluster, one commit, one pull request. What is already on the base branch is not proposed
again, and an open pull request is found, not doubled. A run that is woken comes here again: where the base
branch moved below the change, the branch is rebuilt; where people pushed to it, it is theirs too.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from connections import GitOpsRepository
from runbook import records
from runbook.errors import Conflict, NotMerged, OthersCommits
from runbook.gate import GateRecord
from runbook.gitops import FileEdit, StoreSettings, Tree, meaning_of, unmet, wanted_edits
from runbook.pull_request import Words, plan_of, words
from runbook.request import EnableRequest
from systems.github import GitHub, PullRequest
from systems.gitops import GitOpsClone
from tasks import connect, gate_record
from tasks.artifacts import artifact_key
from tasks.pull_request_text import show_plan, tell_troubles, with_mergeability
from tasks.records import Recorder, recording
from tasks.repository import clone, store_settings
from tasks.siblings import refuse_to_fight
from tasks.step import look

FORK_WAIT = 60.0
"""Seconds that GitHub gets to fill a new fork; it says "up to five minutes" and takes a few seconds."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """The change of a run, as it is proposed now. The result of the step is this as plain JSON.

    Attributes:
        number: of the pull request; None if none was needed.
        state: of the pull request.
        head: commit that is proposed.
        shared: whether other people's commits are on the branch.
        files: paths that the base branch still lacks.
        wanted: meaning of the change by path, see `runbook.gitops.landing`.
        troubles: what keeps the pull request from being merged as it is, a sentence each.
        plan_sha256: hash of the plan that the text of the pull request shows; None if it shows none.
    """

    branch: str
    number: int | None = None
    url: str | None = None
    state: Literal["open", "closed", "merged", "none"] = "none"
    head: str = ""
    shared: bool = False
    files: tuple[str, ...] = ()
    wanted: dict[str, dict[str, Any]] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    plan_sha256: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"files": list(self.files), "troubles": list(self.troubles)}


@look("open the pull request")
def open_pull_request(request: EnableRequest, preflight: dict[str, Any]) -> dict[str, Any]:
    """Clone, edit, commit, push, and open or find the pull request; bring an open one up to date.

    Args:
        request: the run's parameters.
        preflight: result of the preflight step: plan hash, the Vault changes in markdown, served versions.

    Returns:
        `Proposed` as JSON; ``number`` is None and ``files`` empty when nothing is left to change and no pull
        request brought it.

    Raises:
        NotMerged: the pull request was closed without a merge.
        Conflict: an older run wants another change, or commits of other people are on the branch and there
            is no pull request of it.
    """
    run = gate_record.this_run()
    record = GateRecord.of_labels(run.labels)
    repository = connect.gitops_repository(request)
    settings = store_settings(connect.vault_connection(request), tuple(preflight["served_versions"]))
    with clone(repository) as base, repository.github() as github:
        edits = wanted_edits(base.tree, request, repository.layout, settings)
        wanted = record.wanted if record else {}
        lacking = unmet(base.tree, wanted)
        found = github.find_pull_request(
            repository.fork or repository.owner, request.target.branch, repository.base_branch
        )
        decided = bool(edits or lacking) and _is_decided(run, record, found)
        if edits and not decided:
            _refuse_to_fight(run, record, request)
            with recording(request, found.url if found else None) as recorder:
                proposed = _propose(request, repository, github, base, settings, preflight, found, recorder)
            # What the base branch has by now counts on; what it has otherwise is not proposed any more.
            met = {path: meaning for path, meaning in wanted.items() if path not in lacking}
            wanted = met | meaning_of(edits)
        else:
            proposed = _as_found(request, found, shared=bool(record and record.shared))
    result = asdict(proposed) | {"files": tuple(edit.path for edit in edits), "wanted": wanted}
    proposed = Proposed(**result)
    _publish(request, proposed)
    return proposed.as_json()


def _refuse_to_fight(run: FlowRun, record: GateRecord | None, request: EnableRequest) -> None:
    try:
        refuse_to_fight(run, request)
    except Conflict:
        if record:
            # The other run has the branch and its pull request now: their end is not this run's.
            gate_record.keep(run, record.model_copy(update={"number": None, "url": None}))
        raise


def _is_decided(run: FlowRun, record: GateRecord | None, found: PullRequest | None) -> bool:
    """Whether the pull request that this run opened or waited for was merged or closed.

    Then this run proposes nothing more: merged, it waits for the content to be there (it may have been
    reverted); closed, somebody refused. Of one that was never this run's the time says nothing: a run that
    was refused because another one had the branch is retried once that one's has landed.

    Raises:
        NotMerged: closed without a merge.
    """
    if found is None or found.state == "open":
        return False
    if str(run.id) not in found.body and (record is None or record.number != found.number):
        return False
    if found.state == "merged":
        return True
    raise NotMerged(
        "GitHub",
        f"pull request #{found.number}",
        f"was closed without a merge by {found.closed_by or 'somebody'}"
        f"{f' at {found.closed_at:%Y-%m-%d %H:%M} UTC' if found.closed_at else ''}",
        "If that was meant, there is nothing to do. A new run opens a new pull request; reopening this one "
        f"({found.url}) and retrying this run goes on with it.",
    )


def _as_found(request: EnableRequest, found: PullRequest | None, *, shared: bool) -> Proposed:
    if found is None:
        return Proposed(request.target.branch)
    return Proposed(
        request.target.branch,
        number=found.number,
        url=found.url,
        state=found.state,
        head=found.head_sha,
        shared=shared,
        plan_sha256=plan_of(found.body),
    )


def _propose(
    request: EnableRequest,
    repository: GitOpsRepository,
    github: GitHub,
    base: GitOpsClone,
    settings: StoreSettings,
    preflight: dict[str, Any],
    found: PullRequest | None,
    recorder: Recorder,
) -> Proposed:
    """Have the branch hold the change, and an open pull request of it."""

    def missing(tree: Tree) -> tuple[FileEdit, ...]:
        return wanted_edits(tree, request, repository.layout, settings)

    edits = missing(base.tree)
    text = words(
        request.target,
        [edit.path for edit in edits],
        preflight["vault_changes"],
        preflight["plan_sha256"],
        flow_run.ui_url,
    )
    troubles = {}
    try:
        shared = _push(repository, github, base, edits, text, missing, request.target.branch, recorder)
    except OthersCommits as error:
        if found is None or found.state != "open":
            raise
        # The branch is theirs now; the base branch decides, whatever they make of it.
        troubles["others commits"] = f"{error.subject} {error.answer}"
        shared = True
    if found and found.state == "open":
        found = github.pull_request(found.number)
        if found.state != "open":
            # Decided on while we worked: it is not to be proposed a second time.
            return _as_found(request, found, shared=shared)
        pull = found
    else:
        opening = records.opening(repository.repository, request.target.branch, preflight["plan_sha256"])
        with recorder.unless_answered(opening):
            pull = github.open_pull_request(
                title=text.title,
                body=text.body,
                head_owner=repository.fork or repository.owner,
                branch=request.target.branch,
                base=repository.base_branch,
            )
    before = plan_of(pull.body)
    if preflight["plan_sha256"] != before:
        showing = records.updated(pull.number, pull.url, before, preflight["plan_sha256"])
        with recorder.unless_answered(showing):
            shown = show_plan(github, pull, text, preflight["plan_sha256"])
        if shown:
            recorder.updated(pull, before, preflight["plan_sha256"])
    elif found is None or found.number != pull.number:
        recorder.opened(pull, preflight["plan_sha256"])
    pull = with_mergeability(github, pull)
    if pull.mergeable is False:
        troubles["conflict"] = f"it conflicts with {repository.base_branch}"
    tell_troubles(github, pull, troubles)
    return Proposed(
        request.target.branch,
        number=pull.number,
        url=pull.url,
        state=pull.state,
        head=pull.head_sha,
        shared=shared,
        troubles=tuple(troubles.values()),
        plan_sha256=plan_of(pull.body),
    )


def _push(
    repository: GitOpsRepository,
    github: GitHub,
    base: GitOpsClone,
    edits: tuple[FileEdit, ...],
    text: Words,
    missing: Any,
    branch: str,
    recorder: Recorder,
) -> bool:
    """Push the change where that is needed; returns whether the branch is other people's too."""
    files = [edit.path for edit in edits]
    push_url = github.ensure_fork(repository.fork, FORK_WAIT).clone_url if repository.fork else None
    proposal = base.propose(
        branch,
        edits,
        text.commit_message,
        author_name=repository.author_name,
        author_email=repository.author_email,
        push_url=push_url,
        push_token=repository.token if push_url else None,
        remaining=missing,
        unclear=lambda pushed: recorder.pushed(repository, pushed, files, confirmed=False),
    )
    if proposal.pushed:
        recorder.pushed(repository, proposal, files)
    get_run_logger().info(
        "Branch %s: %s%s",
        proposal.branch,
        "pushed" if proposal.pushed else "as wanted already",
        f"; {proposal.note}" if proposal.note else "",
    )
    return proposal.shared


def _publish(request: EnableRequest, proposed: Proposed) -> None:
    logger = get_run_logger()
    if proposed.url is None:
        logger.info("The GitOps repository is as wanted; no pull request is needed.")
        return
    state = "awaits its merge" if proposed.files else "has landed"
    logger.info("Pull request #%s %s: %s", proposed.number, state, proposed.url)
    create_link_artifact(
        link=proposed.url,
        link_text=f"Pull request #{proposed.number}",
        key=artifact_key("pull-request", request.target),
        description=f"The change of the GitOps repository for {request.target}; it {state}.",
    )
