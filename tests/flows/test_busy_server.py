"""Prefect's server has no time, or is away: a step tries again, and no record of a change is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from prefect.artifacts import Artifact
from prefect.events.worker import EventsWorker
from prefect.logging import disable_run_logger
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings

from change.artifacts import keep
from runbook.errors import UnexpectedAnswer
from runbook.gate import GateRecord
from sandbox.ports import LOOPBACK, free_port
from sandbox.prefect_server import PrefectServer
from tests.flows.test_records import audited, records, sections
from tests.prefect_wire import AWAY, BUSY, DATABASE_AWAY, TOO_LARGE, Wire
from tests.run import enable, land
from tests.world import World

pytestmark = pytest.mark.long

TRIES_OF_THE_CLIENT = 3
"""Of Prefect's own client, in these tests."""


@pytest.fixture
async def wire(prefect_harness: PrefectServer) -> AsyncIterator[Wire]:
    """What this process asks Prefect's server passes here."""
    with Wire(prefect_harness.port) as made:
        with temporary_settings({PREFECT_API_URL: made.api_url}):
            yield made
        # What is left in the threads that send logs and events would look for the wire when it is gone.
        await APILogHandler.aflush()
        await asyncio.to_thread(EventsWorker.drain_all)


async def test_when_prefects_own_client_has_given_up_a_step_is_tried_again_and_a_record_is_kept_all_the_same(
    world: World, wire: Wire
) -> None:
    run = await enable(world)
    wire.refuse(b"POST /api/artifacts/", times=TRIES_OF_THE_CLIENT)
    wire.refuse(b"PATCH /api/flow_runs/", b"/labels", times=TRIES_OF_THE_CLIENT + 1)
    assert await run.go() == "Suspended", run.error
    assert wire.left == [], "all were refused as often as they should"
    record = GateRecord.of_labels((await run.read()).labels)
    assert record is not None
    assert record.number == 1
    assert {task.name: task.run_count for task in await run.tasks()} == {
        "preflight": 2,
        "open the pull request": 1,
        "look for the merge": 1,
    }


async def test_what_a_run_wrote_while_prefect_was_away_is_recorded_and_reported_as_its_own(
    world: World, wire: Wire
) -> None:
    position = world.vault.audit_position()
    run = await enable(world)
    refused = {
        (b"records-data-emea-ember", b"branch/enable-vault"): AWAY,
        (b"records-data-emea-ember", b"policy/emea-kv-rw"): DATABASE_AWAY,
        (b"records-data-emea-ember", b"auth/ember-k8s/config"): BUSY,
        (b"reviewer-emea-ember",): AWAY,
    }
    for signs, answer in refused.items():
        wire.refuse(b"POST /api/artifacts/", *signs, times=TRIES_OF_THE_CLIENT + 1, answer=answer)
    assert await run.go() == "Suspended", run.error
    await land(world, run)
    assert await run.go() == "Completed", run.error
    assert wire.left == [], "all were refused as often as they should"
    kept = await records(run)
    assert Counter(one["system"] for one in kept) == {"Git": 1, "GitHub": 1, "Vault": 6}
    written = [one for one in kept if one["system"] == "Vault"]
    assert Counter(one["path"] for one in written) == audited(world.vault, position, run)
    artifacts = await run.artifacts()
    assert artifacts["reviewer-emea-ember"]
    changed, found = sections(artifacts["report-emea-ember"])
    assert changed == [one["object"] for one in written]
    assert found == ["group/vault-admins-emea"], "an administrator made it"


async def test_a_step_whose_record_prefect_refuses_says_which_one_is_missing(
    world: World, wire: Wire
) -> None:
    run = await enable(world)
    wire.refuse(b"POST /api/artifacts/", b"records-", b"policy/emea-kv-rw", times=1, answer=TOO_LARGE)
    assert await run.go() == "Suspended", run.error
    await land(world, run)
    assert await run.go() == "Failed"
    assert "answers 413; policy/emea-kv-rw was done, but its record is missing" in str(run.error)


@pytest.mark.filterwarnings("ignore:Artifact creation outside")
def test_a_step_does_not_wait_for_prefect_for_ever(prefect_harness: PrefectServer) -> None:
    artifact = Artifact(type="json", key="records-emea-ember", data=[])
    nowhere = temporary_settings({PREFECT_API_URL: f"http://{LOOPBACK}:{free_port()}/api"})
    with nowhere, disable_run_logger(), pytest.raises(UnexpectedAnswer, match="the write was done"):
        keep(artifact, "the write", patience=0)
