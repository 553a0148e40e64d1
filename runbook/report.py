"""The report of a run: found, changed, proved, not proved, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runbook.changes import FOUND_AS_SAID, Change
from runbook.diagnosis.record import ReviewerRecord
from runbook.foreign_text import code, markdown
from runbook.records import Written
from runbook.request import ClusterRequest


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was tried, and how it came out. ``proved`` is None where it could not be tried.

    ``store`` is of a SecretStore alone: `READY`, or why nobody may say that its secrets are read.
    """

    claim: str
    proved: bool | None
    seen: str
    store: str = ""


READY = "is Ready"
NOT_SEEN = "the operator was not seen"


_ASK_AUDIT = "it is as wanted now, and Vault's audit log tells whether this run wrote it."


def report(
    request: ClusterRequest,
    came_by: str,
    commit: str,
    changes: Sequence[Change],
    proofs: Sequence[Proof],
    served_versions: Sequence[str],
    audit_devices: Sequence[str] | None,
    written: Sequence[Written],
    reviewer: ReviewerRecord | None,
    flow_run: str,
) -> str:
    """Markdown for the person who triggered the run.

    Args:
        request: the run's parameters.
        came_by: how the change came to the base branch, in markdown; empty where none was needed.
        commit: of the base branch, on which the content was seen.
        changes: what the steps found, in their order.
        proofs: what was tried.
        served_versions: versions of the SecretStore that the cluster serves.
        audit_devices: Vault's; None where our token may not look.
        written: what the run wrote to Vault, in all its attempts.
        reviewer: the reviewer's token that the run wrote, if it did.
        flow_run: id of the flow run.
    """
    target = request.target
    ours = {one.object for one in written}
    parts = [f"# {headline(request, proofs)}", ""]
    parts.append(f"{came_by or 'No pull request was needed'}; seen on the base branch at `{commit[:12]}`.")
    parts += ["", "## Changed in Vault", ""]
    parts += dict.fromkeys(_written(one) for one in written) or ["Nothing; everything was as wanted."]
    if reviewer:
        ends = reviewer.expires.isoformat() if reviewer.expires else "with its Secret"
        parts += ["", f"Reviewer's token: sha256 `{reviewer.sha256[:16]}…`, expires: {ends}."]
    parts += ["", "## Found as wanted", ""]
    parts += [
        _line(code(change.object), change.found, change.note)
        for change in changes
        if change.object not in ours
    ] or ["Nothing."]
    parts += ["", "## Proved", ""]
    parts += [f"- {proof.claim}: {markdown(proof.seen)}" for proof in proofs if proof.proved]
    parts += ["", "## Not proved", ""]
    parts += [f"- {proof.claim}: {markdown(proof.seen)}" for proof in proofs if proof.proved is None]
    parts += ["", "## Traced", "", *_traced(request, audit_devices, flow_run)]
    version = "v1" if "v1" in served_versions else next(iter(served_versions), "v1")
    parts += [
        "",
        "## Next",
        "",
        f"Put secrets below `{target.secrets_mount}/{target.secrets_path}`, for example:",
        "",
        "```sh",
        f"vault kv put {target.secrets_mount}/{target.secrets_path}example password=-",
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
        f"    kind: {target.store.kind}",
        f"    name: {target.store.name}",
        "  target:",
        "    name: example",
        "  dataFrom:",
        "    - extract:",
        f"        key: {target.secrets_path}example",
        "```",
    ]
    return "\n".join(parts) + "\n"


def headline(request: ClusterRequest, proofs: Sequence[Proof]) -> str:
    """What was proved, in one line: secrets are read where each namespace's SecretStore was Ready."""
    stores = dict.fromkeys(proof.store for proof in proofs if proof.store) or {NOT_SEEN: None}
    doubts = "; ".join(words for words in stores if words != READY)
    if doubts:
        return f"Vault accepts logins of {request.subject}; {doubts}"
    return f"{request.subject} reads its secrets from Vault"


def _traced(request: ClusterRequest, audit_devices: Sequence[str] | None, flow_run: str) -> list[str]:
    records = f"records-{request.subject.key}"
    if audit_devices is None:
        audit = "not known, our token may not read them"
    elif not audit_devices:
        audit = "⚠️ none: Vault does not record what is done in it. Enable an audit device"
    else:
        audit = markdown(", ".join(audit_devices))
    return [
        f"- Each change has a record: artifact `{records}`, and a line of JSON in the process's log.",
        f"- Our requests to Vault carry `X-Correlation-Id: {flow_run}`; those to the cluster and GitHub "
        "name the run in `User-Agent`.",
        f"- Vault's audit devices: {audit}.",
    ]


def _written(one: Written) -> str:
    if not one.confirmed:
        return f"- {code(one.path)}: was sent, and no answer came; {_ASK_AUDIT}"
    words = "created" if one.action == "create" else f"updated ({', '.join(one.fields)})"
    return _line(f"{code(one.object)}: {words}", one.found, one.note)


def _line(words: str, found: str, note: str) -> str:
    before = f"was {found}" if found not in {"", *FOUND_AS_SAID} else ""
    return "; ".join(filter(None, (f"- {words}", before, markdown(note))))
