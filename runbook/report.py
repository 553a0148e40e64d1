"""The report of a run: found, changed, proved, not proved, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook.names import SECRET_STORE, SECRETS_MOUNT
from runbook.request import EnableRequest

_ASK_AUDIT = "what is there now is as wanted, and Vault's audit log tells whether this run wrote it."


def report(
    request: EnableRequest,
    proposal: Mapping[str, Any],
    merged: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    proofs: Sequence[Mapping[str, Any]],
    served_versions: Sequence[str],
    audit_devices: Sequence[str] | None,
    unconfirmed: Sequence[str],
    flow_run: str,
) -> str:
    """Markdown for the person who triggered the run.

    Args:
        request: the run's parameters.
        proposal: result of the pull request step.
        merged: result of the merge check.
        steps: results of the steps that write to Vault, in their order.
        proofs: what was tried: ``claim``, ``proved`` (None: not tried), ``seen``.
        served_versions: versions of the SecretStore that the cluster serves.
        audit_devices: Vault's; None where our token may not look.
        unconfirmed: paths in Vault that were written to without an answer.
        flow_run: id of the flow run.
    """
    target = request.target
    changes = [change for step in steps for change in step["changes"]]
    changed = [change for change in changes if change["action"] != "none"]
    found = [change for change in changes if change["action"] == "none"]
    reviewer = next((step["reviewer"] for step in steps if "reviewer" in step), None)
    parts = [f"# {target} reads its secrets from Vault", ""]
    if proposal["url"]:
        parts.append(f"Pull request: [#{proposal['number']}]({proposal['url']}), ")
    parts += [f"content seen on the base branch at `{merged['commit'][:12]}`.", "", "## Changed in Vault", ""]
    written = [_line(change) for change in changed]
    written += [f"- `{path}`: was sent, and no answer came; {_ASK_AUDIT}" for path in unconfirmed]
    parts += written or ["Nothing; everything was as wanted."]
    if reviewer:
        parts += [
            "",
            f"Reviewer's token: sha256 `{reviewer['sha256'][:16]}…`, ends: {reviewer['expires']}.",
        ]
    parts += ["", "## Found as wanted", ""]
    parts += [_line(change) for change in found] or ["Nothing."]
    parts += ["", "## Proved", ""]
    parts += [f"- {proof['claim']}: {proof['seen']}" for proof in proofs if proof["proved"]]
    parts += ["", "## Not proved", ""]
    parts += [f"- {proof['claim']}: {proof['seen']}" for proof in proofs if proof["proved"] is None]
    parts += ["", "## Traced", "", *_traced(request, audit_devices, flow_run)]
    version = "v1" if "v1" in served_versions else next(iter(served_versions), "v1")
    parts += [
        "",
        "## Next",
        "",
        f"Put secrets below `{SECRETS_MOUNT}/{target.secrets_path}`, for example:",
        "",
        "```sh",
        f"vault kv put {SECRETS_MOUNT}/{target.secrets_path}example password=-",
        "```",
        "",
        f"and fetch them in `{request.namespaces[0]}` with:",
        "",
        "```yaml",
        f"apiVersion: external-secrets.io/{version}",
        "kind: ExternalSecret",
        "metadata:",
        "  name: example",
        f"  namespace: {request.namespaces[0]}",
        "spec:",
        "  refreshInterval: 1h",
        "  secretStoreRef:",
        "    kind: SecretStore",
        f"    name: {SECRET_STORE}",
        "  target:",
        "    name: example",
        "  dataFrom:",
        "    - extract:",
        f"        key: {target.secrets_path}example",
        "```",
    ]
    return "\n".join(parts) + "\n"


def _traced(request: EnableRequest, audit_devices: Sequence[str] | None, flow_run: str) -> list[str]:
    records = f"records-{request.target.env}-{request.target.name}"
    if audit_devices is None:
        audit = "not known, our token may not look at them"
    elif not audit_devices:
        audit = "⚠️ none: Vault writes down nothing of what is done in it. Have an audit device enabled"
    else:
        audit = ", ".join(audit_devices)
    return [
        f"- Each change has a record: artifacts `{records}`, and a line of JSON in this run's log.",
        f"- Our requests to Vault carry `X-Correlation-Id: {flow_run}`.",
        f"- Vault's audit devices: {audit}.",
    ]


def _line(change: Mapping[str, Any]) -> str:
    words = {"none": "", "create": ": created", "update": ": updated"}[change["action"]]
    fields = ", ".join(part["field"] for part in change["differences"])
    detail = f" ({fields})" if change["action"] == "update" else ""
    note = f"; {change['note']}" if change["note"] else ""
    return f"- `{change['object']}`{words}{detail}; was {change['found']}{note}"
