"""What a run's page says while the run waits at the gate, and once it has gone through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from change.results import Landing
from runbook.foreign_text import code, markdown
from runbook.gate import GateRecord
from runbook.names import Subject


def waiting_page(
    subject: Subject,
    record: GateRecord,
    base_branch: str,
    missing: Mapping[str, str],
    troubles: Sequence[str],
    plan_sha256: str,
) -> str:
    """Markdown: which pull request, since when, for what, and what happens then.

    Args:
        subject: whose run waits.
        record: what it saw.
        base_branch: where the change has to land.
        missing: what is not there yet: path, and why where there is more to say.
        troubles: what keeps the pull request from being merged as it is.
        plan_sha256: hash of the plan.
    """
    what = f"[pull request #{record.number}]({record.url})" if record.url else "the change of the repository"
    until = f"{record.until:%Y-%m-%d %H:%M} UTC, then it fails" if record.until else "it comes"
    decided = {
        "merged": "It was merged, but its change is not there: reverted, or altered before the merge. "
        "A new run proposes it again, or takes what is there as it is.",
        "closed": "It was closed without a merge.",
    }
    parts = [
        f"# {subject} waits for {what}",
        "",
        f"- since {record.since:%Y-%m-%d %H:%M} UTC, until {until}",
        f"- for everything below to be on `{base_branch}`, whichever way it comes",
        f"- last checked: `{base_branch}` at `{record.base[:12]}`",
        "",
    ]
    parts += [f"**{line}**\n" for line in [decided.get(record.pull_request, "")] if line]
    parts += [f"⚠️ {markdown(trouble)}.\n" for trouble in troubles]
    lines = [f"- {code(path)}{f': {markdown(why)}' if why else ''}" for path, why in missing.items()]
    parts += ["## Not there yet", "", *lines, ""]
    parts.append(f"What is then written to Vault: artifact `plan-{subject.key}`, plan `{plan_sha256}`.")
    return "\n".join(parts)


def landed_page(subject: Subject, landed: Landing, base_branch: str) -> str:
    """Markdown: who brought the change, how, and which commit.

    Args:
        subject: whose change it is.
        landed: how it came.
        base_branch: where it landed.
    """
    parts = [
        f"# The change of {subject} has landed",
        "",
        f"- how: {landed.how}",
        f"- by: {markdown(landed.by or 'not known')}",
        f"- as: `{landed.as_commit or 'not known'}`",
        f"- at: {landed.at or 'not known'}",
        f"- seen: `{base_branch}` at `{landed.commit[:12]}`",
    ]
    return "\n".join(parts)
