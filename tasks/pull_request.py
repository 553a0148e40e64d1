"""Step: propose the change of the GitOps repository as a pull request, and keep the proposal good.

One branch a cluster, one commit, one pull request. What is already on the base branch is not proposed
again, and an open pull request is found, not doubled. A run that is woken comes here again: where the base
branch moved below the change, the branch is rebuilt; where people pushed to it, it is theirs too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from change.artifacts import show, shown
from change.execution import cloned
from change.gate import record as gate_record
from change.gate.siblings import refuse_to_fight
from change.plans import plans_of_run
from change.records import Recorder
from change.results import Checked, Proposed
from change.step import say_instead, step
from connections import GitOpsRepository
from runbook import records
from runbook.errors import Conflict, NotMerged, OthersCommits
from runbook.foreign_text import plain
from runbook.gate import GateRecord
from runbook.gitops import FileEdit, Tree, meaning_of, unmet
from runbook.pull_request import Words, plan_of, shows, words
from runbook.request import ClusterRequest
from systems.git_branch import Proposal
from systems.github import GitHub, PullRequest
from systems.gitops import GitOpsClone
from tasks import connect
from tasks.pull_request_text import show_plan, tell_troubles, with_mergeability
from tasks.runbooks import ClusterRunbook

FORK_WAIT = 60.0
"""Seconds that GitHub gets to fill a new fork; it says "up to five minutes" and takes a few seconds."""


@step("open the pull request")
def open_pull_request(runbook: ClusterRunbook, request: ClusterRequest, checked: Checked) -> Proposed:
    """Clone, edit, commit, push, and open or find the pull request; bring an open one up to date.

    Args:
        runbook: whose run it is.
        request: the run's parameters.
        checked: what preflight found.

    Returns:
        ``number`` is None and ``files`` empty when nothing is left to change and no pull request brought it.

    Raises:
        NotMerged: the pull request was closed without a merge.
        Conflict: an older run wants another change, or commits of other people are on the branch and there
            is no pull request of it.
    """
    run = gate_record.this_run()
    record = GateRecord.of_labels(run.labels)
    repository = connect.gitops_repository(request)
    vault = connect.vault_connection(request)

    def missing(tree: Tree) -> tuple[FileEdit, ...]:
        return runbook.missing(tree, request, repository, vault, checked.served_versions)

    with cloned(repository) as base, repository.github() as github:
        wanted = record.wanted if record else {}
        edits, lacking = missing(base.tree), unmet(base.tree, wanted)
        if (edits or lacking) and base.renew():
            edits, lacking = missing(base.tree), unmet(base.tree, wanted)
        if own := record.number if record else None:
            found: PullRequest | None = github.pull_request(own)
        else:
            found = github.find_pull_request(
                repository.fork or repository.owner, request.subject.branch, repository.base_branch
            )
        decided = bool(edits or lacking) and _is_decided(run, record, found)
        if edits and not decided:
            _refuse_to_fight(run, record, runbook, request)
            text = words(
                runbook.purpose(request, {edit.path: edit.diff() for edit in edits}, repository.layout),
                [edit.path for edit in edits],
                checked.vault_changes,
                checked.plan_sha256,
                flow_run.ui_url,
                (run.created_by and run.created_by.display_value) or "",
            )
            recorder = Recorder.of_this_run(request)
            proposing = _Proposing(request, checked, repository, github, base, missing, recorder)
            proposed = proposing.propose(edits, text, found)
            # What the base branch has by now counts on; what it has otherwise is not proposed any more.
            met = {path: meaning for path, meaning in wanted.items() if path not in lacking}
            wanted = met | meaning_of(edits)
        else:
            proposed_before = record or any(plan["files"] for plan in plans_of_run(request.subject, run.id))
            if found and found.number != own and (found.state != "merged" or not proposed_before):
                # One of another run: nobody approved it, or this run needs none.
                found = None
            proposed = _as_found(request, found, shared=bool(record and record.shared))
    proposed = replace(
        proposed,
        files=tuple(edit.path for edit in edits),
        wanted=wanted,
        complete_at="" if edits or lacking else base.base_commit,
    )
    _publish(request, proposed)
    return proposed


def _refuse_to_fight(
    run: FlowRun, record: GateRecord | None, runbook: ClusterRunbook, request: ClusterRequest
) -> None:
    try:
        refuse_to_fight(run, runbook, request)
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
        "If that was intended, there is nothing to do. Else start a new run, which opens a new pull request; "
        f"or reopen this one ({found.url}) and retry this run.",
    )


def _as_found(request: ClusterRequest, found: PullRequest | None, *, shared: bool) -> Proposed:
    if found is None:
        return Proposed(request.subject.branch)
    return Proposed(
        request.subject.branch,
        number=found.number,
        url=found.url,
        state=found.state,
        head=found.head_sha,
        shared=shared,
        text=found.body,
        merged=found if found.state == "merged" else None,
    )


@dataclass(frozen=True, slots=True)
class _Proposing:
    """What has a branch hold the change of a run, and a pull request show it.

    Attributes:
        request: the run's parameters.
        checked: what preflight found.
        repository, github, base: of the GitOps repository: its connection, its API, its clone.
        missing: what of the change is left to do in a tree.
        recorder: takes each write.
    """

    request: ClusterRequest
    checked: Checked
    repository: GitOpsRepository
    github: GitHub
    base: GitOpsClone
    missing: Callable[[Tree], tuple[FileEdit, ...]]
    recorder: Recorder

    def propose(self, edits: tuple[FileEdit, ...], text: Words, found: PullRequest | None) -> Proposed:
        """Have the branch hold ``edits``, and a pull request say ``text``: ``found``, if it is open."""
        troubles: dict[str, str] = {}
        try:
            branched = self._push(edits, text)
            shared, is_new = branched.shared, branched.pushed
        except OthersCommits as error:
            if found is None or found.state != "open":
                raise
            # The branch is theirs now; the base branch decides, whatever they make of it.
            troubles["others commits"] = f"{error.subject} {error.answer}"
            shared, is_new = True, False
        if found and found.state == "open":
            found = self.github.pull_request(found.number)
            if found.state != "open":
                # Decided on while we worked: it is not to be proposed a second time.
                return _as_found(self.request, found, shared=shared)
            pull = found
        else:
            pull = self._open(text)
        self._have_it_say(text, pull, is_opened=found is None or found.number != pull.number)
        if pull is found or not is_new:
            # One that was just made of the head of the base branch merges.
            pull = with_mergeability(self.github, pull)
        if pull.mergeable is False:
            troubles["conflict"] = f"it conflicts with {self.repository.base_branch}"
        tell_troubles(self.github, pull, troubles)
        return replace(_as_found(self.request, pull, shared=shared), troubles=tuple(troubles.values()))

    def _push(self, edits: tuple[FileEdit, ...], text: Words) -> Proposal:
        """Push the change where that is needed."""
        files = [edit.path for edit in edits]
        repository, branch = self.repository, self.request.subject.branch
        fork = self.github.ensure_fork(repository.fork, FORK_WAIT) if repository.fork else None
        push_url = fork.clone_url if fork else None
        signs = self.checked.signs
        if signs is None:
            # Preflight found nothing to push: the base branch has moved since.
            signs = self.github.must_sign(repository.base_branch, *(() if fork else (branch,)))
        full_name = fork.full_name if fork else repository.repository
        proposal = self.base.propose(
            branch,
            edits,
            text.commit_message,
            author_name=repository.author_name,
            author_email=repository.author_email,
            push_url=push_url,
            push_token=repository.token if push_url else None,
            remaining=self.missing,
            sign=partial(self.github.signed_commit, full_name) if signs else None,
            unclear=lambda pushed: self.recorder.pushed(repository, pushed, files, confirmed=False),
        )
        if proposal.pushed:
            self.recorder.pushed(repository, proposal, files)
        get_run_logger().info(
            "Branch %s: %s%s",
            proposal.branch,
            "pushed" if proposal.pushed else "as wanted",
            plain(f"; {proposal.note}") if proposal.note else "",
        )
        return proposal

    def _open(self, text: Words) -> PullRequest:
        repository, branch = self.repository, self.request.subject.branch
        opening = records.opening(repository.repository, branch, self.checked.plan_sha256)
        with self.recorder.unless_answered(opening):
            pull = self.github.open_pull_request(
                title=text.title,
                body=text.body,
                head_owner=repository.fork or repository.owner,
                branch=branch,
                base=repository.base_branch,
            )
        # One that was there already was not a moment ago: it was opened since.
        self.base.tell(pull.base_sha)
        return pull

    def _have_it_say(self, text: Words, pull: PullRequest, *, is_opened: bool) -> None:
        """Have the pull request show the plan, and record it."""
        before, sha256 = plan_of(pull.body), self.checked.plan_sha256
        if not shows(pull.body, text.body):
            showing = records.updated(pull.number, pull.url, before, sha256)
            with self.recorder.unless_answered(showing):
                shown = show_plan(self.github, pull, text, sha256)
            if shown:
                self.recorder.updated(pull, before, sha256)
        elif is_opened:
            self.recorder.opened(pull, sha256)


def _publish(request: ClusterRequest, proposed: Proposed) -> None:
    logger = get_run_logger()
    if proposed.url is None:
        logger.info("The GitOps repository is as wanted; no pull request is needed.")
        say_instead("no pull request is needed")
        return
    state = "waits for its merge" if proposed.files else "has landed"
    logger.info("Pull request #%s %s: %s", proposed.number, state, proposed.url)
    if shown("pull-request", request.subject) is None:
        # The look for the merge says more, and is not reached if anything fails before.
        named = f"Pull request #{proposed.number}"
        show("pull-request", request.subject, f"[{named}]({proposed.url})", f"{named} {state}.", on_top=True)
