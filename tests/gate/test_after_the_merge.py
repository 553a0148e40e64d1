"""What a run waits for after its merge: it holds no process meanwhile, and goes on when that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.errors import Unreachable
from runbook.gate import LACK_LABEL
from sandbox.gitops_agent.cluster import Cluster as ArgoCd
from tests.kubernetes_objects import DELEGATION, Cluster
from tests.operator_by_hand import VALID, Operator
from tests.vault_writes import written
from tests.waiting import AtTheGate, Start

pytestmark = pytest.mark.long

LACKS_ALL = "waits for namespace external-secrets-operator and "


def merged(start: Start, **parameters: object) -> AtTheGate:
    """A run whose change is merged and not synced."""
    run = start(**{"sync_timeout": "10m", **parameters})
    run.world.merge()
    assert run.woken() == "Suspended", run.log()
    return run


def kubeconfig(run: AtTheGate) -> str:
    return Path(run.world.kubernetes.admin_kubeconfig).read_text()


def message(run: AtTheGate) -> str:
    return str(run.run()["state"]["message"])


def test_it_is_suspended_until_the_cluster_has_everything_and_says_what_to_sync_next(start: Start) -> None:
    run = merged(start)
    assert message(run).startswith(LACKS_ALL)
    assert message(run).endswith(" in ArgoCD")
    description, schema = run.form()
    assert "- ServiceAccount external-secrets-operator/eso-vault-auth: sync external-secrets" in description
    assert set(schema["properties"]) == {"note"}
    seen = run.look()
    assert (seen.waiting, seen.woken, seen.again, seen.problems) == (1, (), (), ())

    # Something came, and something else is left: what it says is to stay true.
    run.world.sync()
    Cluster(run.world.kubernetes).unbind_reviewer()
    assert run.woken() == "Suspended", run.log()
    assert message(run).startswith("waits for ClusterRoleBinding of external-secrets-operator/eso-vault-auth")
    assert run.said("Resumed: what it lacks has changed; next is ClusterRoleBinding of ")
    assert run.look().woken == ()

    # Somebody who resumes it has it look again.
    assert run.rest(lambda: run.engineer.api.resume(run.id)) == "Suspended"

    with ArgoCd(Path(run.world.kubernetes.admin_kubeconfig)) as argocd:
        argocd.apply(DELEGATION, force=True)
    assert run.woken() == "Completed", run.log()
    assert run.each_step_ran_once()
    assert run.said("Resumed: ", times=3), run.log()
    assert run.log().count("Resumed: ") == 3, "each once"


def test_after_its_time_it_fails_and_a_retry_waits_anew(start: Start) -> None:
    run = merged(start, sync_timeout="23s")

    def past_its_time() -> None:
        run.look_until_woken()

    assert run.rest(past_its_time) == "Failed"
    assert "after 23s still lacks namespace external-secrets-operator; " in message(run)
    assert run.said("Resumed: its deadline has passed")
    assert run.rest(lambda: run.engineer.api.retry(run.id)) == "Suspended", run.log()
    run.go_on()


def test_a_cluster_that_does_not_answer_is_a_problem_of_the_look_and_wakes_nobody(start: Start) -> None:
    run = merged(start)
    dead = run.world.kubernetes.url.rpartition(":")[0] + ":9"
    run.world.connect_cluster(cluster__kubeconfig=kubeconfig(run).replace(run.world.kubernetes.url, dead))
    for _ in range(2):
        found = run.watch.look()
        assert ([type(one) for one in found.problems], found.woken) == ([Unreachable], ())
    run.world.connect_cluster()
    run.go_on()


def test_what_it_cannot_wait_with_it_says_itself(start: Start) -> None:
    run = merged(start)
    run.engineer.api.request("PATCH", f"/flow_runs/{run.id}/labels", {LACK_LABEL: "{}"})
    assert run.woken() == "Suspended", run.log()
    assert run.said("Resumed: it has no record that this version can read")
    refused = kubeconfig(run).replace(run.world.kubernetes.admin_token, "no-token-of-this-cluster")
    run.world.connect_cluster(cluster__kubeconfig=refused)
    assert run.woken() == "Failed"
    assert "OpenShift" in message(run)


def test_the_operator_is_waited_for_without_a_process_too(start: Start) -> None:
    run = start(store_timeout="10m")
    operator = Operator(Cluster(run.world.kubernetes), {})
    run.land()
    assert run.woken() == "Suspended", run.log()
    assert (
        message(run)
        == "waits for the operator, until SecretStore payments/opf-vault-store and 1 more are Ready"
    )
    assert "no operator has reconciled it yet" in run.form()[0]
    operator.judge("payments", VALID)
    operator.judge("web", VALID)
    position = run.world.vault.audit_position()
    assert run.woken() == "Completed", run.log()
    assert written(run.world.vault, position) == []
    assert run.artifact("report").count("is Ready: store validated") == 2
