"""The runbook: enable External Secrets to one more namespace of a cluster that is enabled."""

from __future__ import annotations

from prefect import flow

from change.approval import approved_plan
from change.ending import in_words
from change.gate.merge import wait_for_merge
from flows import form
from flows.enable_cluster import run_name
from runbook.enable_namespace import NamespaceRequest
from tasks.preflight.step import preflight
from tasks.pull_request import open_pull_request
from tasks.report import publish_report
from tasks.role import write_role
from tasks.runbooks import CONVENTIONS, ENABLE_NAMESPACE, read
from tasks.verify import verify_login
from tasks.wait_until_synced import wait_until_synced


@in_words
@flow(
    name="enable-namespace",
    flow_run_name=run_name("env", "cluster", "namespace", words="namespace "),
)
async def enable_namespace(
    cluster: form.Cluster,
    env: form.Env = "",
    *,
    namespace: form.Namespace,
    plan_only: form.PlanOnly = False,
    approve: form.Approve = False,
    policy_scope: form.Scope = "",
    service_account: form.ServiceAccount = "",
    reviewer_token: form.Reviewer = "secret",
    adopt: form.Adopt = (),
    merge_timeout: form.MergeTimeout = "",
    sync_timeout: form.SyncTimeout = "1h",
    store_timeout: form.StoreTimeout = "6m",
    vault: form.Vault = "vault",
    gitops: form.GitOps = "gitops",
    cluster_connection: form.ClusterConnection = "",
    conventions: form.Conventions = CONVENTIONS,
) -> None:
    """Enable External Secrets to a namespace.

    Gives the namespace its SecretStore by pull request, waits for its merge, binds the namespace in the
    cluster's role in Vault, and proves that the login works.

    Args:
        cluster: Name of a cluster that enable-cluster has enabled.
        env: Its environment: the folder above the cluster's; empty where there are none.
        namespace: The namespace whose starter ServiceAccount may fetch secrets.
        plan_only: Publish the plan and end; write nothing.
        approve: Where no pull request is needed, wait until a person approves the plan in the run's form.
        policy_scope: The value with which the cluster was enabled.
        service_account: The value with which the cluster was enabled; empty: that of the conventions.
        reviewer_token: The value with which the cluster was enabled.
        adopt: The role, if it is somebody else's, to adopt it as it stands.
        merge_timeout: How long to wait for the merge, for example '336h', at most 87600h; for ever if empty.
        sync_timeout: How long to wait, after the merge, until ArgoCD has synced; at most 87600h.
        store_timeout: How long to wait, after the login is proved, until the operator reports the
            SecretStore as Ready; at most 87600h.
        vault: Name of the VaultConnection.
        gitops: Name of the GitOpsRepository.
        cluster_connection: Name of the ClusterConnection; the cluster's own name if empty.
        conventions: Name of the RunbookConventions; the runbook's names where there is none called
            'conventions'.

    Raises:
        EnablementError: from the step that failed: which system, what it answered, what to do.
    """
    request = read(NamespaceRequest, locals())
    checked = preflight(ENABLE_NAMESPACE, request)
    if request.plan_only:
        return
    proposal = open_pull_request(ENABLE_NAMESPACE, request, checked)
    landing = await wait_for_merge(ENABLE_NAMESPACE, request, checked, proposal)
    approved = await approved_plan(ENABLE_NAMESPACE, request, checked, proposal, landing)
    synced = await wait_until_synced(request, checked.applications, checked.served_versions, approved)
    role = write_role(request, approved, wait_for=[synced])
    proofs = await verify_login(request, checked.applications, synced, role)
    publish_report(request, landing, synced, [role], proofs)
