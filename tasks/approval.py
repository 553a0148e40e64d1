"""Step: find the plan that was approved; the steps that write to Vault carry out that one and no other.

Where a pull request was needed, its merge is the approval, and the plan is the one that its text names: of
whichever run, because runs for one cluster share a pull request. Whoever brings the change to the base branch
another way approves the same plan; it is then no merge that the records name. Where none was needed, it is
the first plan that this run published, or with ``approve=True`` the one that a person approved in the run's
form.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key
from prefect.runtime import flow_run
from pydantic import Field

from runbook.approval import ApprovedPlan
from runbook.errors import PlanMoved, PrerequisiteMissing
from runbook.plan import changes_of, plan_sha256
from runbook.request import EnableRequest
from tasks import gate_record
from tasks.plans import find_plan, plans_of_run
from tasks.step import look

_KEY = "plan-approval-"
"""Followed by a number and the hash of the plan that the form shows: ``plan-approval-1-<64 hex digits>``."""


class PlanAnswer(RunInput):
    """What a person fills in. Whoever resumes the run without it only wakes it up: nothing is approved."""

    approved: bool = Field(default=False, description="Carry out this plan. Left off, the run waits again.")
    note: str = Field(default="", description="Anything that the run's log should keep.")


@look("find the approved plan")
def find_approved_plan(
    request: EnableRequest,
    proposal: dict[str, Any],
    merged: dict[str, Any],
    answered: str | None,
    *,
    waited_for_merge: bool,
) -> dict[str, Any]:
    """Find the approved plan among those that were published.

    Args:
        request: the run's parameters.
        proposal: result of the pull request step, with the plan that the pull request's text names.
        merged: result of the merge check.
        answered: hash of the plan that a person approved in the run's form, if anybody did.
        waited_for_merge: whether this run was suspended at the merge gate.

    Returns:
        ``sha256`` and ``changes`` of the plan, and ``pull_request``, the address of the one whose merge
        approved it, None where its change came another way; ``sha256`` is None where a person still has to
        approve one.

    Raises:
        PrerequisiteMissing: the plan cannot be found.
    """
    logger = get_run_logger()
    own = plans_of_run(request.target, UUID(flow_run.id))
    if not own:
        raise _not_found("of this run")
    pull_request = None
    # Not every pull request of the branch counts: one of an earlier run may have landed long ago. That this
    # run waited for it is known even if somebody has deleted the plans from before.
    needed = waited_for_merge or any(plan["files"] for plan in own)
    if needed and proposal["number"] is not None:
        sha256 = _named_by(request, proposal)
        plan = find_plan(request.target, sha256)
        if merged["by_pull_request"]:
            pull_request = proposal["url"]
            how = f"approved by the merge of pull request #{proposal['number']}"
        else:
            how = f"shown by pull request #{proposal['number']}, whose change came by {merged['how']}"
    elif not request.approve:
        plan = own[0]
        sha256 = plan_sha256(plan)
        how = "no pull request was needed, so this run's first plan counts"
    elif answered is not None and _covers(request, answered, own[-1]):
        sha256 = answered
        plan = find_plan(request.target, sha256)
        how = "approved in the form of this run"
    else:
        return {"sha256": None, "changes": [], "pull_request": None}
    if plan is None:
        raise _not_found(sha256)
    logger.info("Plan %s is carried out: %s.", sha256[:12], how)
    return {"sha256": sha256, "changes": plan["changes"], "pull_request": pull_request}


async def approved_plan(
    request: EnableRequest, checked: dict[str, Any], proposal: dict[str, Any], merged: dict[str, Any]
) -> dict[str, Any]:
    """The approved plan; suspends the run while a person has to approve it first.

    As at the merge gate: look, suspend with a key of its own, look again. The key names the plan that the
    form shows, so that no later one is taken for approved.

    Returns:
        See `find_approved_plan`.
    """
    logger = get_run_logger()
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    used = _suspensions(run) if run else []
    waited_for_merge = bool(run and gate_record.suspensions(run))
    answered = None
    if used:
        # Loaded here: suspending again with the used key would answer too, and log that the run suspends.
        answer = await PlanAnswer.aload(keyset_from_base_key(f"suspended-{used[-1]}"))
        shown = used[-1].rsplit("-", maxsplit=1)[1]
        if answer.approved:
            answered = shown
            logger.info("A person approved plan %s: %s", shown[:12], answer.note or "no note")
        else:
            logger.warning(
                "Resumed without an approval of plan %s; the run waits again. Note: %s",
                shown[:12],
                answer.note or "none",
            )
    for number in count(len(used) + 1):
        found = find_approved_plan(request, proposal, merged, answered, waited_for_merge=waited_for_merge)
        if found["sha256"] is not None:
            return found
        await _suspend(number, request, checked)
    raise AssertionError  # count() does not end


async def _suspend(number: int, request: EnableRequest, checked: dict[str, Any]) -> None:
    form = PlanAnswer.with_initial_data(
        description=f"""\
The repository is as wanted, so that no pull request asks for approval. **This will be changed in Vault for \
{request.target}:**

{checked["vault_changes"]}

Plan: `{checked["plan_sha256"]}`

Tick *approved* and resume to have exactly this carried out. To refuse, cancel this run."""
    )
    key = f"{_KEY}{number}-{checked['plan_sha256']}"
    await asuspend_flow_run(wait_for_input=form, key=key, timeout=None)


def _suspensions(run: FlowRun) -> list[str]:
    """Keys with which a run was suspended for an approval, oldest first."""
    return sorted(
        (key for key in run.empirical_policy.pause_keys or () if key.startswith(_KEY)),
        key=lambda key: int(key.removeprefix(_KEY).split("-", maxsplit=1)[0]),
    )


def _covers(request: EnableRequest, sha256: str, newest: dict[str, Any]) -> bool:
    """Whether what the run would do now is a part of the plan that was approved; else it is asked again."""
    plan = find_plan(request.target, sha256)
    if plan is None:
        raise _not_found(sha256)
    try:
        ApprovedPlan(sha256, plan["changes"]).check(changes_of(newest))
    except PlanMoved as moved:
        get_run_logger().warning("%s The run asks for approval of the new plan.", moved)
        return False
    return True


def _named_by(request: EnableRequest, proposal: dict[str, Any]) -> str:
    if proposal["plan_sha256"] is None:
        raise PrerequisiteMissing(
            "GitHub",
            f"pull request #{proposal['number']}",
            "its text names no plan any more, so that nobody can tell what was approved",
            "Put the line 'Plan: `<hash>`' back into its text, with the hash of the plan that was reviewed "
            f"(the artifacts `plan-{request.env}-{request.cluster}` have it), and retry this run; or start a "
            "new run, which makes a new plan.",
        )
    return str(proposal["plan_sha256"])


def _not_found(which: str) -> PrerequisiteMissing:
    return PrerequisiteMissing(
        "Prefect",
        f"plan {which}",
        "is not among the plans that were published for this cluster",
        "Its artifact was deleted, another Prefect server has it, or the pull request's text was changed by "
        "hand. Start a new run: it makes a new plan, and asks for approval where one is needed.",
    )
