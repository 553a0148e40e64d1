"""The runbook: enable one OpenShift cluster to read its secrets from Vault."""

from __future__ import annotations

from collections.abc import Callable

from prefect import flow
from prefect.runtime import flow_run

from change.approval import approved_plan
from change.ending import in_words
from change.gate.merge import wait_for_merge
from flows import form
from runbook.request import EnableRequest
from tasks.auth_config import configure_auth_method
from tasks.auth_method import enable_auth_method
from tasks.group import write_group
from tasks.policies import write_policies
from tasks.preflight.step import preflight
from tasks.pull_request import open_pull_request
from tasks.report import publish_report
from tasks.role import write_role
from tasks.runbooks import CONVENTIONS, ENABLE_CLUSTER, read
from tasks.verify import verify_login
from tasks.wait_until_synced import wait_until_synced


def run_name(*parts: str, verb: str = "enable", words: str = "") -> Callable[[], str]:
    """What a run is called: a verb, or ``plan``, and for whom by these of its parameters."""

    def name() -> str:
        given = flow_run.parameters
        subject = "/".join(str(given[part]) for part in parts if given.get(part))
        return f"{'plan' if given.get('plan_only') else verb} {words}{subject}"

    return name


@in_words
@flow(name="enable-cluster", flow_run_name=run_name("env", "cluster"))
async def enable_cluster(
    cluster: form.Cluster,
    env: form.Env = "",
    *,
    namespaces: form.Namespaces,
    plan_only: form.PlanOnly = False,
    approve: form.Approve = False,
    policy_scope: form.Scope = "",
    service_account: form.ServiceAccount = "",
    token_ttl: form.TokenTtl = "1h",
    reviewer_token: form.Reviewer = "secret",
    reviewer_token_lifetime: form.ReviewerLifetime = "8760h",
    secret_store_api: form.StoreApi = "auto",
    adopt: form.Adopt = (),
    move_alias: form.MoveAlias = False,
    cluster_moved: form.ClusterMoved = False,
    merge_timeout: form.MergeTimeout = "",
    sync_timeout: form.SyncTimeout = "1h",
    store_timeout: form.StoreTimeout = "6m",
    vault: form.Vault = "vault",
    gitops: form.GitOps = "gitops",
    cluster_connection: form.ClusterConnection = "",
    conventions: form.Conventions = CONVENTIONS,
) -> None:
    """Enable a cluster to read its secrets from Vault.

    Installs the External Secrets Operator by pull request, waits for its merge, writes policies, group and
    alias, auth mount, config and role in Vault, and proves that the login works.

    Args:
        cluster: Name of the cluster's folder in the GitOps repository.
        env: Name of the folder above the cluster's; empty where the conventions know no environments.
        namespaces: Namespaces whose starter ServiceAccount may fetch secrets; at least one, no '*'.
        plan_only: Publish the plan and end; write nothing.
        approve: Where no pull request is needed, wait until a person approves the plan in the run's form.
        policy_scope: 'env': the role may read the secrets of all clusters of the environment, as in the
            runbook. 'cluster': those of this cluster only. Empty: as the conventions have it.
        service_account: The starter ServiceAccount, which may fetch secrets; created in each namespace.
            Empty: that of the conventions.
        token_ttl: TTL of the operator's Vault token, for example '90m'; at most 87600h.
        reviewer_token: Source of the token with which Vault calls TokenReview. 'secret': a token Secret that
            the pull request adds. 'token-request': the cluster's TokenRequest, with the lifetime below.
        reviewer_token_lifetime: Of a 'token-request' token, at most 87600h; the cluster may shorten it. Start
            a new run before it expires.
        secret_store_api: API version of a new SecretStore. 'auto': the newest that the cluster serves.
        adopt: Vault objects of somebody else to adopt as they stand, for example 'policy/moc-kv-r'. They are
            not overwritten.
        move_alias: Move the administrators' alias to their group, even from another group that somebody made.
        cluster_moved: Point the cluster's auth mount to the API server of the ClusterConnection, even if it
            points to another one and no record says that it is ours: the cluster was reinstalled, or its API
            has moved. Refused while a role of another environment is on the mount.
        merge_timeout: How long to wait for the merge, for example '336h', at most 87600h; for ever if empty.
        sync_timeout: How long to wait, after the merge, until ArgoCD has synced; at most 87600h.
        store_timeout: How long to wait, after the login is proved, until the operator reports the
            SecretStores as Ready; it checks each every 5 minutes; at most 87600h.
        vault: Name of the VaultConnection.
        gitops: Name of the GitOpsRepository.
        cluster_connection: Name of the ClusterConnection; the cluster's own name if empty.
        conventions: Name of the RunbookConventions; the runbook's names where there is none called
            'conventions'.

    Raises:
        EnablementError: from the step that failed: which system, what it answered, what to do.
    """
    request = read(EnableRequest, locals())
    checked = preflight(ENABLE_CLUSTER, request)
    if request.plan_only:
        return
    proposal = open_pull_request(ENABLE_CLUSTER, request, checked)
    landing = await wait_for_merge(ENABLE_CLUSTER, request, checked, proposal)
    approved = await approved_plan(ENABLE_CLUSTER, request, checked, proposal, landing)
    synced = await wait_until_synced(request, checked.applications, checked.served_versions, approved)
    policies = write_policies(request, approved)
    group = write_group(request, approved, wait_for=[policies])
    mount = enable_auth_method(request, approved, wait_for=[group])
    config = configure_auth_method(request, approved, wait_for=[mount, synced])
    role = write_role(request, approved, wait_for=[config])
    proofs = await verify_login(request, checked.applications, synced, role)
    publish_report(request, landing, synced, [policies, group, mount, config, role], proofs)
