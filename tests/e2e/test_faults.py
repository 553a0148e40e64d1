"""Each kind of fault once with Prefect: its own retries, and a worker where a run is killed.

A direct call of a task's function knows nothing of these; where each request is struck, in ``tests/faults``,
the steps are called directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.prefect_server import PrefectServer
from tests.e2e.flow_processes import flow_processes
from tests.engineer import Engineer
from tests.eventually import eventually
from tests.faults.faults import RETRY_AFTER, Fault, kill_process, once
from tests.faults.installation import Proxies, proxies_of
from tests.faults.state import vault_state
from tests.run import at_the_gate, enable, land
from tests.world import World

pytestmark = pytest.mark.e2e

ENABLE = "enable-cluster/enable-cluster"
OPEN_PULL_REQUEST = "GitHub: POST /api/v3/repos/sandbox/gitops/pulls"
CLONE = "Git: GET /sandbox/gitops.git/info/refs?service=git-upload-pack"


KILLED = {OPEN_PULL_REQUEST: Fault.KILL_AFTER, "Vault: POST identity/group-alias": Fault.KILL_BEFORE}
HEALS = {
    "Vault: GET sys/mounts": Fault.SEALED,
    "cluster: GET /version/": Fault.BROKEN,
    CLONE: Fault.CUT,
    OPEN_PULL_REQUEST: Fault.TOO_MANY,
    "Vault: POST sys/policies/acl/emea-kv-r": Fault.BEHIND,
    "Vault: POST identity/group-alias": Fault.CUT_HEAD,
    "Vault: GET auth/ember-k8s/config": Fault.CUT,
}
FOR_A_PERSON = {
    "Vault: GET sys/auth": Fault.FLOOD,
    OPEN_PULL_REQUEST: Fault.GARBLED,
    "Vault: POST auth/ember-k8s/role/emea-ops": Fault.NOT_FOUND,
}
"""What is struck in each test, once."""


@pytest.fixture
def proxies(world: World, tmp_path: Path) -> Iterator[Proxies]:
    """The connections lead through failing proxies."""
    with proxies_of(world, tmp_path) as made:
        world.connect(**made.changes)
        yield made


def crashed(engineer: Engineer, run: str, times: int) -> None:
    """Wait until the worker is done with so many ends of the run's process.

    It reports the crash twice, half a second apart, and the second report overtakes a retry that came
    between. After it the worker says what may have been the cause.
    """
    cause = "Check whether the flow run exceeded its memory"
    eventually(lambda: engineer.log(run).count(cause) >= times, lambda: engineer.log(run), pause=0.3)
    assert engineer.await_state(run, "Crashed") == "Crashed", engineer.log(run)


def struck(proxies: Proxies) -> dict[str, Fault]:
    """What failed, by request."""
    return {point.name: fault for point, fault in proxies.script.struck}


def nothing_is_doubled(world: World) -> None:
    """One pull request; one group with one alias; mount, config and role as wanted."""
    assert [pull["state"] for pull in world.pulls()] == ["closed"]
    state = vault_state(world)
    (group,) = state["groups"]
    assert (group["name"], group["policies"]) == ("vault-admins-emea", ["emea-kv-rw"])
    assert group["alias"] == ("vault-admins-emea", "oidc/")
    assert state["group aliases"] == 1
    assert {"policy emea-kv-r", "policy emea-kv-rw"} == {key for key in state if key.startswith("policy")}
    assert state["auth ember-k8s/config"]["token_reviewer_jwt_set"] is True
    assert state["auth ember-k8s/role/emea-ops"]["bound_service_account_namespaces"] == ["payments", "web"]


def test_there_is_no_kind_of_fault_that_no_run_here_meets() -> None:
    assert {*KILLED.values(), *HEALS.values(), *FOR_A_PERSON.values()} == set(Fault)


def test_a_killed_run_is_retried_and_ends_as_if_it_had_lived(
    engineer: Engineer, world: World, proxies: Proxies
) -> None:
    proxies.script.begin(once(KILLED))
    run = engineer.start(ENABLE, world.parameters)
    proxies.script.kill_by(kill_process(lambda: flow_processes(engineer.server, run)[0].pid))
    crashed(engineer, run, 1)
    assert len(world.pulls()) == 1

    assert engineer.api.retry(run) == "ACCEPT"
    assert engineer.await_state(run, "Suspended") == "Suspended", engineer.log(run)
    world.merge()
    world.sync()
    assert engineer.api.resume(run) == "ACCEPT"
    crashed(engineer, run, 2)
    assert vault_state(world)["group aliases"] == 0

    assert engineer.api.retry(run) == "ACCEPT"
    assert engineer.await_state(run, "Completed", "Failed") == "Completed", engineer.log(run)
    assert struck(proxies) == KILLED
    nothing_is_doubled(world)


async def test_what_heals_is_retried_by_prefect_and_not_sooner_than_asked(
    world: World, proxies: Proxies
) -> None:
    proxies.script.begin(once(HEALS))
    run = await at_the_gate(world)
    asked = [
        moment
        for point, moment in zip(proxies.script.seen, proxies.script.moments, strict=True)
        if point.name == OPEN_PULL_REQUEST
    ]
    assert asked[1] - asked[0] >= RETRY_AFTER
    assert f"GitHub asks to be called again in {RETRY_AFTER} s." in await run.logs()

    await land(world, run)
    assert await run.go() == "Completed", run.error
    assert struck(proxies) == HEALS
    tries: dict[str, list[int]] = {}
    for task in await run.tasks():
        tries.setdefault(task.name, []).append(task.run_count)
    # Twice in the run's first process, once when it looks again after the gate.
    assert (sorted(tries["preflight"]), sorted(tries["open the pull request"])) == ([1, 2], [1, 2])
    assert tries["write policies"] == [2]
    assert tries["write group and alias"] == [2]
    assert tries["configure auth method"] == [2]
    nothing_is_doubled(world)


async def test_what_a_person_has_to_look_at_ends_the_run_and_a_retry_goes_on(
    prefect_harness: PrefectServer, world: World, proxies: Proxies
) -> None:
    async def fails(words: str) -> None:
        assert await run.go() == "Failed"
        state = (await run.read()).state
        assert state is not None
        assert words in str(state.message)
        log = await run.logs()
        assert not [secret for secret in proxies.scene().secrets if secret in log]
        assert prefect_harness.api.retry(str(run.id)) == "ACCEPT"

    proxies.script.begin(once(FOR_A_PERSON))
    run = await enable(world)
    await fails("Vault, sys/auth: an answer of more than 4194304 bytes")
    await fails("GitHub, pull request from sandbox:enable-vault/emea/ember: 200 with a body that is not JSON")
    assert len(world.pulls()) == 1

    assert await run.go() == "Suspended", run.error
    await land(world, run)
    await fails("Vault, auth/ember-k8s/role/emea-ops: cannot write: 404")
    assert await run.go() == "Completed", run.error
    assert struck(proxies) == FOR_A_PERSON
    nothing_is_doubled(world)
