"""What several causes have in common: whose token it is, and what to do."""

from __future__ import annotations

from runbook.application_names import OPERATOR, RESOURCES

REVIEWER = "{operator.account}"
SECRET = "{operator.secret}"  # noqa: S105 - for a name
"""Texts that need the field ``operator``, a `runbook.conventions.Operator`."""

NEW_TOKEN = "new, of TokenRequest"  # noqa: S105 - a source, not a token
NEW_ONE_IS_NO_BETTER = (
    "The cluster has just issued it, and a new one would be no better: ask a cluster administrator to "
    "compare clocks, keys and issuer of the API servers, and to check what is between them and this worker."
)
"""The remedy where the token to write is a new one and bad."""
READ_VAULTS_LOG = "Read Vault's own log, at level debug: it has the reason, at the time of this login."
"""The remedy where nothing is wrong and everything could be looked at."""

ENABLE_AGAIN = "Run enable-cluster again for this cluster: it writes what is missing and proves the login."
CLEARED_BY_AN_ADMINISTRATOR = (
    "Find out who set that. A run of enable-cluster stops there, and names the command with which a Vault "
    "administrator clears it."
)
OPERATOR_THEN_ENABLE = f"In ArgoCD, sync {OPERATOR}, then run enable-cluster again."
COMES_WITH_THE_CHANGE = f"In ArgoCD, sync {RESOURCES}; it comes with the pull request."
POINT_VAULT = (
    "Correct host_for_vault of the ClusterConnection, and run enable-cluster again: it rewrites the config."
)
NEW_SECRET = (
    f"Delete the Secret (`oc -n {{operator.namespace}} delete secret {{operator.reviewer_token}}`); in "
    f"ArgoCD, sync {OPERATOR}, so that the cluster fills a new one; and run enable-cluster again."
)
ASK_VAULT = (
    "Ask Vault's operators what its log says about `tokenreviews` at the time of this login, to try "
    "`curl -k {host}/version` from where Vault runs, and to look for a disabled entity with an alias on "
    "auth/{mount}."
)
