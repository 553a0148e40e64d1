"""Step: find the plan that was approved; the steps that write to Vault carry out that one and no other.

Where a pull request was needed, its merge is the approval, and the plan is the one that its text names: of
whichever run, because runs for one cluster share a pull request. Whoever brings the change to the base branch
another way approves the same plan; it is then no merge that the records name. Where none was needed, it is
the first plan that this run published, or with ``approve=True`` the one that a person approved in the run's
form; one that changes nothing needs nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.input import RunInput
from prefect.runtime import flow_run
from pydantic import Field

from change import connect
from change.asked import Asked
from change.gate import record
from change.gate.suspension import Gate, first_suspended, run_in_execution, used_keys
from change.gate.waits import APPROVAL, key_of
from change.plans import find_plan, plans_of_run, show_carried_out
from change.results import Checked, Landing, Proposed
from change.runbook import Runbook
from change.step import step
from runbook.approval import ApprovedPlan
from runbook.changes import pending
from runbook.errors import PlanMoved, PrerequisiteMissing
from runbook.foreign_text import markdown, plain
from runbook.plan import changes_of, plan_sha256, what_changes
from runbook.pull_request import plan_of, shows, texts

_KEY = key_of(APPROVAL)
"""Followed by a number and the hash of the plan that the form shows: ``plan-approval-1-<64 hex digits>``."""


class PlanAnswer(RunInput):
    """What a person fills in. Whoever resumes the run without it only wakes it up: nothing is approved."""

    approved: bool = Field(default=False, description="Carry out this plan. If off, the run waits again.")
    note: str = Field(default="", description="A note for the run's log.")


@step("look for the approved plan")
def find_approved_plan(
    runbook: Runbook,
    asked: Asked,
    proposal: Proposed,
    landing: Landing,
    answered: str | None,
    *,
    waited_for_merge: bool,
) -> ApprovedPlan | None:
    """Find the approved plan among those that were published.

    Args:
        runbook: whose run it is.
        asked: the run's parameters.
        proposal: with the pull request's text, which names the plan.
        landing: how the change came to the base branch.
        answered: hash of the plan that a person approved in the run's form, if anybody did.
        waited_for_merge: whether this run was suspended at the merge gate.

    Returns:
        None where a person still has to approve one.

    Raises:
        PrerequisiteMissing: the plan cannot be found, or the text of the pull request is not ours.
    """
    logger = get_run_logger()
    own = plans_of_run(asked.subject, UUID(flow_run.id))
    if not own:
        raise _not_found("of this run")
    plan: dict[str, Any] | None
    pull_request, named, approver, at = None, "", "", ""
    # Not every pull request of the branch counts: one of an earlier run may have landed long ago. That this
    # run waited for it is known even if somebody has deleted the plans from before.
    needed = waited_for_merge or any(plan["files"] for plan in own)
    if needed and proposal.number is not None:
        sha256, plan = _named_by(runbook, asked, proposal)
        named = f"pull request #{proposal.number}"
        if landing.by_pull_request:
            pull_request, approver, at = proposal.url, landing.by, landing.at
            how = f"approved by the merge of {named}, by {markdown(landing.by or 'somebody')}"
        else:
            how = f"shown by {named}, whose change came by {landing.how}"
    elif not asked.approve:
        plan = own[0]
        sha256 = plan_sha256(plan)
        how = "no pull request was needed, so it is this run's first plan"
    elif answered is not None and _covers(asked, answered, own[-1]):
        sha256 = answered
        plan = find_plan(asked.subject, sha256)
        approver = "a person, in the form of the run"
        how = f"approved by {approver}"
    elif not pending(changes_of(own[-1])):
        plan = own[-1]
        sha256 = plan_sha256(plan)
        how = "it changes nothing"
    else:
        return None
    if plan is None:
        raise _not_found(sha256)
    logger.info("Plan %s is carried out: %s.", sha256[:12], how)
    linked = how.replace(named, f"[{named}]({proposal.url})", 1) if named else how
    show_carried_out(asked.subject, plan, linked, at)
    return ApprovedPlan(sha256, plan["changes"], pull_request, approver)


async def approved_plan(
    runbook: Runbook, asked: Asked, checked: Checked, proposal: Proposed, landing: Landing
) -> ApprovedPlan:
    """The approved plan; suspends the run while a person has to approve it first.

    The key of the suspension names the plan that the form shows, so that no later one is taken for approved.
    """
    logger = get_run_logger()
    waited_for_merge = bool(used_keys(run_in_execution(), record.KEY))
    gate = Gate(PlanAnswer, _KEY)
    answered = None
    if answer := await gate.answer():
        shown = gate.last_key.rsplit("-", maxsplit=1)[1]
        if answer.approved:
            answered = shown
            logger.info("A person approved plan %s: %s", shown[:12], plain(answer.note) or "no note")
        else:
            logger.warning(
                "Resumed without approving plan %s; the run waits again. Note: %s",
                shown[:12],
                plain(answer.note) or "none",
            )
    find = partial(
        find_approved_plan, runbook, asked, proposal, landing, answered, waited_for_merge=waited_for_merge
    )
    while (approved := find()) is None:
        plan = find_plan(asked.subject, checked.plan_sha256)
        if plan is None:
            raise _not_found(checked.plan_sha256)
        description = f"""\
