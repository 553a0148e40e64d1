"""What the demo says while it takes its objects away from a real API server."""

from __future__ import annotations

from pathlib import Path

from sandbox.gitops_agent.cluster import Cluster
from sandbox.gitops_agent.onboarding import CarefulApply, Ledger
from sandbox.kubernetes_api import KubernetesApi
from sandbox.leaving import leave_cluster
from tests.rights import cluster_account
from tests.sandbox.gitops_agent.held import WEB, Hold


def test_each_line_comes_when_it_is_said_and_not_at_the_end(tmp_path: Path) -> None:
    report, created = tmp_path / "report.json", tmp_path / "created.json"
    report.write_text('{"left_out": {"Subscription eso": "the kind is not served"}}')
    lines: list[str] = []
    with KubernetesApi(tmp_path / "plain", openshift=False, controller_delay=0.01) as api:
        hold = Hold(api)
        with Cluster(api.admin_kubeconfig) as cluster:
            CarefulApply(cluster, Ledger(created), lambda _identity, _why: None)(hold.namespace)
        hold.take()
        account = cluster_account(api.admin_kubeconfig)
        account.create()

        def say(line: str) -> None:
            lines.append(line)
            if line.startswith("waiting until 1 objects"):
                # Until somebody has read this, the namespace stays.
                hold.release()

        leave_cluster(api.admin_kubeconfig, tmp_path, account, say)
        assert lines[:3] == [
            "left out: Subscription eso: the kind is not served",
            "waiting until 1 objects are gone, at most 180 s",
            f"removed {WEB}",
        ]
        assert "removed Namespace vault-enablement" in lines
        assert list(Ledger(created)) == []


def test_a_cluster_that_does_not_answer_is_named_with_what_stays(tmp_path: Path) -> None:
    lines: list[str] = []
    with KubernetesApi(tmp_path / "plain", openshift=False) as api:
        Ledger(tmp_path / "created.json").add(WEB)
        account = cluster_account(api.admin_kubeconfig)
        account.create()
        api.stop()
        leave_cluster(api.admin_kubeconfig, tmp_path, account, lines.append)
        api.start()
    given_up, stays = lines
    assert given_up.startswith(f"the clean-up was given up, {tmp_path / 'created.json'} says what may still")
    assert stays.startswith("the namespace vault-enablement and its account stay: the API server does not")
