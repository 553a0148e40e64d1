"""What tests of edits look for."""

from __future__ import annotations

from runbook.gitops import FileEdit

OVERLAY = "cluster-scope/overlays/prod/emea/ember"
OPERATOR = "external-secrets/overlays/emea/ember"
APPLICATIONS = "argocd/overlays/moc-infra/applications/envs/emea/ember/cluster-management"
STORE = f"{OVERLAY}/secret-mgmt/base/opf-vault-store.yaml"


def added_lines(edit: FileEdit) -> list[str]:
    lines = edit.diff().splitlines()[3:]
    assert not [line for line in lines if line.startswith("-")]
    return [line[1:] for line in lines if line.startswith("+")]
