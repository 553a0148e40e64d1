"""Step: wait until the change is on the base branch.

Merge is what the content of the base branch says, not what a payload or a person says: whoever resumes the
run only wakes it up, and it looks again. Waiting costs nothing: the run is suspended, its process ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key
from pydantic import Field

from connections import GitOpsRepository
from runbook.errors import NotMerged
from runbook.gate import GateRecord
from runbook.gitops import StoreSettings, fingerprint, unmet, wanted_edits
from runbook.request import EnableRequest, seconds
from runbook.waiting import landed_page, waiting_page
from tasks import connect, gate_record
from tasks.artifacts import artifact_key
from tasks.repository import clone, store_settings
from tasks.step import look


class MergeAnswer(RunInput):
    """What a person may add when pressing Resume. Automations resume without it: all has defaults."""

    landed_elsewhere: bool = Field(
        default=False,
        description="The change came another way than this pull request. The base branch is still checked.",
    )
    note: str = Field(default="", description="Anything that the run's log should keep.")


@look("check the merge")
def check_merge(
    request: EnableRequest, preflight: dict[str, Any], proposal: dict[str, Any]
) -> dict[str, Any]:
    """Look whether everything that the run wants is at the head of the base branch.

    Publishes what the run waits for, and leaves the record by which it is woken.

    Args:
        request: the run's parameters.
        preflight: result of the preflight step.
        proposal: result of the pull request step.

    Returns:
        ``landed``; the ``commit`` that was looked at; ``missing``: paths; and of a change that landed
        ``how``, ``by`` whom, ``as`` which commit and ``at`` what time, empty where none was needed, and
        ``by_pull_request``: whether the merge of this run's pull request brought it.

    Raises:
        NotMerged: it did not land within ``merge_timeout``.
    """
    repository = connect.gitops_repository(request)
    settings = store_settings(connect.vault_connection(request), tuple(preflight["served_versions"]))
    with clone(repository) as base:
        edits = wanted_edits(base.tree, request, repository.layout, settings)
        lacking = unmet(base.tree, proposal["wanted"])
        commit = base.base_commit
    missing = {edit.path: "" for edit in edits} | lacking
    if not missing:
        return _landed(request, repository, proposal, commit)
    record = _leave_record(request, settings, proposal, commit, fingerprint(edits, lacking))
    lines = [f"`{path}`{f': {why}' if why else ''}" for path, why in missing.items()]
    create_markdown_artifact(
        markdown=waiting_page(
            request.target, record, repository.base_branch, lines, proposal["troubles"], preflight
        ),
        key=artifact_key("merge", request.target),
        description=f"What {request.target} waits for.",
    )
    get_run_logger().info(
        "%s at %s lacks %d files of the change; pull request: %s",
        repository.base_branch,
        commit[:12],
        len(missing),
        proposal["url"],
    )
    for path, why in lacking.items():
        get_run_logger().info("%s: %s", path, why)
    if record.why_of_time(datetime.now(UTC)):
        raise NotMerged(
            "GitHub",
            f"pull request #{proposal['number']}",
            f"was not merged within {request.merge_timeout}, since {record.since:%Y-%m-%d %H:%M} UTC",
            f"Merge it ({proposal['url']}) and retry this run, or start a new one with a longer "
            "merge_timeout.",
        )
    return {"landed": False, "commit": commit, "missing": list(missing)}


def _leave_record(
    request: EnableRequest,
    settings: StoreSettings,
    proposal: Mapping[str, Any],
    base: str,
    remaining: str,
) -> GateRecord:
    run = gate_record.this_run()
    before = GateRecord.of_labels(run.labels)
    since = before.since if before else datetime.now(UTC)
    until = None
    if request.merge_timeout:
        until = since + timedelta(seconds=seconds("merge_timeout", request.merge_timeout))
    record = GateRecord(
        number=proposal["number"],
        url=proposal["url"],
        pull_request=proposal["state"],
        head=proposal["head"],
        shared=proposal["shared"],
        base=base,
        remaining=remaining,
        served_versions=settings.served_versions,
        wanted=proposal["wanted"],
        since=since,
        until=until,
        suspensions=gate_record.suspensions(run),
    )
    gate_record.keep(run, record)
    return record


def _landed(
    request: EnableRequest, repository: GitOpsRepository, proposal: Mapping[str, Any], commit: str
) -> dict[str, Any]:
    logger = get_run_logger()
    logger.info("The change is on %s at %s.", repository.base_branch, commit[:12])
    run = gate_record.this_run()
    record = GateRecord.of_labels(run.labels)
    was_merged = record is not None and record.pull_request == "merged"
    result = {"landed": True, "commit": commit, "missing": []} | _who(
        repository, proposal, was_merged=was_merged
    )
    if record:
        gate_record.keep(run, record.model_copy(update={"passed": True, "base": commit}))
    if result["how"]:
        logger.info("It came by %s, by %s, as %s.", result["how"], result["by"], result["as"])
        create_markdown_artifact(
            markdown=landed_page(request.target, result, repository.base_branch),
            key=artifact_key("merge", request.target),
            description=f"How the change of {request.target} landed.",
        )
    return result


def _who(
    repository: GitOpsRepository, proposal: Mapping[str, Any], *, was_merged: bool = False
) -> dict[str, Any]:
    """Who brought the change, and as which commit: of the merge, else the last who touched a file of it.

    Args:
        repository: where it landed.
        proposal: result of the pull request step.
        was_merged: whether it was seen merged before without the change being there: reverted, for example.
    """
    if proposal["number"] is None:
        return {"by_pull_request": False, "how": "", "by": "", "as": "", "at": ""}
    with repository.github() as github:
        pull = github.pull_request(proposal["number"])
        link = f"[pull request #{pull.number}]({pull.url})"
        if pull.state == "merged" and not was_merged:
            return {
                "by_pull_request": True,
                "how": f"merge of {link}",
                "by": pull.merged_by or "",
                "as": pull.merge_commit_sha or "",
                "at": f"{pull.merged_at:%Y-%m-%d %H:%M} UTC" if pull.merged_at else "",
            }
        wanted = proposal["wanted"]
        # A file of the change's own tells more than a list that others change, too.
        own = (path for path, meaning in wanted.items() if "sha256" in meaning)
        path = next(own, next(iter(wanted), None))
        found = github.last_commit_of(path, repository.base_branch) if path else None
    how = f"another way than {link}, which is {pull.state}"
    return {
        "by_pull_request": False,
        "how": f"another way, after {link} was merged without bringing it" if was_merged else how,
        "by": found.author if found else "",
        "as": found.sha if found else "",
        "at": f"{found.at:%Y-%m-%d %H:%M} UTC" if found else "",
    }


async def wait_for_merge(
    request: EnableRequest, preflight: dict[str, Any], proposal: dict[str, Any]
) -> dict[str, Any]:
    """Return once the change is on the base branch; suspend the run while it is not.

    Check first, suspend, check again: a resume between check and suspend is lost, and anybody can resume.
    Each suspension has a key of its own; Prefect answers a key that was used at once, with what the person
    who resumed it filled in.
    """
    logger = get_run_logger()
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    used = gate_record.suspensions(run) if run else 0
    if used:
        # Loaded here: suspending again with the used key would answer too, and log that the run suspends.
        answer = await MergeAnswer.aload(keyset_from_base_key(f"suspended-{gate_record.KEY}{used}"))
        if answer.note or answer.landed_elsewhere:
            elsewhere = " (said to have landed elsewhere)" if answer.landed_elsewhere else ""
            logger.info("Resumed%s: %s", elsewhere, answer.note)
    for number in count(used + 1):
        merged = check_merge(request, preflight, proposal)
        if merged["landed"]:
            return merged
        if used:
            logger.warning("Resumed, but the change is not on the base branch; the run waits again.")
        await _suspend(number, proposal)
    raise AssertionError  # count() does not end


async def _suspend(number: int, proposal: dict[str, Any]) -> None:
    what = (
        f"**[pull request #{proposal['number']}]({proposal['url']})** to be merged"
        if proposal["url"]
        else "the change of the GitOps repository to land"
    )
    form = MergeAnswer.with_initial_data(
        description=f"""\
Waiting for {what}.

The run goes on by itself within minutes after the merge. Resume it here to look at once; if the change is \
not on the base branch, it waits again. To refuse, close the pull request and cancel this run."""
    )
    await asuspend_flow_run(wait_for_input=form, key=f"{gate_record.KEY}{number}", timeout=None)
