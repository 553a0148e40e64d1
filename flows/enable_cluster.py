"""The runbook: enable one OpenShift cluster to read its secrets from Vault."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from runbook.names import NAME_PATTERN
from runbook.request import EnableRequest, PolicyScope, ReviewerToken, SecretStoreApi
from tasks.auth_config import configure_auth_method
from tasks.auth_method import enable_auth_method
from tasks.group import write_group
from tasks.merge_gate import wait_for_merge
from tasks.policies import write_policies
from tasks.preflight.step import preflight
from tasks.pull_request import open_pull_request
from tasks.report import publish_report
from tasks.role import write_role
from tasks.verify import verify_login
from tasks.wait_until_synced import wait_until_synced

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]


@flow(name="enable-cluster", flow_run_name="enable {env}/{cluster}", result_serializer="json")
async def enable_cluster(
    cluster: Annotated[Name, Field(description="The cluster, as its folder in the repository is called.")],
    env: Annotated[Name, Field(description="Its environment: the folder above it.")],
    namespaces: Annotated[
        list[Name],
        Field(min_length=1, description="Namespaces whose starter ServiceAccount may fetch secrets. No '*'."),
    ],
    service_account: Annotated[
        Name, Field(description="The starter ServiceAccount, made in each of these namespaces.")
    ] = "vault-secret-fetcher",
    token_ttl: Annotated[
        str, Field(description="How long a session of the operator lasts in Vault: '1h', '90m'.")
    ] = "1h",
    policy_scope: Annotated[
        PolicyScope,
        Field(
            description="'env': the role reads the secrets of all clusters of the environment, as the "
            "runbook has it. 'cluster': those of this cluster only."
        ),
    ] = "env",
    reviewer_token: Annotated[
        ReviewerToken,
        Field(
            description="Where Vault's reviewer token comes from. 'secret': a named token Secret in the pull "
            "request. 'token-request': asked for with the lifetime below, to be renewed before it ends."
        ),
    ] = "secret",
    reviewer_token_lifetime: Annotated[
        str, Field(description="Lifetime of a 'token-request' token; the cluster may shorten it.")
    ] = "8760h",
    secret_store_api: Annotated[
        SecretStoreApi,
        Field(description="API version of a new SecretStore; 'auto': as the repository's other clusters."),
    ] = "auto",
    sync_timeout: Annotated[
        str, Field(description="How long to wait after the merge until ArgoCD has synced.")
    ] = "1h",
    vault: Annotated[Name, Field(description="Name of the VaultConnection.")] = "vault",
    gitops: Annotated[Name, Field(description="Name of the GitOpsRepository.")] = "gitops",
    cluster_connection: Annotated[
        Name | None, Field(description="Name of the ClusterConnection; the cluster's own name if empty.")
    ] = None,
) -> None:
    """Install the External Secrets Operator by pull request, wait for its merge, then write policies,
    group and alias, auth mount, config and role in Vault, and prove that the login works.

    Raises:
        EnablementError: from the step that failed, saying which system, what it answered and what to do.
    """
    request = EnableRequest(
        cluster=cluster,
        env=env,
        namespaces=tuple(namespaces),
        service_account=service_account,
        token_ttl=token_ttl,
        policy_scope=policy_scope,
        reviewer_token=reviewer_token,
        reviewer_token_lifetime=reviewer_token_lifetime,
        secret_store_api=secret_store_api,
        sync_timeout=sync_timeout,
        vault=vault,
        gitops=gitops,
        cluster_connection=cluster_connection,
    )
    checked = preflight(request)
    proposal = open_pull_request(request, checked)
    merged = await wait_for_merge(request, proposal)
    synced = wait_until_synced(request, wait_for=[merged])
    policies = write_policies(request, wait_for=[merged])
    group = write_group(request, wait_for=[policies])
    mount = enable_auth_method(request, wait_for=[group])
    config = configure_auth_method(request, wait_for=[mount, synced])
    role = write_role(request, wait_for=[config])
    verified = verify_login(request, wait_for=[role])
    publish_report(request, proposal, merged, synced, [policies, group, mount, config, role], verified)
