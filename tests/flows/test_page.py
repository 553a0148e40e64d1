"""What a person sees on the page of a run: one card of each kind, true to its end."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.objects import Artifact

from change import records as change_records
from change.artifacts import DATA
from change.records import NOT_KNOWN, written_to_vault
from runbook.request import EnableRequest
from tests.flows.plans import published
from tests.flows.test_records import records
from tests.run import Run, at_the_gate, land
from tests.tables import rows_of, table
from tests.world import World


async def cards(run: Run) -> list[Artifact]:
    """What Prefect's UI shows on the run's page."""
    wanted = {"flow_run_id": {"any_": [run.id]}, "type": {"not_any_": [DATA]}}
    async with get_client() as client:
        return await client.read_artifacts(artifact_filter=ArtifactFilter.model_validate(wanted))


def kinds(found: list[Artifact]) -> Counter[str]:
    return Counter((card.key or "").removesuffix("-emea-ember") for card in found)


@pytest.mark.long
async def test_a_run_has_one_card_of_each_kind_however_often_it_is_woken(world: World) -> None:
    run = await at_the_gate(world)
    for _ in range(2):
        await run.resume()
        assert await run.go() == "Suspended", run.error
    waiting = {"pull-request": 1, "preflight": 1, "plan": 1, "records": 1}
    assert kinds(await cards(run)) == waiting
    shown = await published(run)
    (pull,) = world.pulls()
    link = f"[pull request #1]({pull['html_url']})"
    assert f"# emea/ember waits for {link}" in (await run.artifacts())["pull-request-emea-ember"]

    await land(world, run)
    assert await run.go() == "Completed", run.error
    found = await cards(run)
    assert kinds(found) == waiting | {"report": 1}
    assert kinds([card for card in found if card.task_run_id is None]) == {"pull-request": 1, "report": 1}
    assert {card.type for card in found} <= {"markdown", "table", "progress"}, "the UI knows no other"
    pages = await run.artifacts()
    assert f"- how: merge of {link}\n" in pages["pull-request-emea-ember"]
    plan = pages["plan-emea-ember"]
    assert plan.startswith(f"> ✅ **Approved by the merge of {link}, by reviewer**, 20")
    assert "files in a pull request" in plan, "what landed is not shown as nothing to do"
    assert f"Plan hash: `{shown}`" in plan
    assert f"The change came by merge of {link}, by reviewer; seen on" in pages["report-emea-ember"]

    kept = await records(run)
    before = [one for one in kept if one["system"] != "Vault"]
    assert [(one["pull_request"], one["actor"]["approved_by"]) for one in before] == [(None, None)] * 2
    in_vault = [one for one in kept if one["system"] == "Vault"]
    assert {one["pull_request"] for one in in_vault} == {pull["html_url"]}
    assert {one["actor"]["approved_by"] for one in in_vault} == {"reviewer"}
    page = pages["records-emea-ember"]
    assert len([row for row in rows_of(page) if row.startswith("20")]) == len(kept)
    assert "In Vault the run acted as `token-pipeline`, approved by `reviewer`\n" in page

    # A run that waited under an older version left records of another key and type.
    older = {**in_vault[0], "object": "policy/older"}
    async with get_client() as client:
        await client.create_artifact(
            ArtifactCreate(key="records-emea-ember", type="json", data=[older], flow_run_id=run.id)
        )
    wrote = written_to_vault(EnableRequest.model_validate(world.parameters), run.id)
    assert [one.object for one in wrote] == [*(one["object"] for one in in_vault), "policy/older"]


def maker(**known: Any) -> SimpleNamespace:
    run = {"created_by": None, "deployment_id": None, "auto_scheduled": False, "parent": None}
    return SimpleNamespace(**run | known)


BY_AUTOMATION = SimpleNamespace(type="AUTOMATION", display_value="at the merge")


@table(
    "run, words",
    {
        "nobody knows": (None, NOT_KNOWN),
        "an automation": (maker(created_by=BY_AUTOMATION), "AUTOMATION at the merge"),
        "another run": (maker(parent="a-run", deployment_id="1"), "the run a-run"),
        "a schedule": (maker(deployment_id="1", auto_scheduled=True), "the schedule of the deployment d"),
        "a person": (maker(deployment_id="1"), "somebody in Prefect's UI or API, by the deployment d"),
        "a script": (maker(), "a process that called the flow"),
    },
)
def test_records_say_who_made_the_run_as_far_as_prefect_knows(
    run: SimpleNamespace | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(get=lambda: run and SimpleNamespace(flow_run=run))
    monkeypatch.setattr(change_records, "FlowRunContext", context)
    monkeypatch.setattr(change_records, "deployment", SimpleNamespace(name="d"))
    parent = getattr(run, "parent", None)
    monkeypatch.setattr(change_records, "flow_run", SimpleNamespace(parent_flow_run_id=parent))
    assert change_records._triggered_by() == words
