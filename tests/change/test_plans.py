"""Plans that were published are found again, however many there are since."""

from __future__ import annotations

from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

from change.plans import find_plan, plans_of_run
from runbook.names import Cluster
from runbook.plan import Plan, PlannedFile, plan_sha256
from sandbox.prefect_server import PrefectServer

EMBER = Cluster("paging", "ember")
ALIKE = Cluster("paging-ember", "x"), Cluster("paging", "ember-x")
"""Two clusters whose artifacts have the same key."""

PLANS = 101
"""Plans of a run that was woken as often: more than two pages of the 50 that a request brings."""


@flow
def waits() -> None:
    """Whatever it does, its plans are what counts."""


def plan(cluster: Cluster, number: int) -> Plan:
    return Plan(str(cluster), (PlannedFile(f"{number}.yaml", "+"),), ())


def publish(run: UUID | None, cluster: Cluster, *numbers: int) -> list[str]:
    """What so many wake-ups of a run leave behind; the hashes, oldest first."""
    plans = [plan(cluster, number) for number in numbers]
    key = f"plan-data-{cluster.env}-{cluster.name}"
    with get_client(sync_client=True) as client:
        for one in plans:
            client.create_artifact(ArtifactCreate(key=key, type="json", data=one.as_json(), flow_run_id=run))
    return [one.sha256 for one in plans]


def test_a_plan_of_the_first_of_many_wake_ups_is_found_and_all_of_the_run_are_in_their_order(
    prefect_harness: PrefectServer,
) -> None:
    with get_client(sync_client=True) as client:
        run, other = client.create_flow_run(waits).id, client.create_flow_run(waits).id
    before = publish(other, EMBER, PLANS + 1)
    published = publish(run, EMBER, *range(PLANS))
    after = publish(other, EMBER, PLANS + 2)

    assert [plan_sha256(one) for one in plans_of_run(EMBER, run)] == published
    for sha256 in (*before, published[0], published[-1], *after):
        found = find_plan(EMBER, sha256)
        assert found is not None
        assert plan_sha256(found) == sha256
    assert find_plan(EMBER, "0" * 64) is None


def test_pages_full_of_the_plans_of_another_cluster_with_the_same_key_hide_none(
    prefect_harness: PrefectServer,
) -> None:
    ours, theirs = ALIKE
    (sha256,) = publish(None, ours, 1)
    publish(None, theirs, *range(60))
    found = find_plan(ours, sha256)
    assert found is not None
    assert found["cluster"] == str(ours)
