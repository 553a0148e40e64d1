"""Plans, kept through Prefect's API as artifacts: for people as markdown, for later steps as JSON.

A plan is found again by its hash, whichever run published it: two runs for one cluster share a pull request,
and its text names one plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from prefect.artifacts import Artifact, create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.sorting import ArtifactSort

from change.artifacts import artifact_key
from runbook.names import Subject
from runbook.plan import Plan, plan_sha256

_KIND = "plan-data"
_PAGE = 50
"""Artifacts a request; a plan has some kilobytes."""


def publish_plan(subject: Subject, plan: Plan) -> None:
    """Publish a plan as artifacts of this run."""
    create_markdown_artifact(
        markdown=plan.markdown(),
        key=artifact_key("plan", subject),
        description=f"Everything that a run for {subject} will change.",
    )
    Artifact(
        type="json",
        key=artifact_key(_KIND, subject),
        description=f"Plan {plan.sha256}, as the steps compare with it.",
        data=plan.as_json(),
    ).create()


def find_plan(subject: Subject, sha256: str) -> dict[str, Any] | None:
    """The published plan with this hash, of any run, as `Plan.as_json`; None if there is none.

    The hash is computed anew: what the artifact holds is what was approved, or it is not found.
    """
    return next((plan for plan in _published(subject) if plan_sha256(plan) == sha256), None)


def plans_of_run(subject: Subject, run: UUID) -> list[dict[str, Any]]:
    """All plans that a run has published, oldest first: one each time it was started, resumed or retried."""
    return [*_published(subject, flow_run_id={"any_": [run]})][::-1]


def _published(subject: Subject, **further: Any) -> Iterator[dict[str, Any]]:
    """Newest first."""
    wanted = {"key": {"any_": [artifact_key(_KIND, subject)]}, **further}
    seen = 0
    with get_client(sync_client=True) as client:
        while True:
            page = client.read_artifacts(
                artifact_filter=ArtifactFilter.model_validate(wanted),
                sort=ArtifactSort.CREATED_DESC,
                limit=_PAGE,
                offset=seen,
            )
            for artifact in page:
                plan = json.loads(artifact.data) if isinstance(artifact.data, str) else artifact.data
                # Keys of different clusters can be alike: a/b-c and a-b/c.
                if isinstance(plan, dict) and plan.get("cluster") == str(subject):
                    yield plan
            if len(page) < _PAGE:
                return
            seen += len(page)
