"""The rights with which the tests' runs work: exactly what the project's own commands print for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import yaml

from deployments.openshift.account import account_manifests
from deployments.vault.policy import pipeline_policy
from runbook.conventions import PolicyScope
from runbook.names import Cluster
from runbook.request import ReviewerToken
from runbook.rights import Extra
from sandbox.cluster_account import ClusterAccount
from sandbox.vault_seed import VaultAdmin, make_group
from sandbox.vault_server import VaultServer

EMBER = Cluster("emea", "ember")


def printed_policy(
    vault: VaultServer | VaultAdmin,
    targets: Sequence[Cluster] = (EMBER,),
    scopes: Sequence[PolicyScope] = ("env",),
    extras: Sequence[Extra] = (),
) -> str:
    """The policy that is printed once an administrator has made the group, as the documentation says."""
    env = targets[0].env
    made = make_group(cast(VaultAdmin, vault), f"vault-admins-{env}", f"{env}-kv-rw", f"Vault {env} Admin")
    accessor, group_id = made
    return pipeline_policy(targets, accessor, scopes, extras, {env: group_id})


def policy_of_the_tests(vault: VaultServer | VaultAdmin, extras: Sequence[Extra] = ()) -> str:
    """The policy of the pipeline's token: for emea/ember, runs of both scopes, and nothing else."""
    return printed_policy(vault, (EMBER,), ("env", "cluster"), extras)


def token_with(vault: VaultServer | VaultAdmin, policy: str, **options: object) -> str:
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


def account_kubeconfig(
    admin_kubeconfig: str | Path, reviewer_tokens: Sequence[ReviewerToken] = ("secret", "token-request")
) -> str:
    """Of that account, which is made."""
    account = cluster_account(admin_kubeconfig, reviewer_tokens)
    account.create()
    return account.kubeconfig("ember")
