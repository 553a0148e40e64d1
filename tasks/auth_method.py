"""Step: the Kubernetes auth mount of the cluster."""

from __future__ import annotations

from typing import Any

from runbook.auth_method import compare_mount
from runbook.changes import Change
from runbook.request import EnableRequest
from systems.vault import Vault
from tasks import connect
from tasks.mandate import UNBOUND, Mandate, mandate
from tasks.step import log_changes, outcome, realize, write_once


def mount_changes(vault: Vault, request: EnableRequest) -> list[Change]:
    """What differs for the mount.

    Raises:
        Conflict: the path carries another type of auth method.
    """
    mount = vault.auth_mounts().get(request.target.mount)
    return [compare_mount(request.target, mount.type if mount else None)]


def realize_mount(vault: Vault, request: EnableRequest, given: Mandate = UNBOUND) -> list[Change]:
    """Enable the auth method if the path is free, and read it back."""
    return realize(vault, lambda: mount_changes(vault, request), given)


@write_once("enable auth method")
def enable_auth_method(request: EnableRequest, approved: dict[str, Any] | None) -> dict[str, Any]:
    """Enable the Kubernetes auth method at ``<cluster>-k8s``."""
    with connect.vault(request) as vault, mandate(request, approved, vault) as given:
        changes = realize_mount(vault, request, given)
    log_changes(changes)
    return outcome(changes)
