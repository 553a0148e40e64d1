"""The words of the pull request and of its commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from runbook.names import Cluster

PLAN_TRAILER = "Enablement-Plan"
"""Trailer of our commits: hash of the plan that was shown."""

_PLAN_LINE = re.compile(r"^Plan: `([0-9a-f]{64})`\s*$", re.MULTILINE)


_BEGIN = "<!-- what follows is kept up to date by the pipeline -->"
_END = "<!-- what follows is yours -->"


@dataclass(frozen=True, slots=True)
class Words:
    """Title and body of the pull request, message of the commit."""

    title: str
    body: str
    commit_message: str


def words(
    cluster: Cluster, files: Sequence[str], vault_changes: str, plan_sha256: str, run_url: str | None
) -> Words:
    """Put the pull request into words.

    Args:
        cluster: whose change it is.
        files: paths that it touches.
        vault_changes: markdown of what the run will write to Vault after the merge.
        plan_sha256: hash of the plan.
        run_url: the flow run in Prefect's UI; None where the UI has no address.
    """
    title = f"Enable Vault secrets on {cluster}"
    listed = "\n".join(f"- `{path}`" for path in files)
    run = (
        f"[Flow run in Prefect]({run_url})"
        if run_url
        else "The flow run's page is not known (no UI address is set)."
    )
    body = f"""\
{_BEGIN}
Installs the External Secrets Operator on `{cluster}` and lets the cluster read its secrets from Vault.

**Why.** Workloads get their secrets through `ExternalSecret` objects; for that the cluster needs the \
operator, a `SecretStore` that points to Vault, and a ServiceAccount with which Vault checks who asks.

**Files**

{listed}

**After the merge**, once ArgoCD has synced, the pipeline goes on by itself and writes to Vault:

{vault_changes}

Nothing is written to Vault before this is merged. Close the pull request to refuse.

{run}
Plan: `{plan_sha256}`
{_END}
"""
    message = f"""\
{title}

Install the External Secrets Operator, with the SecretStore and the ServiceAccounts through which
the cluster reads its secrets from Vault.

{PLAN_TRAILER}: {plan_sha256}
"""
    return Words(title, body, message)


def updated(body: str, wanted: str) -> str | None:
    """The text of a pull request with our part brought up to date, and what people wrote around it.

    Args:
        body: as it is on GitHub.
        wanted: as we would write it now.

    Returns:
        None where somebody has taken our marks away: then the text is theirs.
    """
    before, begin, rest = body.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        return None
    return f"{before}{wanted.rstrip()}{after}"


def plan_of(body: str) -> str | None:
    """Hash of the plan that the text of a pull request shows; None if no line of it is left."""
    lines = _PLAN_LINE.findall(body)
    return lines[-1] if lines else None
