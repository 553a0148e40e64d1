"""Plans, kept through Prefect's API as artifacts: a card for people, and for later steps JSON without one.

A plan is found again by its hash, whichever run published it: two runs for one cluster share a pull request,
and its text names one plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.artifacts import Artifact
from prefect.runtime import flow_run

from change.artifacts import DATA, artifact_key, content, published, show, shown
from runbook.names import Subject
from runbook.plan import Plan, plan_sha256

_KIND = "plan-data"
_CARRIED_OUT = "Carried out: plan "


def publish_plan(subject: Subject, plan: Plan) -> None:
    """Publish a plan of this run.

    The card goes on to show a plan that is carried out, and one whose files have landed since: this one
    says nothing of them any more.
    """
    card = shown("plan", subject)
    carried_out = bool(card and (card.description or "").startswith(_CARRIED_OUT))
    landed = not plan.files and any(one["files"] for one in plans_of_run(subject, UUID(flow_run.id)))
    if not (card and (carried_out or landed)):
        words = f"Plan {plan.sha256[:12]}: everything that this run will change."
        show("plan", subject, plan.markdown(), words)
    Artifact(
        type=DATA,
        key=artifact_key(_KIND, subject),
        description=f"Plan {plan.sha256}, as the steps compare with it.",
        data=plan.as_json(),
    ).create()


def show_carried_out(subject: Subject, plan: Mapping[str, Any], how: str, at: str) -> None:
    """Say on the card of the plan that it is carried out, in markdown how it was approved, and when."""
    read = Plan.read(plan)
    words = f"{_CARRIED_OUT}{read.sha256[:12]}: {how}"
    card = shown("plan", subject)
    if card is None or card.description != words:
        mark = f"> ✅ **{how[0].upper()}{how[1:]}**, {at or f'{datetime.now(UTC):%Y-%m-%d %H:%M} UTC'}.\n\n"
        show("plan", subject, mark + read.markdown(), words)


def find_plan(subject: Subject, sha256: str) -> dict[str, Any] | None:
    """The published plan with this hash, of any run, as `Plan.as_json`; None if there is none.

    The hash is computed anew: what the artifact holds is what was approved, or it is not found.
    """
    return next((plan for plan in _published(subject) if plan_sha256(plan) == sha256), None)


def plans_of_run(subject: Subject, run: UUID) -> list[dict[str, Any]]:
    """All plans that a run has published, oldest first: one each time it was started, resumed or retried."""
    return [*_published(subject, run)][::-1]


def _published(subject: Subject, run: UUID | None = None) -> Iterator[dict[str, Any]]:
    """Newest first."""
    for artifact in published(artifact_key(_KIND, subject), run=run):
        plan = content(artifact)
        # Keys of different clusters can be alike: a/b-c and a-b/c.
        if isinstance(plan, dict) and plan.get("cluster") == str(subject):
            yield plan
