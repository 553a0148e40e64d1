"""What one whole onboarding costs: CPU, requests and received bytes, in worlds that are small or large.

Both executions are processes of their own, started as a worker starts them, so that the CPU of git and
kustomize counts too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from bench.meter import Meter, metered
from bench.stage import ENABLE
from bench.traffic import Traffic
from bench.world import REPOSITORY, World
from sandbox.environment import CHECKOUT
from sandbox.prefect_server import PrefectServer
from sandbox.processes import SandboxError

_SAMPLE_SECONDS = 0.1


@dataclass
class Cost:
    """Of one onboarding.

    Attributes:
        cpu: seconds of both executions, with their child processes.
        megabytes: the largest resident memory of one of them.
        requests: by system, as `bench.traffic.SYSTEMS` has them.
        received: bytes by system; GitHub's API is not metered.
    """

    cpu: float = 0.0
    megabytes: float = 0.0
    requests: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)


def onboard(prefect: PrefectServer, world: World, log: Path) -> Cost:
    """Enable the cluster of a world, with the pipeline's token.

    Args:
        prefect: to which the flows are deployed.
        world: not connected yet.
        log: takes what the runs print.
    """
    cost, api = Cost(), prefect.api
    with ExitStack() as stack, temporary_settings(updates={PREFECT_API_URL: prefect.api_url}):
        meters = _connect(stack, world)
        run = api.create_flow_run(ENABLE, world.parameters)
        for state in ("PAUSED", "COMPLETED"):
            traffic = Traffic(world)
            for meter in meters.values():
                meter.take()
            cpu, megabytes = _execute(prefect, run, log)
            cost.cpu += cpu
            cost.megabytes = max(cost.megabytes, megabytes)
            cost.requests.update(asked.system for asked in traffic.requests())
            cost.received.update({system: meter.take() for system, meter in meters.items()})
            now = api.flow_run(run)["state"]
            if now["type"] != state:
                msg = f"the run is {now['name']} and not {state}: {now['message']}; see {log}"
                raise SandboxError(msg)
            if state == "PAUSED":
                world.merge()
                world.sync()
                api.resume(run, {})
    return cost


def _connect(stack: ExitStack, world: World) -> dict[str, Meter]:
    vault_url, vault = stack.enter_context(metered(world.vault.address))
    git_url, git = stack.enter_context(metered(world.github.clone_url(REPOSITORY)))
    cluster_url, cluster = stack.enter_context(metered(world.kubernetes.url))
    kubeconfig = yaml.safe_load(Path(world.kubernetes.admin_kubeconfig).read_text())
    kubeconfig["clusters"][0]["cluster"]["server"] = cluster_url
    world.connect(
        vault__address=vault_url,
        vault__address_for_clusters=world.vault.address,
        vault__ca_cert_for_clusters=world.vault.ca_pem,
        gitops__url=git_url,
        cluster__kubeconfig=yaml.safe_dump(kubeconfig),
    )
    return {"Vault": vault, "Git": git, "cluster": cluster}


def _execute(prefect: PrefectServer, run: str, log: Path) -> tuple[float, float]:
    """Execute a run until it ends or suspends; its seconds of CPU, and its peak of memory in MB."""
    with log.open("a") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect.engine"],
            env={**prefect.environment, "PREFECT__FLOW_RUN_ID": run},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
        status, peak = Path(f"/proc/{process.pid}/status"), 0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            # `ru_maxrss` would be at least the memory of this very process.
            peak = max(peak, *map(int, re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())), 0)
            time.sleep(_SAMPLE_SECONDS)
        _, ended, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(ended)
    return used.ru_utime + used.ru_stime, peak / 1000
