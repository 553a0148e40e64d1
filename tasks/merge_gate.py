"""Step: wait until the change is on the base branch.

Merge is what the content of the base branch says, not what a payload or a person says: whoever resumes the
run only wakes it up, and it looks again. Waiting costs nothing: the run is suspended, its process ended.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from prefect import get_run_logger
from prefect.context import FlowRunContext
from prefect.flow_runs import asuspend_flow_run
from prefect.input import RunInput, keyset_from_base_key
from pydantic import Field

from runbook.gitops import wanted_edits
from runbook.request import EnableRequest
from tasks import connect
from tasks.repository import clone, store_settings
from tasks.step import look

_KEY = "merge-gate-"


class MergeAnswer(RunInput):
    """What a person may add when pressing Resume. Automations resume without it: all has defaults."""

    landed_elsewhere: bool = Field(
        default=False,
        description="The change came another way than this pull request. The base branch is still checked.",
    )
    note: str = Field(default="", description="Anything that the run's log should keep.")


@look("check the merge")
def check_merge(request: EnableRequest, proposal: dict[str, Any]) -> dict[str, Any]:
    """Look whether everything that the run wants is at the head of the base branch.

    Returns:
        ``landed``, the ``commit`` that was looked at, and the ``missing`` paths.
    """
    repository = connect.gitops_repository(request)
    settings = store_settings(connect.vault_connection(request), ())
    with clone(repository) as base:
        missing = [edit.path for edit in wanted_edits(base.tree, request, repository.layout, settings)]
        commit = base.base_commit
    logger = get_run_logger()
    if missing:
        logger.info(
            "%s at %s lacks %d files of the change; pull request: %s",
            repository.base_branch,
            commit[:12],
            len(missing),
            proposal["url"],
        )
    else:
        logger.info("The change is on %s at %s.", repository.base_branch, commit[:12])
    return {"landed": not missing, "commit": commit, "missing": missing}


async def wait_for_merge(request: EnableRequest, proposal: dict[str, Any]) -> dict[str, Any]:
    """Return once the change is on the base branch; suspend the run while it is not.

    Check first, suspend, check again: a resume between check and suspend is lost, and anybody can resume.
    Each suspension has a key of its own; Prefect answers a key that was used at once, with what the person
    who resumed it filled in.
    """
    logger = get_run_logger()
    used = _suspensions()
    if used:
        # Loaded here: suspending again with the used key would answer too, and log that the run suspends.
        answer = await MergeAnswer.aload(keyset_from_base_key(f"suspended-{_KEY}{used}"))
        if answer.note or answer.landed_elsewhere:
            logger.info("Resumed by a person: landed elsewhere: %s; %s", answer.landed_elsewhere, answer.note)
    for number in count(used + 1):
        merged = check_merge(request, proposal)
        if merged["landed"]:
            return merged
        if used:
            logger.warning("Resumed, but the change is not on the base branch; the run waits again.")
        await _suspend(number, proposal)
    raise AssertionError  # count() does not end


async def _suspend(number: int, proposal: dict[str, Any]) -> None:
    form = MergeAnswer.with_initial_data(
        description=f"""\
Waiting for **[pull request #{proposal["number"]}]({proposal["url"]})** to be merged.

The run goes on by itself within minutes after the merge. Resume it here to look at once; if the change is \
not on the base branch, it waits again. To refuse, close the pull request and cancel this run."""
    )
    await asuspend_flow_run(wait_for_input=form, key=f"{_KEY}{number}", timeout=None)


def _suspensions() -> int:
    """How often this run was suspended at the gate."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    keys = (run.empirical_policy.pause_keys or set()) if run else set()
    return sum(key.startswith(_KEY) for key in keys)
