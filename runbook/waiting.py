"""What a run's page says while the run waits at the gate, and once it has gone through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook.gate import GateRecord
from runbook.names import Cluster


def waiting_page(
    cluster: Cluster,
    record: GateRecord,
    base_branch: str,
    missing: Sequence[str],
    troubles: Sequence[str],
    preflight: Mapping[str, Any],
) -> str:
    """Markdown: which pull request, since when, for what, and what happens then.

    Args:
        cluster: whose run waits.
        record: what it saw.
        base_branch: where the change has to land.
        missing: what is not there yet, a line each.
        troubles: what keeps the pull request from being merged as it is.
        preflight: result of the preflight step, with the plan.
    """
    what = f"[pull request #{record.number}]({record.url})" if record.url else "the change of the repository"
    until = f"{record.until:%Y-%m-%d %H:%M} UTC, then it fails" if record.until else "for ever"
    decided = {
        "merged": "It was merged, but what it brought is not there: reverted, or changed before the merge. "
        "A new run proposes it again, or takes what is there as it is.",
        "closed": "It was closed without a merge.",
    }
    parts = [
        f"# {cluster} waits for {what}",
        "",
        "| | |",
        "|---|---|",
        f"| since | {record.since:%Y-%m-%d %H:%M} UTC |",
        f"| for | everything below to be on `{base_branch}`, whatever way it comes |",
        f"| until | {until} |",
        f"| last look | `{base_branch}` at `{record.base[:12]}` |",
        "",
    ]
    parts += [f"**{line}**\n" for line in [decided.get(record.pull_request, "")] if line]
    parts += [f"⚠️ {trouble}.\n" for trouble in troubles]
    parts += ["## Not there yet", "", *(f"- {line}" for line in missing), ""]
    parts += ["## After the merge", "", str(preflight["vault_changes"]), ""]
    parts.append(
        f"Plan: `{preflight['plan_sha256']}`; the whole of it is in the artifact "
        f"`plan-{cluster.env}-{cluster.name}`."
    )
    return "\n".join(parts)


def landed_page(cluster: Cluster, landed: Mapping[str, Any], base_branch: str) -> str:
    """Markdown: who brought the change, how, and which commit.

    Args:
        cluster: whose change it is.
        landed: result of the merge check.
        base_branch: where it landed.
    """
    parts = [
        f"# The change of {cluster} has landed",
        "",
        "| | |",
        "|---|---|",
        f"| how | {landed['how']} |",
        f"| by | {landed['by'] or 'not known'} |",
        f"| as | `{landed['as'] or 'not known'}` |",
        f"| at | {landed['at'] or 'not known'} |",
        f"| seen | `{base_branch}` at `{landed['commit'][:12]}` |",
    ]
    return "\n".join(parts)
