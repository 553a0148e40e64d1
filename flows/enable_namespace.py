"""The runbook: enable External Secrets to one more namespace of a cluster that is enabled."""

from __future__ import annotations

from prefect import flow

from change.approval import approved_plan
from change.gate.merge import wait_for_merge
from flows.enable_cluster import Duration, Name, run_name
from runbook.enable_namespace import NamespaceRequest
from runbook.request import PolicyScope, ReviewerToken
from tasks.preflight.step import preflight
from tasks.pull_request import open_pull_request
from tasks.report import publish_report
from tasks.role import write_role
from tasks.runbooks import ENABLE_NAMESPACE
from tasks.verify import verify_login
from tasks.wait_until_synced import wait_until_synced


@flow(
    name="enable-namespace",
    flow_run_name=run_name("namespace {env}/{cluster}/{namespace}"),
    result_serializer="json",
)
async def enable_namespace(
    cluster: Name,
    env: Name,
    namespace: Name,
    service_account: Name = "vault-secret-fetcher",
    policy_scope: PolicyScope = "env",
    reviewer_token: ReviewerToken = "secret",
    merge_timeout: Duration | None = None,
    sync_timeout: Duration = "1h",
    store_timeout: Duration = "6m",
    adopt: list[str] | None = None,
    plan_only: bool = False,
    approve: bool = False,
    vault: Name = "vault",
    gitops: Name = "gitops",
    cluster_connection: Name | None = None,
) -> None:
    """Enable External Secrets to a namespace.

    Gives the namespace its SecretStore by pull request, waits for its merge, binds the namespace in the
    cluster's role in Vault, and proves that the login works.

    Args:
        cluster: The cluster, enabled by enable-cluster before.
        env: Its environment.
        namespace: The namespace whose starter ServiceAccount may fetch secrets.
        service_account: The starter ServiceAccount, as the cluster was enabled with it.
        policy_scope: As the cluster was enabled with it.
        reviewer_token: As the cluster was enabled with it.
        merge_timeout: How long to wait for the merge, for example '336h', at most 87600h; for ever if empty.
        sync_timeout: How long to wait, after the merge, until ArgoCD has synced; at most 87600h.
        store_timeout: How long to wait, after the login is proved, until the operator says that the
            SecretStore is Ready; at most 87600h.
        adopt: The role, if it is somebody else's and shall be taken as it stands.
        plan_only: Publish the plan and end; nothing is written anywhere.
        approve: Where no pull request is needed, wait until a person approves the plan in the run's form.
        vault: Name of the VaultConnection.
        gitops: Name of the GitOpsRepository.
        cluster_connection: Name of the ClusterConnection; the cluster's own name if empty.

    Raises:
        EnablementError: from the step that failed: which system, what it answered, what to do.
    """
    request = NamespaceRequest(
        cluster=cluster,
        env=env,
        namespaces=(namespace,),
        service_account=service_account,
        policy_scope=policy_scope,
        reviewer_token=reviewer_token,
        merge_timeout=merge_timeout,
        sync_timeout=sync_timeout,
        store_timeout=store_timeout,
        adopt=tuple(adopt or ()),
        plan_only=plan_only,
        approve=approve,
        vault=vault,
        gitops=gitops,
        cluster_connection=cluster_connection or cluster,
    )
    checked = preflight(ENABLE_NAMESPACE, request)
    if request.plan_only:
        return
    proposal = open_pull_request(ENABLE_NAMESPACE, request, checked)
    landing = await wait_for_merge(ENABLE_NAMESPACE, request, checked, proposal)
    approved = await approved_plan(ENABLE_NAMESPACE, request, checked, proposal, landing)
    synced = wait_until_synced(request, checked.applications, wait_for=[approved])
    role = write_role(request, approved, wait_for=[synced])
    proofs = verify_login(request, checked.applications, wait_for=[role])
    publish_report(request, proposal, landing, synced, [role], proofs)
