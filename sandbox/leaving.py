"""What the demo takes away again from a real API server, and what it says meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sandbox.cluster_account import ClusterAccount
from sandbox.gitops_agent.cluster import Cluster, ClusterError
from sandbox.gitops_agent.onboarding import Ledger, clean_up


def leave_cluster(
    admin_kubeconfig: Path, agent: Path, account: ClusterAccount | None, say: Callable[[str], object]
) -> None:
    """Say what was left out, remove what was made, name what is still there.

    Args:
        admin_kubeconfig: of the cluster's administrator.
        agent: directory of the GitOps agent, which has ended.
        account: the pipeline's, if it was made.
        say: takes each line when it comes: it may take minutes until a namespace is gone.
    """
    report, created = agent / "report.json", agent / "created.json"
    if report.exists():
        for what, why in json.loads(report.read_text())["left_out"].items():
            say(f"left out: {what}: {why}")
    try:
        with Cluster(admin_kubeconfig) as cluster:
            for line in clean_up(cluster, Ledger(created)):
                say(line)
    except ClusterError as error:
        say(f"the clean-up was given up, {created} says what may still be there: {error}")
    if account:
        try:
            for line in account.remove():
                say(line)
        except ClusterError as error:
            say(f"the namespace vault-enablement and its account stay: {error}")
