"""Step: wait until the change is on the base branch.

Merge is what the content of the base branch says, not what a payload or a person says: whoever resumes the
run only wakes it up, and it looks again. Waiting costs nothing: the run is suspended, its process ended.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from prefect import get_run_logger
from prefect.input import RunInput
from pydantic import Field

from change import connect
from change.artifacts import show
from change.asked import Asked
from change.execution import cloned
from change.gate import record as gate_record
from change.gate.pages import landed_page, waiting_page
from change.gate.suspension import Gate, run_in_execution
from change.results import Checked, Landing, Proposed
from change.runbook import Runbook
from change.step import step
from connections import GitOpsRepository
from runbook.durations import seconds
from runbook.errors import NotMerged
from runbook.foreign_text import plain
from runbook.gate import GateRecord
from runbook.gitops import fingerprint, unmet


class MergeAnswer(RunInput):
    """What a person may add when pressing Resume. Automations resume without it: all has defaults."""

    landed_elsewhere: bool = Field(
        default=False,
        description="The change came another way than this pull request. The base branch is still checked.",
    )
    note: str = Field(default="", description="A note for the run's log.")


@step("look for the merge")
def look_for_merge(runbook: Runbook, asked: Asked, checked: Checked, proposal: Proposed) -> Landing | None:
    """Look whether everything that the run wants is at the head of the base branch.

    Publishes what the run waits for, and leaves the record by which it is woken.

    Args:
        runbook: whose run it is.
        asked: the run's parameters.
        checked: what preflight found.
        proposal: what is proposed.

    Returns:
        None while something is missing.

    Raises:
        NotMerged: it did not land within ``merge_timeout``.
    """
    repository, vault = connect.gitops_repository(asked), connect.vault_connection(asked)
    if proposal.complete_at:
        return _landed(asked, repository, proposal, proposal.complete_at)
    served_versions, looked_at = checked.served_versions, datetime.now(UTC)
    with cloned(repository) as base:
        base.renew()
        edits = runbook.missing(base.tree, asked, repository, vault, served_versions)
        lacking = unmet(base.tree, proposal.wanted)
        commit = base.base_commit
    missing = {edit.path: "" for edit in edits} | lacking
    if not missing:
        return _landed(asked, repository, proposal, commit)
    record = _leave_record(asked, served_versions, proposal, commit, fingerprint(edits, lacking))
    show(
        "pull-request",
        asked.subject,
        waiting_page(
            asked.subject, record, repository.base_branch, missing, proposal.troubles, checked.plan_sha256
        ),
        f"{_named(proposal)}: what {asked.subject} waits for.",
        on_top=True,
    )
    get_run_logger().info(
        "%s at %s lacks %d files of the change; pull request: %s",
        repository.base_branch,
        commit[:12],
        len(missing),
        proposal.url,
    )
    for path, why in lacking.items():
        get_run_logger().debug("%s: %s", plain(path), plain(why))
    if record.why_of_time(looked_at):
        raise NotMerged(
            "GitHub",
            f"pull request #{proposal.number}",
            f"was not merged within {asked.merge_timeout}, since {record.since:%Y-%m-%d %H:%M} UTC",
            f"Merge it ({proposal.url}) and retry this run, or start a new one with a longer merge_timeout.",
        )
    return None


def _leave_record(
    asked: Asked,
    served_versions: tuple[str, ...],
    proposal: Proposed,
    base: str,
    remaining: str,
) -> GateRecord:
    run = gate_record.this_run()
    before = GateRecord.of_labels(run.labels)
    since = before.since if before else datetime.now(UTC)
    until = None
    if asked.merge_timeout:
        until = since + timedelta(seconds=seconds("merge_timeout", asked.merge_timeout))
    record = GateRecord(
        number=proposal.number,
        url=proposal.url,
        pull_request=proposal.state,
        head=proposal.head,
        shared=proposal.shared,
        base=base,
        remaining=remaining,
        served_versions=served_versions,
        wanted=proposal.wanted,
        since=since,
        until=until,
        suspensions=gate_record.suspensions(run),
    )
    gate_record.keep(run, record)
    return record


def _landed(asked: Asked, repository: GitOpsRepository, proposal: Proposed, commit: str) -> Landing:
    logger = get_run_logger()
    logger.info("The change is on %s at %s.", repository.base_branch, commit[:12])
    run = gate_record.this_run()
    record = GateRecord.of_labels(run.labels)
    was_merged = record is not None and record.pull_request == "merged"
    landing = _who(repository, proposal, commit, was_merged=was_merged)
    if record:
        gate_record.keep(run, record.model_copy(update={"passed": True, "base": commit}))
    if landing.how:
        logger.info("It came by %s, by %s, as %s.", landing.how, plain(landing.by), landing.as_commit)
        page = landed_page(asked.subject, landing, repository.base_branch)
        words = f"{_named(proposal)}: how the change of {asked.subject} landed."
        show("pull-request", asked.subject, page, words, on_top=True)
    return landing


def _named(proposal: Proposed) -> str:
    return f"Pull request #{proposal.number}" if proposal.number else "No pull request"


def _who(
    repository: GitOpsRepository, proposal: Proposed, commit: str, *, was_merged: bool = False
) -> Landing:
    """Who brought the change, and as which commit: of the merge, else the last who touched a file of it.

    Args:
        repository: where it landed.
        proposal: what was proposed.
        commit: head of the base branch.
        was_merged: whether it was seen merged before without the change being there: reverted, for example.
    """
    if proposal.number is None:
        return Landing(commit)
    with repository.github() as github:
        pull = proposal.merged or github.pull_request(proposal.number)
        link = f"[pull request #{pull.number}]({pull.url})"
        if pull.state == "merged" and not was_merged:
            merged_at = f"{pull.merged_at:%Y-%m-%d %H:%M} UTC" if pull.merged_at else ""
            return Landing(
                commit, True, f"merge of {link}", pull.merged_by or "", pull.merge_commit_sha or "", merged_at
            )
        # A file of the change's own tells more than a list that others change, too.
        own = (path for path, meaning in proposal.wanted.items() if "sha256" in meaning)
        path = next(own, next(iter(proposal.wanted), None))
        found = github.last_commit_of(path, repository.base_branch) if path else None
    how = f"another way than {link}, which is {pull.state}"
    if was_merged:
        how = f"another way, after {link} was merged without bringing it"
    if found is None:
        return Landing(commit, how=how)
    return Landing(commit, False, how, found.author, found.sha, f"{found.at:%Y-%m-%d %H:%M} UTC")


async def wait_for_merge(runbook: Runbook, asked: Asked, checked: Checked, proposal: Proposed) -> Landing:
    """Return once the change is on the base branch; suspend the run while it is not."""
    logger = get_run_logger()
    run = run_in_execution()
    record = GateRecord.of_labels(run.labels) if run else None
    gate = Gate(MergeAnswer, gate_record.KEY)
    # What it was resumed with counts once: later executions load that answer again.
    answer = None if record and record.passed else await gate.answer()
    if answer and (answer.note or answer.landed_elsewhere):
        elsewhere = " (said to have landed elsewhere)" if answer.landed_elsewhere else ""
        logger.info("Resumed%s: %s", elsewhere, plain(answer.note))
    while (landing := look_for_merge(runbook, asked, checked, proposal)) is None:
        if answer:
            logger.warning("Resumed, but the change is not on the base branch; the run waits again.")
        what = "the change of the GitOps repository, whichever way it comes"
        if proposal.url:
            end = "the change" if proposal.state == "merged" else "the merge"
            what = f"{end} of pull request #{proposal.number} {proposal.url}"
        description = f"""\
This run waits for {what}.

The run continues by itself within minutes after the merge. Resume it to check now; if the change is not on \
the base branch, it waits again. To refuse, close the pull request and cancel this run."""
        await gate.suspend(what, description)
    return landing