The repository is as wanted, so there is no pull request to approve. **This will be changed in Vault for \
{asked.subject}:**

{what_changes(changes_of(plan))}

Plan: `{checked.plan_sha256[:12]}`

Tick *approved* and resume to carry out exactly this. To refuse, cancel this run."""
        suffix = f"-{checked.plan_sha256}"
        since = f"{first_suspended(suffix):%Y-%m-%d %H:%M} UTC"
        what = f"the approval of plan {checked.plan_sha256[:12]}, since {since}"
        await gate.suspend(what, description, suffix)
    return approved


def _covers(asked: Asked, sha256: str, newest: dict[str, Any]) -> bool:
    """Whether what the run would do now is a part of the plan that was approved; else it is asked again."""
    plan = find_plan(asked.subject, sha256)
    if plan is None:
        raise _not_found(sha256)
    try:
        ApprovedPlan(sha256, plan["changes"], None).check(changes_of(newest))
    except PlanMoved as moved:
        get_run_logger().warning("%s The run asks for approval of the new plan.", moved)
        return False
    return True


def _named_by(runbook: Runbook, asked: Asked, proposal: Proposed) -> tuple[str, dict[str, Any]]:
    """Hash and plan that the text of the pull request shows.

    Raises:
        PrerequisiteMissing: the plan is not found, or the text is not what is written for it.
    """
    sha256 = plan_of(proposal.text)
    plan = find_plan(asked.subject, sha256) if sha256 else None
    if sha256 and plan is None:
        raise _not_found(sha256)
    if not (sha256 and plan and _is_shown(runbook, asked, plan, sha256, proposal.text)):
        raise PrerequisiteMissing(
            "GitHub",
            f"pull request #{proposal.number}",
            "the pipeline's part of its text was changed or may be hidden, so nobody can tell which plan was "
            "approved",
            "Find out who changed the text (GitHub shows its former versions under 'edited'). Restore the "
            "part between the pipeline's marks as it was reviewed (the artifacts "
            f"`plan-data-{asked.subject.key}` have the hash), leave no tag or code block above it, and "
            "retry this run; or start a new run, which makes a new plan.",
        )
    return sha256, plan


def _is_shown(runbook: Runbook, asked: Asked, plan: Mapping[str, Any], sha256: str, body: str) -> bool:
    """Whether a pull request has the text that the pipeline writes for a plan."""
    layout = connect.gitops_repository(asked).layout
    purpose = runbook.purpose(asked, {file["path"]: file["diff"] for file in plan["files"]}, layout)
    return any(shows(body, text) for text in texts(purpose, plan, sha256))


def _not_found(which: str) -> PrerequisiteMissing:
    return PrerequisiteMissing(
        "Prefect",
        f"plan {which}",
        "is not among the published plans",
        "Its artifact was deleted, another Prefect server has it, or the pull request's text was changed by "
        "hand. Start a new run: it makes a new plan, and asks for approval where one is needed.",
    )
