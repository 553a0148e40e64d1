"""The commands that print what the pipeline needs, with all options of a run's modes, to be pasted."""

from __future__ import annotations

import shlex

from runbook.conventions import RUNBOOK
from runbook.request import ClusterRequest


def policy_command(request: ClusterRequest, *allow: str, namespace: str | None = None) -> str:
    """Prints the policy of the pipeline's token, for the cluster of a run.

    Args:
        request: the run's parameters.
        allow: further rights, as ``--allow`` takes them.
        namespace: Vault's, in which the policy is to be written.
    """
    # Names of an organisation's own stand in its file of connections.
    named = [str(request.target)] if request.conventions == RUNBOOK else ["--connections", "FILE"]
    words = ["python", "-m", "deployments.vault.policy", *named]
    if request.policy_scope != "env":
        words += ["--policy-scope", request.policy_scope]
    for extra in allow:
        words += ["--allow", extra]
    if request.plan_only:
        words += ["--read-only"]
    if namespace:
        words += ["--namespace", namespace]
    # The shell that it is pasted into may have another VAULT_NAMESPACE, or none.
    there = f"-namespace={shlex.quote(namespace)} " if namespace else ""
    if not request.target.people_mount:
        return shlex.join(words)
    mount = f"sys/auth/{request.target.people_mount}"
    return f'{shlex.join(words)} --oidc-accessor "$(vault read {there}-field=accessor {mount})"'


def the_policy(request: ClusterRequest, *allow: str, namespace: str | None = None) -> str:
    """The policy of the pipeline's token in words, with the command; arguments as of `policy_command`."""
    command = policy_command(request, *allow, namespace=namespace)
    aside = "FILE is that of your connections"
    if request.conventions == RUNBOOK:
        aside = f"for all clusters of a file: --connections FILE instead of {request.target}"
    writing = "; without --read-only for runs that also write" if request.plan_only else ""
    return f"the policy that `{command}` prints ({aside}{writing})"


def granting(request: ClusterRequest, namespace: str | None) -> str:
    """What to do where Vault refuses our token a right; arguments as of `policy_command`."""
    return (
        "Either the token's policy lacks this right (it may pin values too), or the token has expired. Give "
        f"it {the_policy(request, namespace=namespace)}, or put a new token into the VaultConnection."
    )


def account_command(request: ClusterRequest) -> str:
    """Applies the pipeline's account on a cluster, for the namespaces of a run."""
    words = ["python", "-m", "deployments.openshift.account", *(request.namespaces or ("NAMESPACE",))]
    words += ["--service-account", request.service_account]
    if request.reviewer_token != "secret":  # noqa: S105 - a mode, not a token
        words += ["--reviewer-token", request.reviewer_token]
    if request.conventions != RUNBOOK:
        words += ["--connections", "FILE"]
    return f"{shlex.join(words)} | oc apply --server-side -f -"
