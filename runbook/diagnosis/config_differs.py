"""Whether the config of an auth mount leads to another API server than the ClusterConnection says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook.diagnosis.cause import Cause
from runbook.diagnosis.causes import Causes
from runbook.hosts import same_api_server, same_ca, without_credentials


def config_differs(mount: str, config: Mapping[str, Any] | None, host: str, ca_pem: str) -> Cause | None:
    """What of the config is not the connection's; None where all is, or where none was written yet.

    Args:
        mount: of the cluster.
        config: as Vault gives it.
        host, ca_pem: API server and CA by the ClusterConnection.
    """
    if config is None:
        return None
    differences = []
    there = str(config.get("kubernetes_host") or "")
    if not there.lower().startswith("https://") or not same_api_server(there, host):
        said = without_credentials(there) or "empty"
        differences.append(f"kubernetes_host is {said}, the connection has {host}")
    if not same_ca(str(config.get("kubernetes_ca_cert") or ""), ca_pem):
        differences.append("kubernetes_ca_cert is not the connection's CA")
    if not differences:
        return None
    return Causes.CONFIG_DIFFERS.of(mount=mount, differences="; ".join(differences))
