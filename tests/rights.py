"""The rights with which the tests' runs work: exactly what the project's own commands print for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from deployments.openshift.account import account_manifests
from deployments.sandbox.cluster_account import ClusterAccount
from deployments.sandbox.vault_server import VaultServer
from deployments.vault.policy import pipeline_policy
from runbook.names import Cluster
from runbook.request import ReviewerToken
from runbook.rights import Extra

EMBER = Cluster("emea", "ember")


def policy_of_the_tests(extras: Sequence[Extra] = ()) -> str:
    """The policy of the pipeline's token: for emea/ember, runs of both scopes, and nothing else."""
    return pipeline_policy([EMBER], ["env", "cluster"], extras)


def token_with(vault: VaultServer, policy: str, **options: object) -> str:
    """A token whose rights are ``policy`` (HCL) alone."""
    vault.request("PUT", "sys/policies/acl/narrow", {"policy": policy})
    body = {"policies": ["narrow"], "no_default_policy": True, "ttl": "12h", **options}
    return str(vault.request("POST", "auth/token/create-orphan", body)["auth"]["client_token"])


def cluster_account(
    admin_kubeconfig: str | Path, reviewer_tokens: Sequence[ReviewerToken] = ("secret", "token-request")
) -> ClusterAccount:
    """The pipeline's account on a cluster, for the namespaces of the tests' runs; not made yet."""
    manifests = account_manifests(["payments", "web"], reviewer_tokens=reviewer_tokens)
    return ClusterAccount(Path(admin_kubeconfig), yaml.safe_dump_all(manifests))
