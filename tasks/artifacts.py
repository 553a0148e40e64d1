"""Names of the artifacts that a run publishes; Prefect keeps the versions of a key together."""

from __future__ import annotations

from runbook.names import Cluster


def artifact_key(kind: str, cluster: Cluster) -> str:
    """For example ``plan-moc-smaug``. Keys are lower-case letters, digits and hyphens."""
    return f"{kind}-{cluster.env}-{cluster.name}"
