"""What Vault's audit log says of writes."""

from __future__ import annotations

import re

from sandbox.vault_server import VaultServer

OBJECTS = re.compile(r"sys/(policies|auth)/|identity/group|auth/[^/]+/(config|role/)")
"""Paths of what a run writes; others are logins and questions."""


def written(vault: VaultServer, position: int) -> list[str]:
    """Which objects of Vault somebody has written since."""
    return [
        path
        for entry in vault.audit_entries(position)
        if entry["type"] == "request" and entry["request"]["operation"] in {"create", "update", "delete"}
        if OBJECTS.match(path := str(entry["request"]["path"]))
    ]
