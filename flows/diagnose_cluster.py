"""The diagnosis alone: why does the login of a cluster not work?"""

from __future__ import annotations

from prefect import flow

from change.ending import in_words
from flows import form
from flows.enable_cluster import run_name
from runbook.request import EnableRequest
from tasks.diagnose import diagnose_login
from tasks.runbooks import CONVENTIONS, read


@in_words
@flow(name="diagnose-cluster", flow_run_name=run_name("env", "cluster", verb="diagnose"))
async def diagnose_cluster(
    cluster: form.Cluster,
    env: form.Env = "",
    *,
    namespaces: form.Namespaces,
    policy_scope: form.Scope = "",
    service_account: form.ServiceAccount = "",
    reviewer_token: form.Reviewer = "secret",
    vault: form.Vault = "vault",
    cluster_connection: form.ClusterConnection = "",
    conventions: form.Conventions = CONVENTIONS,
) -> None:
    """Find out why a cluster's login to Vault does not work, or prove that it does.

    Asks Vault, the cluster and the operator, publishes every question with its answer, and writes nothing
    anywhere. The run completes if the login works; else it fails with the cause and the remedy.

    Args:
        cluster: Name of the cluster's folder in the GitOps repository.
        env: Name of the folder above the cluster's; empty where there are none.
        namespaces: Namespaces whose starter ServiceAccount logs in.
        policy_scope: The value with which the cluster was enabled; used if no run of it is on record.
        service_account: The starter ServiceAccount; empty: that of the conventions.
        reviewer_token: The value with which the cluster was enabled; used if no run of it is on record.
        vault: Name of the VaultConnection.
        cluster_connection: Name of the ClusterConnection; the cluster's own name if empty.
        conventions: Name of the RunbookConventions; the runbook's names where there is none called
            'conventions'.

    Raises:
        VerificationFailed: the cause, in one line, and what to do.
    """
    diagnose_login(read(EnableRequest, locals()))
