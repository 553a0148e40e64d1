"""Many runs of one environment at the same time, whole ones, against one real Vault.

Twenty steps at the same time are in ``tests/tasks/test_together.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, LogFilter, TaskRunFilter
from prefect.logging.handlers import APILogHandler

from runbook.names import Cluster
from sandbox.prefect_server import PrefectServer
from sandbox.vault_server import VaultServer
from tests.faults.faults import Fault, Script
from tests.faults.proxy import Proxy, Server
from tests.fleet import connect, enabled_as_one_environment, fleet_at, merge
from tests.processes import start, wait_for
from tests.rights import printed_policy, token_with
from tests.run import Run, enable
from tests.world import World

pytestmark = pytest.mark.long

ALIAS = "identity/group-alias"
SHARED = ("sys/policies/acl/emea-kv-r", "sys/policies/acl/emea-kv-rw", ALIAS)
"""What is written for the environment, so by each of its runs that does not find it."""

RUNS = 8
"""More than these find no other order in which they can meet; what they ask of a machine is what grows."""

PATIENCE = 10.0
"""Seconds for which a write is held back; the pipeline gives an answer 15."""


class Meeting(Script):
    """Holds the writes of what is shared back until those of all runs have come: by then all have read, and
    found nothing. On a slow machine it is those that come within `PATIENCE` of the first.
    """

    def __init__(self, runs: int, met: Callable[[str], None] = lambda _path: None) -> None:
        """
        Args:
            runs: how many come.
            met: called with the path when they have all come to it, before the first of them is let go.
        """
        super().__init__()
        self._places = {path: self._place(path, runs, met) for path in SHARED}

    def _place(self, path: str, runs: int, met: Callable[[str], None]) -> threading.Barrier:
        def open_it() -> None:
            met(path)
            self._places.pop(path, None)

        return threading.Barrier(runs, open_it, PATIENCE)

    def asked(self, system: str, method: str, path: str) -> Fault | None:
        """Let everything pass, writes of what is shared after a while."""
        place = self._places.get(path) if method in {"POST", "PUT"} else None
        if place is not None:
            try:
                place.wait()
            except threading.BrokenBarrierError:
                self._places.pop(path, None)
        return super().asked(system, method, path)


def vault_behind(vault: VaultServer, script: Script) -> Proxy:
    return Proxy(Server(vault.address, vault.ca_pem, lambda _path: "Vault"), script)


def connect_through(worlds: Sequence[World], proxy: Proxy) -> None:
    """Save the connections, with a Vault token that has the rights that are printed for these clusters."""
    vault = worlds[0].vault
    connect(
        worlds,
        vault__token=token_with(
            vault, printed_policy(vault, [Cluster("emea", one.cluster) for one in worlds])
        ),
        vault__address=proxy.url,
        vault__ca_cert=proxy.ca_pem,
        vault__address_for_clusters=vault.address,
        vault__ca_cert_for_clusters=vault.ca_pem,
    )


async def states(runs: Sequence[Run]) -> set[str | None]:
    """Names of the states that the runs are in."""
    return {(await run.read()).state_name for run in runs}


async def to_the_merge(worlds: Sequence[World]) -> list[Run]:
    """A run for each cluster, all at the same time; their pull requests merged, and woken."""
    runs = [await enable(world) for world in worlds]
    assert set(wait_for(start(runs))) == {0}
    assert await states(runs) == {"Suspended"}, await errors(runs)
    merge(worlds)
    for run in runs:
        await run.resume()
    return runs


async def errors(runs: Sequence[Run]) -> list[str]:
    """What the runs have logged as errors, here and in other processes."""
    await APILogHandler.aflush()
    wanted = {"flow_run_id": {"any_": [run.id for run in runs]}, "level": {"ge_": 40}}
    async with get_client() as asked:
        entries = await asked.read_logs(LogFilter.model_validate(wanted))
    return [entry.message for entry in entries]


async def failures(runs: Sequence[Run]) -> list[str]:
    """The states of runs, past ones too, and of their steps that say that something failed."""
    failed = {"type": {"any_": ["FAILED", "CRASHED"]}}
    found = []
    async with get_client() as asked:
        for run in runs:
            for state in await asked.read_flow_run_states(run.id):
                if state.is_failed() or state.is_crashed():
                    found.append(f"{state.name}: {state.message}")
        tasks = await asked.read_task_runs(
            flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [run.id for run in runs]}}),
            task_run_filter=TaskRunFilter.model_validate({"state": failed}),
        )
    return found + [f"{task.name}: {task.state}" for task in tasks]


def writes(vault: VaultServer, position: int, path: str) -> list[bool]:
    """For each write at a path whether Vault has done it; it has refused the others."""
    return [
        "error" not in (entry["response"].get("data") or {})
        for entry in vault.audit_entries(position)
        if entry["type"] == "response"
        and entry["request"]["path"] == path
        and entry["request"]["operation"] in {"create", "update"}
    ]


async def proved(run: Run, cluster: str) -> bool:
    """Whether the run's report says of both namespaces that the login works, at this cluster's own mount."""
    report = str((await run.artifacts())[f"report-emea-{cluster}"])
    return all(
        f"{namespace}/vault-secret-fetcher logs in at {cluster}-k8s" in report
        for namespace in ("payments", "web")
    )


async def test_runs_for_many_clusters_at_the_same_time_enable_all_and_no_run_sees_an_error(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    clusters = [f"ember-{number}" for number in range(RUNS)]
    with (
        fleet_at(tmp_path, vault, clusters) as worlds,
        vault_behind(vault, Meeting(len(clusters))) as proxy,
    ):
        connect_through(worlds, proxy)
        runs = await to_the_merge(worlds)
        position = vault.audit_position()
        assert set(wait_for(start(runs))) == {0}
        assert await states(runs) == {"Completed"}, await errors(runs)
        assert await errors(runs) == []
        assert await failures(runs) == []
        assert "already in use" not in "".join([await run.logs() for run in runs])
        enabled_as_one_environment(vault, worlds)
        assert [
            run for run, world in zip(runs, worlds, strict=True) if not await proved(run, world.cluster)
        ] == []
    for path in SHARED:
        assert len(writes(vault, position, path)) > 1, f"nobody wrote {path} at the same time"
    assert writes(vault, position, ALIAS).count(True) == 1, "one made it; the others lost the race"


async def test_a_run_that_is_killed_among_others_leaves_nothing_that_stops_them_or_its_successor(
    prefect_harness: PrefectServer, vault: VaultServer, tmp_path: Path
) -> None:
    processes: list[BaseProcess] = []

    def kill_the_first(path: str) -> None:
        if path == ALIAS:
            processes[0].kill()

    clusters = ["ember-0", "ember-1", "ember-2"]
    with (
        fleet_at(tmp_path, vault, clusters) as worlds,
        vault_behind(vault, Meeting(len(clusters), kill_the_first)) as proxy,
    ):
        connect_through(worlds, proxy)
        killed, *others = await to_the_merge(worlds)
        processes += start([killed, *others])
        assert wait_for(processes) == [-9, 0, 0]
        assert await states(others) == {"Completed"}, await errors(others)
        assert await killed.again() == "Completed", killed.error
        assert await errors([killed, *others]) == []
        enabled_as_one_environment(vault, worlds)
        assert await proved(killed, clusters[0])
