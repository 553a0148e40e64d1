"""A flow that does with secrets whatever one should not do: the search has to find each of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml
from prefect import flow, get_run_logger, task
from prefect.artifacts import Artifact, create_markdown_artifact
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.runtime import flow_run

from connections import ClusterConnection, GitOpsRepository, VaultConnection
from runbook.gate import LABEL
from tests.lingering import LINGERING
from tests.secrets.machine_places import COMMAND_LINES, ENVIRONMENTS, TEMPORARY
from tests.secrets.prefect_places import DATABASE, FILES

Connection = TypeVar("Connection", bound=Block)

LEAKS = [
    ("webhook secret", DATABASE, "flow_run.parameters"),
    ("GitHub token", DATABASE, "flow_run.labels"),
    ("GitHub token", DATABASE, "log.message"),
    ("GitHub token", FILES, "worker.log"),
    ("GitHub token", TEMPORARY, "/config"),
    ("Vault token", DATABASE, "artifact.data"),
    ("Vault token", DATABASE, "task_run_state.message"),
    ("Vault token", COMMAND_LINES, "argument"),
    ("key of the kubeconfig", DATABASE, "artifact.data"),
    ("key of the kubeconfig", TEMPORARY, "/client.key"),
    ("token of the kubeconfig", DATABASE, "events.payload"),
    ("token of the kubeconfig", FILES, "/storage/"),
    ("token of the kubeconfig", ENVIRONMENTS, "BEARER"),
]
"""Which secret it leaves in which place, and where there."""


@flow(name="leaky", log_prints=True)
def leaky(vault: str, gitops: str, cluster: str, webhook_secret: str, until: str) -> None:
    """Leak the secrets of the connections.

    Args:
        webhook_secret: a parameter, which is a leak of its own.
        until: a file; what leaks only for a moment does so until it is there.
    """
    github = _loaded(GitOpsRepository, gitops).token.get_secret_value()
    given = _loaded(VaultConnection, vault).token
    token = given.get_secret_value() if given else ""
    kubeconfig = _loaded(ClusterConnection, cluster).kubeconfig
    user = yaml.safe_load(kubeconfig.get_secret_value() if kubeconfig else "")["users"][0]["user"]
    get_run_logger().info("Authorization: Bearer %s", github)
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(flow_run.id, {LABEL: f'{{"url": "https://x:{github}@example.com"}}'})
    create_markdown_artifact(f"| X-Vault-Token |\n|---|\n| `{token}` |", key="plan-leaky")
    Artifact(type="json", key="records-leaky", data=[{"before": user["client-key-data"]}]).create()
    emit_event("leaky", {"prefect.resource.id": "leaky"}, payload={"token": user["token"]})
    asked_of_cluster({"token": user["token"]})
    refused_by_vault(token, return_state=True)
    with of_a_moment(github, token, user):
        while not Path(until).exists():
            time.sleep(0.05)


def _loaded(kind: type[Connection], name: str) -> Connection:
    found = kind.load(name)
    assert isinstance(found, kind)
    return found


@task(persist_result=True)
def asked_of_cluster(answer: dict[str, str]) -> dict[str, str]:
    """Return it, pickled as Prefect does by default."""
    return answer


@task
def refused_by_vault(token: str) -> None:
    """Raise it."""
    msg = f"403 for {token}"
    raise PermissionError(msg)


@contextmanager
def of_a_moment(github: str, token: str, user: dict[str, str]) -> Iterator[None]:
    """Files and a child that are gone again at the end."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"https://x-access-token:{github}@example.com/a/b.git"
        Path(folder, "config").write_text(f'[remote "origin"]\n\turl = {url}\n')
        Path(folder, "client.key").write_text(user["client-key-data"])
        command = [sys.executable, "-c", LINGERING, f"--token={token}"]
        with subprocess.Popen(command, env={"BEARER": user["token"]}) as child:
            try:
                yield
            finally:
                child.kill()
